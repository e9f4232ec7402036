/** Runs: made, read, moved on, hidden, brought back. One that is not tracked (its TrainingJob said so) is not there. */
import { type Database, query } from '../pool.ts';
import { named } from './named.ts';
import {
  clientInfoColumns,
  experimentNumber,
  type RunInfoRow,
  type RunRow,
  runFrom,
  runInfoFrom,
  runsText,
} from './rows.ts';
import type { NewRun, RunEntity, RunOutcome, RunUpdate } from './types.ts';

export interface Runs {
  /** The runs with these ids, in the order of the ids; an id that is not there is left out. */
  runsById(namespace: string, ids: readonly string[]): Promise<RunEntity[]>;
  /** The new run, RUNNING; or why its experiment takes none. */
  createRun(namespace: string, run: NewRun): Promise<RunEntity | 'missing' | 'deleted'>;
  /**
   * What the client says of a run: the answer shows it (without what was logged). Of a run that a TrainingJob owns it is
   * kept beside the operator's own status and end.
   */
  updateRun(namespace: string, runId: string, update: RunUpdate): Promise<RunEntity | 'missing' | 'deleted'>;
  /** `busy`: a TrainingJob is training it. */
  deleteRun(namespace: string, runId: string): Promise<'done' | 'missing' | 'busy'>;
  restoreRun(namespace: string, runId: string): Promise<'done' | 'missing'>;
  /** True when the run was made below `ancestor`: its tag mlflow.parentRunId says so, or that of the run it names. */
  isBelow(namespace: string, runId: string, ancestor: string): Promise<boolean>;
  deleteRunTag(namespace: string, runId: string, key: string): Promise<RunOutcome | 'tag-missing'>;
}

const stageText = `SELECT lifecycle_stage AS stage FROM slipway.runs WHERE namespace = $1 AND run_id = $2 AND is_tracked`;

const getRuns = { name: 'slipway-runs', text: runsText };

const byId = async (pool: Database, namespace: string, ids: readonly string[]): Promise<RunEntity[]> =>
  ids.length === 0 ? [] : (await named<RunRow>(pool, { ...getRuns, values: [namespace, ids] })).map(runFrom);

const insertRun = {
  name: 'slipway-create-run',
  text: `WITH experiment AS (
      SELECT experiment_id, lifecycle_stage, artifact_location FROM slipway.experiments WHERE namespace = $1 AND experiment_id = $2),
    r AS (
      INSERT INTO slipway.runs (namespace, run_id, experiment_id, run_name, user_id, status, start_time, artifact_root)
        SELECT $1, $3, experiment_id, $4, $5, 'RUNNING', slipway.from_millis($6::bigint),
          rtrim(artifact_location, '/') || '/' || $3 || '/artifacts'
        FROM experiment WHERE lifecycle_stage = 'active'
        RETURNING *),
    written AS (
      INSERT INTO slipway.tags (namespace, run_id, key, value)
        SELECT $1, r.run_id, t.key, t.value FROM r, unnest($7::text[], $8::text[]) AS t (key, value))
    SELECT e.lifecycle_stage AS stage, ${clientInfoColumns} FROM experiment e LEFT JOIN r ON true`,
};

async function create(pool: Database, namespace: string, run: NewRun): Promise<RunEntity | 'missing' | 'deleted'> {
  const { runId, experimentId, runName, userId, startTime, tags } = run;
  const keys = tags.map(({ key }) => key);
  const texts = tags.map(({ value }) => value);
  const values = [namespace, experimentNumber(experimentId), runId, runName, userId, startTime, keys, texts];
  const [row] = await named<RunInfoRow & { stage: RunEntity['lifecycleStage'] }>(pool, { ...insertRun, values });
  if (!row) return 'missing';
  return row.stage === 'active' ? { ...runInfoFrom(row), tags } : row.stage;
}

