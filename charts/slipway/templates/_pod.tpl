{{/* What every pod spec has in common. Call with (dict "root" $ "settings" .Values.operator). */}}
{{- define "slipway.podBasics" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "slipway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Address and credentials of Postgres, under the names contract/src/access.ts reads. */}}
{{- define "slipway.postgresEnv" -}}
{{- $postgres := .Values.postgres -}}
- name: POSTGRES_HOST
  {{- if $postgres.bundled }}
  value: {{ printf "%s-postgres.%s.svc" (include "slipway.fullname" .) .Release.Namespace }}
  {{- else }}
  value: {{ $postgres.host | quote }}
  {{- end }}
- name: POSTGRES_PORT
  value: {{ ternary 5432 $postgres.port $postgres.bundled | int | quote }}
- name: POSTGRES_DATABASE
  value: {{ $postgres.database | quote }}
- name: POSTGRES_SSL_MODE
  value: {{ ternary "disable" ($postgres.sslMode | default "require") $postgres.bundled }}
- name: POSTGRES_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ include "slipway.postgresSecret" . }}
      key: {{ $postgres.existingSecretKeys.username }}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "slipway.postgresSecret" . }}
      key: {{ $postgres.existingSecretKeys.password }}
{{- end -}}

{{/* The same for the object store. */}}
{{- define "slipway.objectStorageEnv" -}}
{{- $storage := .Values.objectStorage -}}
- name: OBJECT_STORAGE_ENDPOINT
  {{- if $storage.bundled }}
  value: {{ printf "http://%s-minio.%s.svc:9000" (include "slipway.fullname" .) .Release.Namespace }}
  {{- else }}
  value: {{ $storage.endpoint | quote }}
  {{- end }}
- name: OBJECT_STORAGE_REGION
  value: {{ $storage.region | quote }}
- name: OBJECT_STORAGE_PATH_STYLE
  value: {{ or $storage.bundled $storage.pathStyle | quote }}
- name: OBJECT_STORAGE_BUCKET
  value: {{ $storage.bucket | quote }}
- name: OBJECT_STORAGE_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "slipway.objectStorageSecret" . }}
      key: {{ $storage.existingSecretKeys.accessKey }}
- name: OBJECT_STORAGE_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "slipway.objectStorageSecret" . }}
      key: {{ $storage.existingSecretKeys.secretKey }}
{{- end -}}

{{/* The key by which operator and registry know the tokens of runs. */}}
{{- define "slipway.runTokenEnv" -}}
- name: RUN_TOKEN_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "slipway.runTokensSecret" . }}
      key: key
{{- end -}}

{{- define "slipway.httpProbes" -}}
livenessProbe:
  httpGet:
    path: /livez
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  periodSeconds: 3
  timeoutSeconds: 3
startupProbe:
  httpGet:
    path: /livez
    port: http
  periodSeconds: 1
  failureThreshold: 60
{{- end -}}

{{/* Call with (dict "root" $ "component" "registry"). */}}
{{- define "slipway.podDisruptionBudget" -}}
{{- $budget := (index .root.Values .component).podDisruptionBudget -}}
{{- if $budget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "slipway.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "slipway.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "slipway.selector" . | nindent 6 }}
{{- end }}
{{- end -}}
