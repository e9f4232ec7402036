/** From rows to the types of types.ts. What a tenant's pod wrote is parsed, not trusted. */
import { Artifact, Conversion, GateVerdict, Lineage, ModelSignature, PROGRESS_TAG } from '@slipway/contract';
import type { DerivedModel, ModelVersionRow, Run, RunStatus, VersionLabels, VersionStatus } from './types.ts';

/** A metric value from jsonb, where NaN and the infinities are strings. */
const numbers = (values: Record<string, number | string>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value)]));

export interface RunRow {
  namespace: string;
  run_key: string;
  run_id: string;
  experiment_id: number;
  generation: string;
  spec_digest: string;
  status: RunStatus;
  start_time: Date;
  end_time: Date | null;
  model: string | null;
  version: number | null;
  failure_reason: string | null;
  failure_message: string | null;
  metrics: Record<string, number | string>;
  cause: string | null;
  scheduled_time: Date | null;
  spec: unknown;
  parameters: Record<string, string>;
  parent_run_key: string | null;
  gate: unknown;
  progress: string | null;
}

/** Latest metrics of the run `r` of the surrounding statement, as one object; of a run that is not tracked, what was kept. */
export const metricsOfRun = `coalesce(r.kept_metrics,
  (SELECT coalesce(jsonb_object_agg(l.key, l.value), '{}') FROM slipway.latest_metrics l
    WHERE l.namespace = r.namespace AND l.run_id = r.run_id)) AS metrics`;

export const runColumns = `r.namespace, r.run_key, r.run_id, r.experiment_id, r.generation, r.spec_digest, r.status,
  r.start_time, r.end_time, r.model, r.version, r.failure_reason, r.failure_message,
  r.cause, r.scheduled_time, r.spec, r.asked AS parameters, r.parent_run_key, r.gate,
  (SELECT t.value FROM slipway.tags t WHERE t.namespace = r.namespace AND t.run_id = r.run_id AND t.key = '${PROGRESS_TAG}')
    AS progress, ${metricsOfRun}`;

/** A run that published after all keeps no failure. */
const failureFrom = ({ status, failure_reason: reason, failure_message: message }: RunRow): Pick<Run, 'failure'> =>
  reason !== null && (status === 'FAILED' || status === 'KILLED')
    ? { failure: { reason, message: message ?? '' } }
    : {};

function gateFrom(value: unknown): Pick<Run, 'gate'> {
  const gate = GateVerdict.safeParse(value).data;
  return gate ? { gate } : {};
}

/** A run that the operator started. */
export const runFrom = (row: RunRow): Run => ({
  namespace: row.namespace,
  runKey: row.run_key,
  runId: row.run_id,
  experimentId: String(row.experiment_id),
  generation: Number(row.generation),
  specDigest: row.spec_digest,
  status: row.status,
  startTime: row.start_time.toISOString(),
  ...(row.end_time && { endTime: row.end_time.toISOString() }),
  ...(row.model !== null && { model: row.model }),
  ...(row.version !== null && { version: row.version }),
  ...failureFrom(row),
  metrics: numbers(row.metrics),
  cause: row.cause ?? 'Created',
  ...(row.scheduled_time && { scheduledTime: row.scheduled_time.toISOString() }),
  ...(row.spec !== null && { spec: row.spec }),
  parameters: row.parameters,
  ...(row.parent_run_key !== null && { parentRunKey: row.parent_run_key }),
  ...gateFrom(row.gate),
  ...(row.progress !== null && { progress: row.progress }),
});

export interface VersionRow {
  namespace: string;
  model: string;
  version: number;
  status: VersionStatus;
  status_message: string;
  source_uri: string;
  format: 'onnx' | 'mlflow';
  version_key: string;
  object_uid: string | null;
  stage: string;
  description: string | null;
  aliases: string[];
  tags: Record<string, string>;
  artifact_uri: string | null;
  artifact_files: unknown;
  artifact_digest: string | null;
  signature: unknown;
  experiment_id: number | null;
  run_id: string | null;
  lineage: unknown;
  creation_time: Date;
  derived: DerivedRow | null;
}

interface DerivedRow {
  uri: string;
  files: unknown;
  digest: string;
  signature: unknown;
  conversion: unknown;
  message: string;
}

/** What people may change of the version `v` of the surrounding statement. */
export const labelColumns = `v.stage, v.description,
  ARRAY(SELECT a.alias FROM slipway.model_aliases a
    WHERE a.namespace = v.namespace AND a.model = v.model AND a.version = v.version ORDER BY a.alias COLLATE "C") AS aliases,
  (SELECT coalesce(jsonb_object_agg(t.key, t.value), '{}') FROM slipway.model_version_tags t
    WHERE t.namespace = v.namespace AND t.model = v.model AND t.version = v.version) AS tags`;

/** The labels of a row that has `labelColumns`. */
export const labelsFrom = (row: Pick<VersionRow, 'stage' | 'description' | 'aliases' | 'tags'>): VersionLabels => ({
  stage: row.stage,
  aliases: row.aliases,
  tags: row.tags,
  description: row.description ?? '',
});

export const versionColumns = `v.namespace, v.model, v.version, v.status, v.status_message, v.source_uri, v.format,
  v.artifact_uri, v.artifact_files, v.artifact_digest, v.signature, v.experiment_id, v.run_id, v.lineage, v.creation_time,
  v.version_key, v.object_uid, ${labelColumns},
  (SELECT to_jsonb(d) FROM slipway.derived_artifacts d
    WHERE d.namespace = v.namespace AND d.model = v.model AND d.version = v.version) AS derived`;

/** The operator alone writes these; one that this program cannot read counts as none, and is made again beside it. */
function derivedFrom(row: DerivedRow | null): Pick<ModelVersionRow, 'derived'> {
  const artifact = Artifact.safeParse({ uri: row?.uri, files: row?.files, digest: row?.digest }).data;
  const conversion = Conversion.safeParse(row?.conversion).data;
  if (!row || !artifact || !conversion) return {};
  const signature = ModelSignature.safeParse(row.signature).data;
  const derived: DerivedModel = { artifact, conversion, message: row.message, ...(signature && { signature }) };
  return { derived };
}

/** An ill-formed signature or lineage counts as none: `verify` judges the bytes, not what was said about them. */
export function versionFrom(row: VersionRow): ModelVersionRow {
  const artifact = Artifact.safeParse({
    uri: row.artifact_uri,
    files: row.artifact_files,
    digest: row.artifact_digest,
  }).data;
  const signature = ModelSignature.safeParse(row.signature).data;
  return {
    namespace: row.namespace,
    model: row.model,
    version: row.version,
    versionKey: row.version_key,
    ...labelsFrom(row),
    ...(row.object_uid !== null && { objectUid: row.object_uid }),
    status: row.status,
    statusMessage: row.status_message,
    sourceUri: row.source_uri,
    format: row.format,
    ...(artifact && { artifact }),
    ...(signature && { signature }),
    ...derivedFrom(row.derived),
    ...(row.experiment_id !== null && { experimentId: String(row.experiment_id) }),
    ...(row.run_id !== null && { runId: row.run_id }),
    lineage: Lineage.safeParse(row.lineage).data ?? {},
    creationTime: row.creation_time.toISOString(),
  };
}
