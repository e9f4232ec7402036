{{/* The prefix of every name: the release's own when it says slipway already. */}}
{{- define "slipway.fullname" -}}
{{- if contains "slipway" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-slipway" (.Release.Name | trunc 32 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods of a component. Call with (dict "root" $ "component" "operator"). */}}
{{- define "slipway.selector" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "slipway.labels" -}}
{{ include "slipway.selector" . }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A Slipway image by its full name. Call with (dict "root" $ "image" .Values.operator.image). */}}
{{- define "slipway.image" -}}
{{- $name := .image.repository -}}
{{- with .root.Values.image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "slipway.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (printf "%s-%s" (include "slipway.fullname" .root) .component) -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "slipway.postgresSecret" -}}
{{- .Values.postgres.existingSecret | default (printf "%s-postgres" (include "slipway.fullname" .)) -}}
{{- end -}}

{{- define "slipway.objectStorageSecret" -}}
{{- .Values.objectStorage.existingSecret | default (printf "%s-object-storage" (include "slipway.fullname" .)) -}}
{{- end -}}

{{- define "slipway.installKeySecret" -}}
{{- .Values.operator.installKey.existingSecret | default (printf "%s-install-key" (include "slipway.fullname" .)) -}}
{{- end -}}

{{- define "slipway.runTokensSecret" -}}
{{- .Values.runTokens.existingSecret | default (printf "%s-run-tokens" (include "slipway.fullname" .)) -}}
{{- end -}}

{{/* What a Secret of this release holds under a key already, or else something new. Call with (dict "root" $ "name" … "key" … "new" …). */}}
{{- define "slipway.keptOrNew" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- dig "data" .key "" $secret | default (b64enc .new) -}}
{{- end -}}

{{/* How models are converted, as the operator reads it. */}}
{{- define "slipway.converter" -}}
{{- with .Values.converter -}}
{{- $image := include "slipway.image" (dict "root" $ "image" .image) -}}
{{- dict "image" $image "resources" .resources "timeoutSeconds" (int .timeoutSeconds) "deadlineSeconds" (int .deadlineSeconds) "maxParallel" (int .maxParallel) | toJson -}}
{{- end -}}
{{- end -}}

{{/* Where the object store is, as a NetworkPolicy says it. A store outside has a name only: its port has to do. */}}
{{- define "slipway.objectStoragePeers" -}}
{{- if .Values.converter.objectStoragePeers -}}
{{- toJson .Values.converter.objectStoragePeers -}}
{{- else if .Values.objectStorage.bundled -}}
{{- $labels := include "slipway.selector" (dict "root" $ "component" "object-storage") | fromYaml -}}
{{- $namespace := dict "matchLabels" (dict "kubernetes.io/metadata.name" .Release.Namespace) -}}
{{- list (dict "namespaceSelector" $namespace "podSelector" (dict "matchLabels" $labels)) | toJson -}}
{{- else -}}
{{- $four := dict "cidr" "0.0.0.0/0" "except" (list "169.254.0.0/16") -}}
{{- $six := dict "cidr" "::/0" "except" (list "fe80::/10" "fd00:ec2::254/128") -}}
{{- list (dict "ipBlock" $four) (dict "ipBlock" $six) | toJson -}}
{{- end -}}
{{- end -}}
