/** What the registry's read API asks: lists a page at a time, each after the key of the last row of the page before. */
import { type ModelEvent, type ModelState, stateAfter, stateEvents } from './history.ts';
import { type Queryable, query } from './pool.ts';
import { metricsOfRun, type VersionRow, versionColumns, versionFrom } from './rows.ts';
import type { ModelVersionRow } from './types.ts';

export interface Experiment {
  readonly experimentId: string;
  readonly name: string;
  readonly lifecycleStage: 'active' | 'deleted';
  readonly creationTime: string;
  readonly lastUpdateTime: string;
}

export interface RunSummary {
  readonly runId: string;
  readonly experimentId: string;
  readonly runName: string;
  readonly status: 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';
  readonly startTime: string;
  readonly endTime: string | null;
  readonly trainingJob: string | null;
  readonly cause: string | null;
  readonly failure: { readonly reason: string; readonly message: string } | null;
  readonly model: string | null;
  readonly version: number | null;
  readonly params: Readonly<Record<string, string>>;
  /** Latest values; NaN and the infinities are strings, since JSON has no such numbers. */
  readonly metrics: Readonly<Record<string, number | string>>;
}

export interface RegisteredModel {
  readonly name: string;
  readonly creationTime: string;
  readonly lastUpdatedTime: string;
  /** The newest version that is not deleted. */
  readonly latestVersion: number | null;
}

export interface Page<Key> {
  readonly limit: number;
  readonly after?: Key | undefined;
}

export interface RegistryReader {
  experiments(namespace: string, page: Page<number>): Promise<Experiment[]>;
  hasExperiment(namespace: string, experimentId: number): Promise<boolean>;
  /** Newest start first; the key is a run id. */
  runs(namespace: string, experimentId: number, page: Page<string>): Promise<RunSummary[]>;
  run(namespace: string, runId: string): Promise<RunSummary | undefined>;
  models(namespace: string, page: Page<string>): Promise<RegisteredModel[]>;
  model(namespace: string, name: string): Promise<RegisteredModel | undefined>;
  /** Newest first, deleted ones left out; the key is a version. */
  versions(namespace: string, model: string, page: Page<number>): Promise<ModelVersionRow[]>;
  /** Also a deleted one: its row stays. */
  version(namespace: string, model: string, version: number): Promise<ModelVersionRow | undefined>;
  /** Oldest first, also from before the model was renamed; the key is an event id. */
  history(namespace: string, model: string, page: Page<string>): Promise<ModelEvent[]>;
  /** Where the model's versions stood at that moment (RFC 3339, to the microsecond as events are); undefined when nothing was ever registered under this name. */
  stateAt(namespace: string, model: string, at: string): Promise<ModelState | undefined>;
}

type Times<T, K extends keyof T> = Omit<T, K> & Record<K, Date>;
const iso = (time: Date): string => time.toISOString();

const runSummary = `SELECT r.run_id AS "runId", r.experiment_id::text AS "experimentId", r.run_name AS "runName", r.status,
    r.start_time AS "startTime", r.end_time AS "endTime", r.training_job AS "trainingJob", r.cause,
    CASE WHEN r.failure_reason IS NOT NULL THEN
      jsonb_build_object('reason', r.failure_reason, 'message', coalesce(r.failure_message, '')) END AS failure,
    r.model, r.version,
    (SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM slipway.params p
      WHERE p.namespace = r.namespace AND p.run_id = r.run_id) AS params,
    ${metricsOfRun}
  FROM slipway.runs r WHERE r.namespace = $1 AND r.lifecycle_stage = 'active' AND r.is_tracked`;

const lastStart = '(SELECT start_time FROM slipway.runs WHERE namespace = $1 AND run_id = $3)';
const afterRun = `AND r.start_time <= ${lastStart} AND (r.start_time < ${lastStart} OR r.run_id > $3)`;

type RunSummaryRow = Omit<RunSummary, 'startTime' | 'endTime'> & { startTime: Date; endTime: Date | null };
const runSummaryFrom = (row: RunSummaryRow): RunSummary => ({
  ...row,
  startTime: iso(row.startTime),
  endTime: row.endTime && iso(row.endTime),
});

const experimentSelect = `SELECT experiment_id::text AS "experimentId", name, lifecycle_stage AS "lifecycleStage",
    creation_time AS "creationTime", last_update_time AS "lastUpdateTime" FROM slipway.experiments WHERE namespace = $1`;

const modelSelect = `SELECT m.name, m.creation_time AS "creationTime", m.last_updated_time AS "lastUpdatedTime",
    (SELECT max(v.version) FROM slipway.model_versions v
      WHERE v.namespace = m.namespace AND v.model = m.name AND v.status <> 'DELETED') AS "latestVersion"
  FROM slipway.registered_models m WHERE m.namespace = $1 AND m.deleted_time IS NULL`;