const updateText = `WITH r AS (
    UPDATE slipway.runs SET
      status = CASE WHEN run_key IS NULL THEN coalesce($3, status) ELSE status END,
      end_time = CASE WHEN run_key IS NULL THEN coalesce(slipway.from_millis($4::bigint), end_time) ELSE end_time END,
      client_status = CASE WHEN run_key IS NULL THEN client_status ELSE coalesce($3, client_status) END,
      client_end_time = CASE WHEN run_key IS NULL THEN client_end_time ELSE coalesce(slipway.from_millis($4::bigint), client_end_time) END,
      run_name = coalesce($5, run_name)
    WHERE namespace = $1 AND run_id = $2 AND is_tracked AND lifecycle_stage = 'active' RETURNING *),
  written AS (
    INSERT INTO slipway.tags (namespace, run_id, key, value)
      SELECT namespace, run_id, 'mlflow.runName', $5 FROM r WHERE $5::text IS NOT NULL
      ON CONFLICT (namespace, run_id, key) DO UPDATE SET value = excluded.value)
  SELECT ${clientInfoColumns} FROM r`;

async function update(
  pool: Database,
  namespace: string,
  runId: string,
  { status, endTime, runName }: RunUpdate,
): Promise<RunEntity | 'missing' | 'deleted'> {
  const values = [namespace, runId, status ?? null, endTime ?? null, runName ?? null];
  const [row] = await query<RunInfoRow>(pool, updateText, values);
  if (row) return runInfoFrom(row);
  const [found] = await query(pool, stageText, [namespace, runId]);
  return found ? 'deleted' : 'missing';
}

async function remove(pool: Database, namespace: string, runId: string): Promise<'done' | 'missing' | 'busy'> {
  const [row] = await query<{ busy: boolean }>(
    pool,
    `WITH run AS (
       SELECT run_key IS NOT NULL AND status = 'RUNNING' AS busy FROM slipway.runs
         WHERE namespace = $1 AND run_id = $2 AND is_tracked FOR NO KEY UPDATE),
     hidden AS (
       UPDATE slipway.runs SET lifecycle_stage = 'deleted', deleted_time = now()
         WHERE namespace = $1 AND run_id = $2 AND NOT (SELECT busy FROM run))
     SELECT busy FROM run`,
    [namespace, runId],
  );
  if (!row) return 'missing';
  return row.busy ? 'busy' : 'done';
}

async function restore(pool: Database, namespace: string, runId: string): Promise<'done' | 'missing'> {
  const rows = await query(
    pool,
    `UPDATE slipway.runs SET lifecycle_stage = 'active', deleted_time = NULL
       WHERE namespace = $1 AND run_id = $2 AND is_tracked RETURNING 1`,
    [namespace, runId],
  );
  return rows.length > 0 ? 'done' : 'missing';
}

async function isBelow(pool: Database, namespace: string, runId: string, ancestor: string): Promise<boolean> {
  // UNION, not UNION ALL: runs that name each other as parents end the walk.
  const rows = await query(
    pool,
    `WITH RECURSIVE parents (run_id) AS (
         SELECT value FROM slipway.tags WHERE namespace = $1 AND run_id = $2 AND key = 'mlflow.parentRunId'
       UNION
         SELECT t.value FROM parents p JOIN slipway.tags t
           ON t.namespace = $1 AND t.run_id = p.run_id AND t.key = 'mlflow.parentRunId')
     SELECT 1 FROM parents WHERE run_id = $3 LIMIT 1`,
    [namespace, runId, ancestor],
  );
  return rows.length > 0;
}

async function deleteTag(
  pool: Database,
  namespace: string,
  runId: string,
  key: string,
): Promise<RunOutcome | 'tag-missing'> {
  const [row] = await query<{ stage: RunEntity['lifecycleStage']; deleted: boolean }>(
    pool,
    `WITH run AS (${stageText}),
     gone AS (
       DELETE FROM slipway.tags WHERE namespace = $1 AND run_id = $2 AND key = $3 AND (SELECT stage FROM run) = 'active' RETURNING 1)
     SELECT stage, EXISTS (SELECT FROM gone) AS deleted FROM run`,
    [namespace, runId, key],
  );
  if (row?.stage === 'active' && !row.deleted) return 'tag-missing';
  return row?.stage ?? 'missing';
}

export const openRuns = (pool: Database): Runs => ({
  runsById: (namespace, ids) => byId(pool, namespace, ids),
  createRun: (namespace, run) => create(pool, namespace, run),
  updateRun: (namespace, runId, change) => update(pool, namespace, runId, change),
  deleteRun: (namespace, runId) => remove(pool, namespace, runId),
  restoreRun: (namespace, runId) => restore(pool, namespace, runId),
  isBelow: (namespace, runId, ancestor) => isBelow(pool, namespace, runId, ancestor),
  deleteRunTag: (namespace, runId, key) => deleteTag(pool, namespace, runId, key),
});
