/** Experiments: made, renamed, hidden, brought back, tagged. */
import { isUniqueViolation } from '../errors.ts';
import { type Database, query } from '../pool.ts';
import { type ExperimentRow, experimentColumns, experimentFrom, experimentNumber } from './rows.ts';
import type { ExperimentEntity, ExperimentOutcome, KeyValue, NewExperiment } from './types.ts';

export interface Experiments {
  /** The experiments with these ids, in the order of the ids; an id that is not there is left out. */
  experimentsById(namespace: string, ids: readonly string[]): Promise<ExperimentEntity[]>;
  /** Active or deleted: a name belongs to one of them. */
  experimentByName(namespace: string, name: string): Promise<ExperimentEntity | undefined>;
  /** The id of a new experiment; undefined when the name is taken, also by a deleted one. */
  createExperiment(namespace: string, experiment: NewExperiment): Promise<string | undefined>;
  renameExperiment(namespace: string, id: string, name: string): Promise<ExperimentOutcome | 'name-taken'>;
  /** Hides the experiment and its runs. `busy`: one of them is being trained by a TrainingJob. */
  deleteExperiment(namespace: string, id: string): Promise<'active' | 'missing' | 'busy'>;
  /** Brings the experiment and all of its runs back. */
  restoreExperiment(namespace: string, id: string): Promise<'active' | 'missing'>;
  setExperimentTag(namespace: string, id: string, tag: KeyValue): Promise<ExperimentOutcome>;
  deleteExperimentTag(namespace: string, id: string, key: string): Promise<ExperimentOutcome | 'tag-missing'>;
}

const byId = async (pool: Database, namespace: string, ids: readonly string[]): Promise<ExperimentEntity[]> => {
  const rows = await query<ExperimentRow>(
    pool,
    `SELECT ${experimentColumns} FROM unnest($2::integer[]) WITH ORDINALITY AS wanted (id, place)
       JOIN slipway.experiments e ON e.namespace = $1 AND e.experiment_id = wanted.id ORDER BY place`,
    [namespace, ids.map(experimentNumber)],
  );
  return rows.map(experimentFrom);
};

const byName = async (pool: Database, namespace: string, name: string): Promise<ExperimentEntity | undefined> => {
  const [row] = await query<ExperimentRow>(
    pool,
    `SELECT ${experimentColumns} FROM slipway.experiments e WHERE e.namespace = $1 AND e.name = $2`,
    [namespace, name],
  );
  return row && experimentFrom(row);
};

async function create(
  pool: Database,
  namespace: string,
  { name, artifactLocation, tags }: NewExperiment,
): Promise<string | undefined> {
  const [row] = await query<{ id: number | null }>(
    pool,
    'SELECT slipway.create_experiment($1, $2, $3, $4::jsonb) AS id',
    [
      namespace,
      name,
      artifactLocation ?? null,
      JSON.stringify(Object.fromEntries(tags.map(({ key, value }) => [key, value]))),
    ],
  );
  return row?.id == null ? undefined : String(row.id);
}

type Stage = ExperimentEntity['lifecycleStage'];

async function stageOf(pool: Database, namespace: string, id: string): Promise<ExperimentOutcome> {
  const [row] = await query<{ stage: Stage }>(
    pool,
    'SELECT lifecycle_stage AS stage FROM slipway.experiments WHERE namespace = $1 AND experiment_id = $2',
    [namespace, experimentNumber(id)],
  );
  return row?.stage ?? 'missing';
}

async function rename(
  pool: Database,
  namespace: string,
  id: string,
  name: string,
): Promise<ExperimentOutcome | 'name-taken'> {
  try {
    const renamed = await query(
      pool,
      `UPDATE slipway.experiments SET name = $3, last_update_time = now()
         WHERE namespace = $1 AND experiment_id = $2 AND lifecycle_stage = 'active' RETURNING 1`,
      [namespace, experimentNumber(id), name],
    );
    return renamed.length > 0 ? 'active' : stageOf(pool, namespace, id);
  } catch (error) {
    if (isUniqueViolation(error)) return 'name-taken';
    throw error;
  }
}

