/** From rows to entities: each statement here reads whole entities in one round trip. */
import type {
  ClientRunStatus,
  DatasetInput,
  ExperimentEntity,
  KeyValue,
  MetricPoint,
  ModelLink,
  RunEntity,
} from './types.ts';

export type Pair = readonly [key: string, value: string];

export const keyValuesFrom = (pairs: readonly Pair[] | null): KeyValue[] =>
  (pairs ?? []).map(([key, value]) => ({ key, value }));

/** The number in an experiment's id; one that no experiment has, for what is none. */
export const experimentNumber = (id: string): number => {
  const number = /^\d+$/.test(id) ? Number(id) : -1;
  return number < 2 ** 31 ? number : -1;
};

export interface ExperimentRow {
  experiment_id: number;
  name: string;
  artifact_location: string;
  lifecycle_stage: ExperimentEntity['lifecycleStage'];
  creation_time: string;
  last_update_time: string;
  tags: Pair[] | null;
}

/** Columns of the experiment `e` of the surrounding statement. */
export const experimentColumns = `e.experiment_id, e.name, e.lifecycle_stage,
  coalesce(e.artifact_location, 'mlflow-artifacts:/' || e.experiment_id) AS artifact_location,
  slipway.to_millis(e.creation_time) AS creation_time, slipway.to_millis(e.last_update_time) AS last_update_time,
  (SELECT json_agg(json_build_array(t.key, t.value) ORDER BY t.key) FROM slipway.experiment_tags t
     WHERE t.namespace = e.namespace AND t.experiment_id = e.experiment_id) AS tags`;

export const experimentFrom = (row: ExperimentRow): ExperimentEntity => ({
  experimentId: String(row.experiment_id),
  name: row.name,
  artifactLocation: row.artifact_location,
  lifecycleStage: row.lifecycle_stage,
  creationTime: Number(row.creation_time),
  lastUpdateTime: Number(row.last_update_time),
  tags: keyValuesFrom(row.tags),
});

/** A run without what was logged to it. */
export interface RunInfoRow {
  run_id: string;
  experiment_id: number;
  run_name: string;
  user_id: string;
  status: ClientRunStatus;
  start_time: string;
  end_time: string | null;
  artifact_uri: string;
  lifecycle_stage: RunEntity['lifecycleStage'];
}

type DatasetTuple = readonly [string, string, string, string, string | null, string | null, Record<string, string>];

/** Lists of one run that belong together: the first of each, the second of each. */
export interface RunRow extends RunInfoRow {
  metric_keys: string[] | null;
  /** Value, time and step of each metric, with spaces between them all: cheaper to write, and to read, than JSON. */
  metric_points: string | null;
  param_keys: string[] | null;
  param_values: string[] | null;
  tag_keys: string[] | null;
  tag_values: string[] | null;
  datasets: DatasetTuple[] | null;
  models: (readonly [direction: 'input' | 'output', modelId: string, step: number])[] | null;
}

const infoColumns = `r.run_id, r.experiment_id, r.run_name, r.user_id, slipway.to_millis(r.start_time) AS start_time,
  coalesce(r.artifact_root, 'mlflow-artifacts:/' || r.experiment_id || '/' || r.run_id || '/artifacts') AS artifact_uri,
  r.lifecycle_stage`;

/** Columns of RunInfoRow for the run `r`; for a run that a TrainingJob owns, with what the client last said of it. */
export const clientInfoColumns = `${infoColumns}, coalesce(r.client_status, r.status) AS status,
  slipway.to_millis(CASE WHEN r.run_key IS NULL THEN r.end_time ELSE coalesce(r.client_end_time, r.end_time) END) AS end_time`;

/** What was logged to the run `r` in that table, as one row. */
const ofRun = (table: string, lists: string) =>
  `LATERAL (SELECT ${lists} FROM slipway.${table} x WHERE x.namespace = $1 AND x.run_id = r.run_id)`;

