import { runIdFor, runKeyFor } from '@slipway/contract';
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

/** The run `start` must not make again: the one of this generation, else the owner's latest when it asked for the same. */
async function findStarted(on: Queryable, run: StartRun): Promise<Run | undefined> {
  const rows = await query<RunRow>(
    on,
    `SELECT ${runColumns} FROM slipway.runs r
       WHERE r.namespace = $1 AND r.owner_uid = $2
       ORDER BY r.generation = $3::bigint DESC, r.generation DESC LIMIT 1`,
    [run.namespace, run.ownerUid, run.generation],
  );
  const found = rows[0] && runFrom(rows[0]);
  return found && (found.generation === run.generation || found.specDigest === run.specDigest) ? found : undefined;
}

async function insertRun(on: Queryable, run: StartRun): Promise<void> {
  const runKey = runKeyFor(run.ownerUid, run.generation);
  const runId = runIdFor(runKey);
  await query(
    on,
    `INSERT INTO slipway.runs (namespace, run_id, experiment_id, run_name, status, start_time, run_key, owner_uid,
         generation, spec_digest, training_job, cause)
       VALUES ($1, $2, slipway.ensure_experiment($1, $3), $4, 'RUNNING', $5, $6, $7, $8, $9, $4, $10)`,
    [
      run.namespace,
      runId,
      run.experiment,
      run.trainingJob,
      run.startTime,
      runKey,
      run.ownerUid,
      run.generation,
      run.specDigest,
      run.cause,
    ],
  );
  await query(on, 'SELECT slipway.log_params($1, $2, $3::jsonb)', [
    run.namespace,
    runId,
    JSON.stringify(run.parameters),
  ]);
}

/** Runs in Postgres. What exists already is found by reading alone, so a steady reconcile writes nothing. */
export const runStore = (pool: Queryable, write: Write): RunStore => ({
  async start(run) {
    const started = await findStarted(pool, run);
    if (started) return started;
    return write(async (client) => {
      // Of two callers for one owner the second finds what the first made.
      await lockTenant(client, run.namespace);
      const before = await findStarted(client, run);
      if (before) return before;
      await insertRun(client, run);
      return (await findStarted(client, run)) as Run;
    });
  },

  find: (namespace, runKey) => findRun(pool, namespace, runKey),

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
});