type ModelRow = Times<RegisteredModel, 'creationTime' | 'lastUpdatedTime'>;
const modelFrom = (row: ModelRow): RegisteredModel => ({
  ...row,
  creationTime: iso(row.creationTime),
  lastUpdatedTime: iso(row.lastUpdatedTime),
});

const experimentReader = (on: Queryable): Pick<RegistryReader, 'experiments' | 'hasExperiment' | 'runs' | 'run'> => ({
  async experiments(namespace, { limit, after = -1 }) {
    const rows = await query<Times<Experiment, 'creationTime' | 'lastUpdateTime'>>(
      on,
      `${experimentSelect} AND lifecycle_stage = 'active' AND experiment_id > $2 ORDER BY experiment_id LIMIT $3`,
      [namespace, after, limit],
    );
    return rows.map((row) => ({
      ...row,
      creationTime: iso(row.creationTime),
      lastUpdateTime: iso(row.lastUpdateTime),
    }));
  },

  async hasExperiment(namespace, experimentId) {
    return (await query(on, `${experimentSelect} AND experiment_id = $2`, [namespace, experimentId])).length > 0;
  },

  async runs(namespace, experimentId, { limit, after = null }) {
    const rows = await query<RunSummaryRow>(
      on,
      `${runSummary} AND r.experiment_id = $2 ${after === null ? 'AND $3::text IS NULL' : afterRun}
         ORDER BY r.start_time DESC, r.run_id LIMIT $4`,
      [namespace, experimentId, after, limit],
    );
    return rows.map(runSummaryFrom);
  },

  async run(namespace, runId) {
    const [row] = await query<RunSummaryRow>(on, `${runSummary} AND r.run_id = $2`, [namespace, runId]);
    return row && runSummaryFrom(row);
  },
});

const modelReader = (on: Queryable): Pick<RegistryReader, 'models' | 'model' | 'versions' | 'version'> => ({
  async models(namespace, { limit, after = '' }) {
    const rows = await query<ModelRow>(
      on,
      `${modelSelect} AND m.name COLLATE "C" > $2 ORDER BY m.name COLLATE "C" LIMIT $3`,
      [namespace, after, limit],
    );
    return rows.map(modelFrom);
  },

  async model(namespace, name) {
    const [row] = await query<ModelRow>(on, `${modelSelect} AND m.name = $2`, [namespace, name]);
    return row && modelFrom(row);
  },

  async versions(namespace, model, { limit, after = 2 ** 31 - 1 }) {
    const rows = await query<VersionRow>(
      on,
      `SELECT ${versionColumns} FROM slipway.model_versions v WHERE v.namespace = $1 AND v.model = $2
         AND v.version < $3 AND v.status <> 'DELETED' ORDER BY v.version DESC LIMIT $4`,
      [namespace, model, after, limit],
    );
    return rows.map(versionFrom);
  },

  async version(namespace, model, version) {
    const [row] = await query<VersionRow>(
      on,
      `SELECT ${versionColumns} FROM slipway.model_versions v WHERE v.namespace = $1 AND v.model = $2 AND v.version = $3`,
      [namespace, model, version],
    );
    return row && versionFrom(row);
  },
});

/** Events stay with a model whatever it is called, and when it was deleted. */
const keyOfModel = '(SELECT m.model_key FROM slipway.registered_models m WHERE m.namespace = $1 AND m.name = $2)';

const historyReader = (on: Queryable): Pick<RegistryReader, 'history' | 'stateAt'> => ({
  async history(namespace, model, { limit, after = '0' }) {
    const rows = await query<Omit<ModelEvent, 'time'> & { time: Date }>(
      on,
      `SELECT e.id::text, e.time, nullif(e.version, 0) AS version, e.event, e.from_value AS "from", e.to_value AS "to", e.actor
         FROM slipway.model_events e WHERE e.namespace = $1 AND e.model_key = ${keyOfModel} AND e.id > $3 ORDER BY e.id LIMIT $4`,
      [namespace, model, after, limit],
    );
    return rows.map((row) => ({ ...row, time: iso(row.time) }));
  },

  async stateAt(namespace, model, at) {
    const rows = await query<Pick<ModelEvent, 'version' | 'to'> & { event: string | null }>(
      on,
      `SELECT nullif(e.version, 0) AS version, e.event, e.to_value AS "to"
         FROM slipway.registered_models m
         LEFT JOIN slipway.model_events e ON e.namespace = m.namespace AND e.model_key = m.model_key
           AND e.event = ANY ($3) AND e.time <= $4
         WHERE m.namespace = $1 AND m.name = $2 ORDER BY e.id`,
      [namespace, model, stateEvents, at],
    );
    if (rows.length === 0) return undefined;
    return stateAfter(rows.flatMap(({ event, ...row }) => (event === null ? [] : [{ ...row, event }])));
  },
});

/** Reads as the main user, who sees every tenant: the caller has decided whose namespace may be asked for. */
export const openReader = (on: Queryable): RegistryReader => ({
  ...experimentReader(on),
  ...modelReader(on),
  ...historyReader(on),
});