/** Both directions in one statement: the experiment's row is locked first, then its runs in their order. */
async function remove(pool: Database, namespace: string, id: string): Promise<'active' | 'missing' | 'busy'> {
  const [row] = await query<{ found: boolean; busy: boolean }>(
    pool,
    `WITH experiment AS (
       SELECT experiment_id FROM slipway.experiments
         WHERE namespace = $1 AND experiment_id = $2 AND lifecycle_stage = 'active' FOR NO KEY UPDATE),
     busy AS (
       SELECT 1 FROM slipway.runs r JOIN experiment USING (experiment_id)
         WHERE r.namespace = $1 AND r.run_key IS NOT NULL AND r.status = 'RUNNING' LIMIT 1),
     hidden AS (
       UPDATE slipway.experiments e SET lifecycle_stage = 'deleted', deleted_time = now(), last_update_time = now()
         FROM experiment x WHERE e.namespace = $1 AND e.experiment_id = x.experiment_id AND NOT EXISTS (SELECT FROM busy)
         RETURNING e.experiment_id),
     runs AS (
       UPDATE slipway.runs r SET lifecycle_stage = 'deleted', deleted_time = now()
         FROM hidden h WHERE r.namespace = $1 AND r.experiment_id = h.experiment_id AND r.lifecycle_stage = 'active')
     SELECT EXISTS (SELECT FROM experiment) AS found, EXISTS (SELECT FROM busy) AS busy`,
    [namespace, experimentNumber(id)],
  );
  if (!row?.found) return 'missing';
  return row.busy ? 'busy' : 'active';
}

async function restore(pool: Database, namespace: string, id: string): Promise<'active' | 'missing'> {
  const rows = await query(
    pool,
    `WITH shown AS (
       UPDATE slipway.experiments SET lifecycle_stage = 'active', deleted_time = NULL, last_update_time = now()
         WHERE namespace = $1 AND experiment_id = $2 AND lifecycle_stage = 'deleted' RETURNING experiment_id),
     runs AS (
       UPDATE slipway.runs r SET lifecycle_stage = 'active', deleted_time = NULL
         FROM shown s WHERE r.namespace = $1 AND r.experiment_id = s.experiment_id AND r.lifecycle_stage = 'deleted')
     SELECT 1 FROM shown`,
    [namespace, experimentNumber(id)],
  );
  return rows.length > 0 ? 'active' : 'missing';
}

async function setTag(pool: Database, namespace: string, id: string, tag: KeyValue): Promise<ExperimentOutcome> {
  const [row] = await query<{ stage: Stage }>(
    pool,
    `WITH experiment AS (
       SELECT experiment_id, lifecycle_stage FROM slipway.experiments WHERE namespace = $1 AND experiment_id = $2),
     written AS (
       INSERT INTO slipway.experiment_tags (namespace, experiment_id, key, value)
         SELECT $1, experiment_id, $3, $4 FROM experiment WHERE lifecycle_stage = 'active'
         ON CONFLICT (namespace, experiment_id, key) DO UPDATE SET value = excluded.value)
     SELECT lifecycle_stage AS stage FROM experiment`,
    [namespace, experimentNumber(id), tag.key, tag.value],
  );
  return row?.stage ?? 'missing';
}

async function deleteTag(
  pool: Database,
  namespace: string,
  id: string,
  key: string,
): Promise<ExperimentOutcome | 'tag-missing'> {
  const [row] = await query<{ stage: Stage; deleted: boolean }>(
    pool,
    `WITH experiment AS (
       SELECT experiment_id, lifecycle_stage FROM slipway.experiments WHERE namespace = $1 AND experiment_id = $2),
     gone AS (
       DELETE FROM slipway.experiment_tags t USING experiment e
         WHERE t.namespace = $1 AND t.experiment_id = e.experiment_id AND t.key = $3 AND e.lifecycle_stage = 'active'
         RETURNING 1)
     SELECT lifecycle_stage AS stage, EXISTS (SELECT FROM gone) AS deleted FROM experiment`,
    [namespace, experimentNumber(id), key],
  );
  if (row?.stage === 'active' && !row.deleted) return 'tag-missing';
  return row?.stage ?? 'missing';
}

export const openExperiments = (pool: Database): Experiments => ({
  experimentsById: (namespace, ids) => byId(pool, namespace, ids),
  experimentByName: (namespace, name) => byName(pool, namespace, name),
  createExperiment: (namespace, experiment) => create(pool, namespace, experiment),
  renameExperiment: (namespace, id, name) => rename(pool, namespace, id, name),
  deleteExperiment: (namespace, id) => remove(pool, namespace, id),
  restoreExperiment: (namespace, id) => restore(pool, namespace, id),
  setExperimentTag: (namespace, id, tag) => setTag(pool, namespace, id, tag),
  deleteExperimentTag: (namespace, id, key) => deleteTag(pool, namespace, id, key),
});
