{{- define "nsq.name" -}}
{{- printf "%s-%s" .Release.Name "nsq" | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- /* Labels that never change: claim templates and selectors cannot be updated. */ -}}
{{- define "nsq.selector" -}}
app.kubernetes.io/name: nsq
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "nsq.labels" -}}
{{ include "nsq.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "nsq.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "nsq.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "nsq.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* Each lookupd by the stable name of its pod. */ -}}
{{- define "nsq.lookupds" -}}
{{- $root := .root -}}
{{- range $i := until (int $root.Values.lookupd.replicas) }}
- --lookupd-{{ $.kind }}-address={{ include "nsq.name" $root }}-lookupd-{{ $i }}.{{ include "nsq.name" $root }}-lookupd:{{ $.port }}
{{- end }}
{{- end -}}