/**
 * The RunRows of the runs $2 of the namespace $1, in the order of $2. Every look is by a key, whatever the planner knows of
 * the tables: for a hundred keys it would rather read a table of some thousand rows. Nothing is sorted or made pairs of
 * here: both cost Postgres more than reading it.
 */
export const runsText = `SELECT ${infoColumns}, r.status, slipway.to_millis(r.end_time) AS end_time, m.*, p.*, t.*, d.*, l.*
  FROM unnest($2::text[]) WITH ORDINALITY AS wanted (id, place),
  LATERAL (SELECT * FROM slipway.runs x WHERE x.namespace = $1 AND x.run_id = wanted.id AND x.is_tracked LIMIT 1) r,
  ${ofRun(
    'latest_metrics',
    `json_agg(x.key) AS metric_keys, string_agg(x.value || ' ' || x."timestamp" || ' ' || x.step, ' ') AS metric_points`,
  )} m,
  ${ofRun('params', 'json_agg(x.key) AS param_keys, json_agg(x.value) AS param_values')} p,
  ${ofRun('tags', 'json_agg(x.key) AS tag_keys, json_agg(x.value) AS tag_values')} t,
  LATERAL (SELECT json_agg(json_build_array(d.name, d.digest, d.source_type, d.source, d.schema, d.profile, x.tags)
        ORDER BY d.name, d.digest) AS datasets
      FROM slipway.run_datasets x JOIN slipway.datasets d USING (namespace, experiment_id, name, digest)
      WHERE x.namespace = $1 AND x.run_id = r.run_id) d,
  ${ofRun(
    'run_models',
    'json_agg(json_build_array(x.direction, x.model_id, x.step) ORDER BY x.step, x.model_id) AS models',
  )} l
  ORDER BY wanted.place`;

const datasetFrom = ([name, digest, sourceType, source, schema, profile, tags]: DatasetTuple): DatasetInput => ({
  name,
  digest,
  sourceType,
  source,
  ...(schema !== null && { schema }),
  ...(profile !== null && { profile }),
  tags: keyValuesFrom(Object.entries(tags)),
});

const linksFrom = (models: RunRow['models'], wanted: 'input' | 'output'): ModelLink[] =>
  (models ?? []).flatMap(([direction, modelId, step]) => (direction === wanted ? [{ modelId, step }] : []));

const byKey = <Item extends { readonly key: string }>(items: Item[]): Item[] =>
  items.sort((a, b) => (a.key < b.key ? -1 : 1));

function metricsFrom({ metric_keys: keys, metric_points: points }: RunRow): MetricPoint[] {
  if (keys === null || points === null) return [];
  const numbers = points.split(' ').map(Number);
  const number = (index: number) => numbers[index] as number;
  return byKey(
    keys.map((key, i) => ({ key, value: number(3 * i), timestamp: number(3 * i + 1), step: number(3 * i + 2) })),
  );
}

const pairsFrom = (keys: readonly string[] | null, values: readonly string[] | null): KeyValue[] =>
  byKey((keys ?? []).map((key, i) => ({ key, value: values?.[i] as string })));

/** A run to which nothing was logged, or of which nobody asks what was. */
export const runInfoFrom = (row: RunInfoRow): RunEntity => ({
  runId: row.run_id,
  experimentId: String(row.experiment_id),
  runName: row.run_name,
  userId: row.user_id,
  status: row.status,
  startTime: Number(row.start_time),
  ...(row.end_time !== null && { endTime: Number(row.end_time) }),
  artifactUri: row.artifact_uri,
  lifecycleStage: row.lifecycle_stage,
  metrics: [],
  params: [],
  tags: [],
  datasets: [],
  modelInputs: [],
  modelOutputs: [],
});

export const runFrom = (row: RunRow): RunEntity => ({
  ...runInfoFrom(row),
  metrics: metricsFrom(row),
  params: pairsFrom(row.param_keys, row.param_values),
  tags: pairsFrom(row.tag_keys, row.tag_values),
  datasets: (row.datasets ?? []).map(datasetFrom),
  modelInputs: linksFrom(row.models, 'input'),
  modelOutputs: linksFrom(row.models, 'output'),
});
