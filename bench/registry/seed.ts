/** Rows by the hundred thousand, made by the database itself: what a registry holds after years of use. */
import { createHash } from 'node:crypto';
import type { PostgresAccess } from '@slipway/contract';
import { connect } from '@slipway/database';
import type pg from 'pg';

/** Runs the statements one after the other in a session of its own; a bulk insert may take minutes. */
async function execute(postgres: PostgresAccess, statements: readonly string[]): Promise<void> {
  const pool = connect({ ...postgres }, { applicationName: 'bench', max: 1 });
  const client: pg.PoolClient = await pool.connect();
  try {
    await client.query('SET statement_timeout = 0');
    for (const text of statements) await client.query({ text, query_timeout: 1_800_000 } as pg.QueryConfig);
  } finally {
    client.release();
    await pool.end();
  }
}

/** A number from 0 up to 1 that looks like chance and is the same in both databases. */
const chance = (i: string): string => `((${i}::bigint * 7919) % 100003) / 100003.0`;

const METRICS = `(VALUES ('accuracy', 0), ('loss', 1), ('f1', 2), ('auc', 3), ('recall', 4)) AS m (key, salt)`;
const PARAMS = `(VALUES ('C', '0.1'), ('max_iter', '200'), ('solver', 'lbfgs')) AS p (key, value)`;
const TAGS = `(VALUES ('mlflow.user', 'bench'), ('mlflow.source.name', 'bench.py')) AS t (key, value)`;

/** The id of run number `i` of an experiment. */
const runId = (experiment: string, i = 'i'): string => `md5('${experiment}/' || ${i})`;

function slipwayRuns(experiment: string, runs: number): string[] {
  const series = `generate_series(1, ${runs}) AS i`;
  const id = runId(experiment);
  return [
    `INSERT INTO slipway.runs (namespace, run_id, experiment_id, run_name, user_id, status, start_time, end_time)
       SELECT 'default', ${id}, ${experiment}, 'run ' || i, 'bench', 'FINISHED', now() - i * interval '1 second', now() FROM ${series}`,
    `INSERT INTO slipway.metrics (namespace, run_id, key, step, "timestamp", value)
       SELECT 'default', ${id}, m.key, 0, 1700000000000, ${chance('i')} + m.salt FROM ${series}, ${METRICS}`,
    `INSERT INTO slipway.latest_metrics (namespace, experiment_id, run_id, key, step, "timestamp", value)
       SELECT namespace, ${experiment}, run_id, key, step, "timestamp", value FROM slipway.metrics
       WHERE namespace = 'default' AND run_id IN (SELECT ${id} FROM ${series})`,
    `INSERT INTO slipway.params (namespace, run_id, key, value) SELECT 'default', ${id}, p.key, p.value FROM ${series}, ${PARAMS}`,
    `INSERT INTO slipway.tags (namespace, run_id, key, value) SELECT 'default', ${id}, t.key, t.value FROM ${series}, ${TAGS}`,
    'ANALYZE slipway.runs, slipway.metrics, slipway.latest_metrics, slipway.params, slipway.tags',
  ];
}

function mlflowRuns(experiment: string, runs: number): string[] {
  const series = `generate_series(1, ${runs}) AS i`;
  const id = runId(experiment);
  const at = 'extract(epoch FROM now())::bigint * 1000';
  return [
    `INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, experiment_id)
       SELECT ${id}, 'run ' || i, 'UNKNOWN', 'bench', 'FINISHED', ${at} - i * 1000, ${at}, 'active',
         'mlflow-artifacts:/${experiment}/' || ${id} || '/artifacts', ${experiment} FROM ${series}`,
    `INSERT INTO metrics (run_uuid, key, step, "timestamp", value, is_nan)
       SELECT ${id}, m.key, 0, 1700000000000, ${chance('i')} + m.salt, false FROM ${series}, ${METRICS}`,
    `INSERT INTO latest_metrics (run_uuid, key, step, "timestamp", value, is_nan)
       SELECT run_uuid, key, step, "timestamp", value, is_nan FROM metrics WHERE run_uuid IN (SELECT ${id} FROM ${series})`,
    `INSERT INTO params (run_uuid, key, value) SELECT ${id}, p.key, p.value FROM ${series}, ${PARAMS}`,
    `INSERT INTO tags (run_uuid, key, value) SELECT ${id}, t.key, t.value FROM ${series}, ${TAGS}
       UNION ALL SELECT ${id}, 'mlflow.runName', 'run ' || i FROM ${series}`,
    'ANALYZE runs, metrics, latest_metrics, params, tags',
  ];
}

/** The same finished runs in either schema: five metrics, three params, two tags each. */
export const seedRuns = (
  name: 'slipway' | 'mlflow',
  postgres: PostgresAccess,
  experiment: string,
  runs: number,
): Promise<void> => execute(postgres, (name === 'slipway' ? slipwayRuns : mlflowRuns)(experiment, runs));

