{{/* What the operator may do where it works: one list for its ClusterRole or for its Roles. */}}
{{- define "slipway.operatorRules" -}}
# What people write. The operator marks objects (finalizers), reports (status), and carries what clients of the
# registry say of a version (stage, aliases, tags, description) into its object; nothing else of a spec is ever rewritten.
- apiGroups: [slipway.dev]
  resources: [trainingjobs, modelversions, inferenceservices]
  verbs: [get, list, watch, patch]
- apiGroups: [slipway.dev]
  resources: [trainingjobs/status, modelversions/status, inferenceservices/status]
  verbs: [patch]
# Asked for by the admission plugin OwnerReferencesPermissionEnforcement, for blockOwnerDeletion on children.
- apiGroups: [slipway.dev]
  resources: [trainingjobs/finalizers, modelversions/finalizers, inferenceservices/finalizers]
  verbs: [update]
# Versions of the registry are shown as objects, as long as they are wanted or young.
- apiGroups: [slipway.dev]
  resources: [modelversions]
  verbs: [create, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Whose pod asks for a run: from pod to ReplicaSet to Deployment to InferenceService.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
# Those of spec.autoscaling; of others it must know, so as not to fight one that scales a Deployment of ours.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# Why a pod does not run is read off its status; logs and exec are not needed.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# Exactly the three Secrets of a tenant, and these cannot be read back. They are made by server-side apply, which names
# what it creates; a plain create of a Secret is refused.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [slipway-tenant-fetch, slipway-tenant-publish, slipway-tenant-predictions]
  verbs: [create, patch, delete]
# The public keys of the cluster, in namespaces whose services take its tokens: this one name, and it cannot be read back.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [slipway-token-keys]
  verbs: [create, patch]
# What conversions may reach: this one name, and it cannot be read back.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  resourceNames: [slipway-convert]
  verbs: [create, patch]
# Its uid says whose data a namespace's name stands for, a label of it whether its Python models may be converted.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end -}}

{{/* What the registry may do where it answers. */}}
{{- define "slipway.registryRules" -}}
# A namespace has to exist, and its uid says whose data its name stands for.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end -}}

{{/* What taking the finalizers off needs. */}}
{{- define "slipway.uninstallRules" -}}
- apiGroups: [slipway.dev]
  resources: [trainingjobs, modelversions, inferenceservices]
  verbs: [list, patch]
{{- end -}}

{{/*
Rules granted to a ServiceAccount of the release: cluster-wide, or in each watched namespace.
Call with (dict "root" $ "name" … "component" … "account" … "rules" … "annotations" …).
*/}}
{{- define "slipway.grant" -}}
{{- $root := .root -}}
{{- $grant := . -}}
{{- $scopes := list (dict "kind" "ClusterRole") -}}
{{- with $root.Values.operator.watchNamespaces -}}
{{- $scopes = list -}}
{{- range . }}{{ $scopes = append $scopes (dict "kind" "Role" "namespace" .) }}{{ end -}}
{{- end -}}
{{- range $scope := $scopes }}
{{- range $part := list "" "Binding" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope.kind }}{{ $part }}
metadata:
  name: {{ $grant.name }}
  {{- with $scope.namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "slipway.labels" (dict "root" $root "component" $grant.component) | nindent 4 }}
  {{- with $grant.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if $part }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $scope.kind }}
  name: {{ $grant.name }}
subjects:
  - kind: ServiceAccount
    name: {{ $grant.account }}
    namespace: {{ $root.Release.Namespace }}
{{- else }}
rules:
  {{- $grant.rules | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
