{{/* The volume of a bundled store. Call with (dict "root" $ "name" … "component" … "persistence" …). */}}
{{- define "slipway.claim" -}}
{{- if and .persistence.enabled (not .persistence.existingClaim) }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "slipway.labels" (dict "root" .root "component" .component) | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes: [ReadWriteOnce]
  {{- with .persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .persistence.size }}
{{- end }}
{{- end -}}

{{- define "slipway.dataVolume" -}}
- name: data
  {{- if .persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ .persistence.existingClaim | default .name }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end -}}
