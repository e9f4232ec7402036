import { runIdFor } from '@slipway/contract';
import { type Queryable, query } from './pool.ts';
import { type RunRow, runColumns, runFrom } from './rows.ts';
import { lockTenant } from './tenant-store.ts';
import type { Run, RunStore, StartRun } from './types.ts';
import type { Write } from './write.ts';

async function findRun(on: Queryable, namespace: string, runKey: string): Promise<Run | undefined> {
  const [row] = await query<RunRow>(
    on,
    `SELECT ${runColumns} FROM slipway.runs r WHERE r.namespace = $1 AND r.run_key = $2`,
    [namespace, runKey],
  );
  return row && runFrom(row);
}

async function insertRun(on: Queryable, run: StartRun): Promise<void> {
  const runId = runIdFor(run.runKey);
  const parameters = JSON.stringify(run.parameters);
  await query(
    on,
    `INSERT INTO slipway.runs (namespace, run_id, experiment_id, run_name, status, start_time, run_key, owner_uid,
         generation, spec_digest, training_job, cause, scheduled_time, spec, asked, parent_run_key, is_tracked)
       VALUES ($1, $2, slipway.ensure_experiment($1, $3), $4, 'RUNNING', $5, $6, $7, $8, $9, $4, $10, $11, $12, $13, $14, $15)`,
    [
      run.namespace,
      runId,
      run.experiment,
      run.trainingJob,
      run.startTime,
      run.runKey,
      run.ownerUid,
      run.generation,
      run.specDigest,
      run.cause,
      run.scheduledTime ?? null,
      JSON.stringify(run.spec ?? null),
      parameters,
      run.parentRunKey ?? null,
      run.isTracked,
    ],
  );
  await restoreExperiment(on, run.namespace, runId);
  if (run.isTracked)
    await query(on, 'SELECT slipway.log_params($1, $2, $3::jsonb)', [run.namespace, runId, parameters]);
  if (run.parentRunKey !== undefined) await nameParent(on, run, runId, runIdFor(run.parentRunKey));
  if (run.requestId !== undefined) {
    await query(on, 'UPDATE slipway.run_requests SET run_id = $3 WHERE namespace = $1 AND request_id = $2', [
      run.namespace,
      run.requestId,
      runId,
    ]);
  }
}

/** A run in a deleted experiment would be seen by nobody, and collected with it. The runs that were deleted with it stay so. */
const restoreExperiment = (on: Queryable, namespace: string, runId: string) =>
  query(
    on,
    `UPDATE slipway.experiments e SET lifecycle_stage = 'active', deleted_time = NULL, last_update_time = now()
       FROM slipway.runs r WHERE (r.namespace, r.run_id) = ($1, $2)
         AND (e.namespace, e.experiment_id) = (r.namespace, r.experiment_id) AND e.lifecycle_stage = 'deleted'`,
    [namespace, runId],
  );

/** As MLflow's clients nest runs. */
const nameParent = (on: Queryable, { namespace }: StartRun, runId: string, parentId: string) =>
  query(
    on,
    `INSERT INTO slipway.tags (namespace, run_id, key, value) VALUES ($1, $2, 'mlflow.parentRunId', $3) ON CONFLICT DO NOTHING`,
    [namespace, runId, parentId],
  );

/** Runs in Postgres. What exists already is found by reading alone, so a steady reconcile writes nothing. */
export const runStore = (pool: Queryable, write: Write): RunStore => ({
  async start(run) {
    const started = await findRun(pool, run.namespace, run.runKey);
    if (started) return started;
    return write(async (client) => {
      // Of two callers for one key the second finds what the first made.
      await lockTenant(client, run.namespace);
      const before = await findRun(client, run.namespace, run.runKey);
      if (before) return before;
      await insertRun(client, run);
      return (await findRun(client, run.namespace, run.runKey)) as Run;
    });
  },

  find: (namespace, runKey) => findRun(pool, namespace, runKey),

  async findById(namespace, runId) {
    const [row] = await query<RunRow>(
      pool,
      `SELECT ${runColumns} FROM slipway.runs r WHERE r.namespace = $1 AND r.run_id = $2 AND r.run_key IS NOT NULL`,
      [namespace, runId],
    );
    return row && runFrom(row);
  },

  async list(namespace, ownerUid, ended) {
    const rows = await query<RunRow>(
      pool,
      `(SELECT ${runColumns} FROM slipway.runs r
         WHERE r.namespace = $1 AND r.owner_uid = $2 AND r.parent_run_key IS NULL AND r.status = 'RUNNING')
       UNION ALL
       (SELECT ${runColumns} FROM slipway.runs r
         WHERE r.namespace = $1 AND r.owner_uid = $2 AND r.parent_run_key IS NULL AND r.status <> 'RUNNING'
         ORDER BY r.start_time DESC, r.run_id LIMIT $3)
       ORDER BY start_time DESC, run_id`,
      [namespace, ownerUid, ended],
    );
    return rows.map(runFrom);
  },

  async trials(namespace, searchKey) {
    const rows = await query<RunRow>(
      pool,
      `SELECT ${runColumns} FROM slipway.runs r WHERE r.namespace = $1 AND r.parent_run_key = $2
         ORDER BY length(r.run_key), r.run_key`,
      [namespace, searchKey],
    );
    return rows.map(runFrom);
  },

  async fail(namespace, runKey, failure) {
    const run = await findRun(pool, namespace, runKey);
    if (run?.status !== 'RUNNING') return run;
    return write(async (client) => {
      await query(
        client,
        `UPDATE slipway.runs SET status = $3, failure_reason = $4, failure_message = $5, end_time = $6
           WHERE namespace = $1 AND run_key = $2 AND status = 'RUNNING'`,
        [namespace, runKey, failure.status, failure.reason, failure.message, failure.endTime],
      );
      // Nobody is left who could end the runs a script began inside this one.
      await query(
        client,
        `UPDATE slipway.runs child SET status = $3, end_time = $4
           FROM slipway.tags t
           WHERE t.namespace = $1 AND t.key = 'mlflow.parentRunId' AND md5(t.value) = md5($2) AND t.value = $2
             AND child.namespace = $1 AND child.run_id = t.run_id AND child.run_key IS NULL
             AND child.status IN ('RUNNING', 'SCHEDULED')`,
        [namespace, run.runId, failure.status, failure.endTime],
      );
      return findRun(client, namespace, runKey);
    });
  },

  concludeSearch: (namespace, searchKey, best) =>
    write(async (client) => {
      await query(client, 'SELECT slipway.conclude_search($1, $2, $3, $4)', [
        namespace,
        searchKey,
        best.trialKey,
        best.endTime,
      ]);
      return findRun(client, namespace, searchKey);
    }),
});