export interface Scale {
  readonly models: number;
  readonly versionsPerModel: number;
  readonly runs: number;
  readonly keysPerRun: number;
  readonly stepsPerKey: number;
}

/** The name of model number `i`, counted from 1. */
export const modelName = (i: number): string => `model-${i}`;
/** The id of run number `i` of the experiment, counted from 1, as `seedScale` makes it. */
export const runNumber = (experiment: string, i: number): string =>
  createHash('md5').update(`${experiment}/${i}`).digest('hex');

const BATCHES = 10;

/**
 * A registry with a long life behind it, in the namespace `default`: models with versions, an alias and a stage each, and
 * runs with their metric histories. `postgres` names a superuser: what the inserted rows would tell listeners and look
 * up in other tables is left out. Everything is logged and indexed as usual.
 */
export async function seedScale(
  postgres: PostgresAccess,
  experiment: string,
  scale: Scale,
  progress: (what: string) => void,
): Promise<void> {
  for (const { what, text } of scaleStatements(experiment, scale)) {
    await execute(postgres, ["SET session_replication_role = 'replica'", text]);
    progress(what);
  }
  await execute(postgres, ['VACUUM (ANALYZE)', 'CHECKPOINT']);
}

function scaleStatements(experiment: string, scale: Scale): { what: string; text: string }[] {
  const { models, versionsPerModel, runs, keysPerRun, stepsPerKey } = scale;
  const uri = `'s3://slipway/default/models/' || m || '/' || v`;
  const statements = [
    {
      what: `${models} models`,
      text: `INSERT INTO slipway.registered_models (namespace, name, next_version, creation_time, last_updated_time)
        SELECT 'default', 'model-' || m, ${versionsPerModel + 1}, now(), now() - m * interval '1 minute' FROM generate_series(1, ${models}) AS m`,
    },
  ];
  for (const [from, until] of parts(models)) {
    const series = `generate_series(${from}, ${until}) AS m, generate_series(1, ${versionsPerModel}) AS v`;
    statements.push({
      what: `versions of models ${from} to ${until}`,
      text: `WITH made AS (INSERT INTO slipway.model_versions (namespace, model, version, status, source_uri, format, stage, creation_time, last_updated_time)
          SELECT 'default', 'model-' || m, v, 'READY', ${uri}, 'mlflow',
            CASE WHEN v = ${versionsPerModel} THEN 'Production' ELSE 'None' END, now(), now() - (m * 1000 + v) * interval '1 second'
          FROM ${series} RETURNING model, version)
        INSERT INTO slipway.model_events (namespace, model, model_key, version, event, to_value, actor)
          SELECT 'default', made.model, r.model_key, version, 'Registered', 'READY', 'bench'
          FROM made JOIN slipway.registered_models r ON r.namespace = 'default' AND r.name = made.model`,
    });
  }
  statements.push(
    {
      what: 'aliases and tags',
      text: `WITH tags AS (INSERT INTO slipway.model_version_tags (namespace, model, version, key, value)
          SELECT 'default', 'model-' || m, v, 'by', 'bench' FROM generate_series(1, ${models}) AS m, generate_series(10, ${versionsPerModel}, 10) AS v)
        INSERT INTO slipway.model_aliases (namespace, model, alias, version)
          SELECT 'default', 'model-' || m, 'champion', ${versionsPerModel} FROM generate_series(1, ${models}) AS m`,
    },
    ...slipwayRuns(experiment, runs).map((text) => ({ what: `${runs} runs`, text })),
  );
  const id = runId(experiment);
  for (const [from, until] of parts(runs)) {
    statements.push({
      what: `metric points of runs ${from} to ${until}`,
      text: `INSERT INTO slipway.metrics (namespace, run_id, key, step, "timestamp", value)
        SELECT 'default', ${id}, 'metric-' || k, s, 1700000000000 + s * 1000, ${chance('i')} + s / 1000.0
        FROM generate_series(${from}, ${until}) AS i, generate_series(1, ${keysPerRun}) AS k, generate_series(1, ${stepsPerKey}) AS s`,
    });
  }
  statements.push({
    what: 'latest metrics',
    text: `INSERT INTO slipway.latest_metrics (namespace, experiment_id, run_id, key, step, "timestamp", value)
      SELECT 'default', ${experiment}, ${id}, 'metric-' || k, ${stepsPerKey}, 1700000000000 + ${stepsPerKey} * 1000, ${chance('i')} + ${stepsPerKey} / 1000.0
      FROM generate_series(1, ${runs}) AS i, generate_series(1, ${keysPerRun}) AS k`,
  });
  return statements;
}

/** The numbers from 1 to `count` in about `BATCHES` ranges. */
const parts = (count: number): [from: number, until: number][] =>
  Array.from({ length: BATCHES }, (_, i): [number, number] => [
    Math.floor((count * i) / BATCHES) + 1,
    Math.floor((count * (i + 1)) / BATCHES),
  ]).filter(([from, until]) => from <= until);
