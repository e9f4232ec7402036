/** Logged models (MLflow 3): what a run logged, registered or not. */
import { type Database, type Queryable, query } from '../pool.ts';
import { named } from '../tracking/named.ts';
import type {
  LoggedModelCreation,
  LoggedModelEntity,
  LoggedModelPlace,
  LoggedModelStatus,
  NewLoggedModel,
} from './types.ts';

export type * from './types.ts';

export interface LoggedModels {
  /** In the order of the ids; one that is not there (or is deleted) is left out. */
  byId(namespace: string, modelIds: readonly string[]): Promise<LoggedModelEntity[]>;
  /** One model, a deleted one only when that is asked for. */
  find(
    namespace: string,
    modelId: string,
    options?: { readonly allowDeleted?: boolean },
  ): Promise<LoggedModelEntity | undefined>;
  /** Where its files are and which run made it, without what was logged to it; undefined for one that is deleted. */
  placeOf(namespace: string, modelId: string): Promise<LoggedModelPlace | undefined>;
  /** The newest model of that name that the run logged. */
  ofRun(namespace: string, runId: string, name: string): Promise<LoggedModelEntity | undefined>;
  create(namespace: string, model: NewLoggedModel): Promise<LoggedModelCreation>;
  /** Says how the upload ended; undefined when there is no such model. */
  finalize(namespace: string, modelId: string, status: LoggedModelStatus): Promise<LoggedModelEntity | undefined>;
  /** Adds params, all or none: none when one of them is there already with another value, which is named. */
  logParams(
    namespace: string,
    modelId: string,
    params: Readonly<Record<string, string>>,
  ): Promise<{ readonly done: true } | { readonly missing: true } | { readonly changed: string }>;
  /** The last value of a tag holds. False: there is no such model. */
  setTags(namespace: string, modelId: string, tags: Readonly<Record<string, string>>): Promise<boolean>;
  deleteTag(namespace: string, modelId: string, key: string): Promise<'deleted' | 'no tag' | 'no model'>;
  /** May be repeated. False: there never was such a model. */
  delete(namespace: string, modelId: string): Promise<boolean>;
}

/** Metric values as JSON carries them: what it has no number for is a word. */
type Row = { readonly value: LoggedModelEntity };
const entityFrom = ({ value }: Row): LoggedModelEntity => ({
  ...value,
  metrics: value.metrics.map((metric) => ({ ...metric, value: Number(metric.value) })),
});

const byIdStatement = {
  name: 'slipway_logged_models_by_id',
  text: `SELECT slipway.logged_model_json(l) AS value FROM unnest($2::text[]) WITH ORDINALITY AS k (model_id, position)
    JOIN slipway.logged_models l ON l.namespace = $1 AND l.model_id = k.model_id AND (l.deleted_time IS NULL OR $3)
    ORDER BY k.position`,
};

const placeStatement = {
  name: 'slipway_logged_model_place',
  text: `SELECT l.model_id, l.source_run_id,
      coalesce(l.artifact_root, 'mlflow-artifacts:/' || l.experiment_id || '/models/' || l.model_id || '/artifacts') AS artifact_uri
    FROM slipway.logged_models l WHERE l.namespace = $1 AND l.model_id = $2 AND l.deleted_time IS NULL`,
};
type PlaceRow = { readonly model_id: string; readonly source_run_id: string | null; readonly artifact_uri: string };

async function placeOf(pool: Database, namespace: string, id: string): Promise<LoggedModelPlace | undefined> {
  const [row] = await named<PlaceRow>(pool, { ...placeStatement, values: [namespace, id] });
  if (!row) return undefined;
  const { model_id: modelId, source_run_id: run, artifact_uri: artifactUri } = row;
  return { modelId, artifactUri, ...(run !== null && { sourceRunId: run }) };
}

async function one(on: Queryable, text: string, values: readonly unknown[]): Promise<LoggedModelEntity | undefined> {
  const [row] = await query<Row>(on, text, values);
  return row && entityFrom(row);
}

async function done(on: Queryable, text: string, values: readonly unknown[]): Promise<boolean> {
  const [row] = await query<{ done: boolean }>(on, text, values);
  return row?.done ?? false;
}

const ofModel = 'namespace = $1 AND model_id = $2';
/** As in MLflow, what was deleted can still be written to. */
const locked = `SELECT namespace, model_id FROM slipway.logged_models WHERE ${ofModel} FOR NO KEY UPDATE`;

const setTagsText = `WITH model AS (${locked}), added AS (
    INSERT INTO slipway.logged_model_tags (namespace, model_id, key, value)
      SELECT m.namespace, m.model_id, n.key, n.value FROM model m, jsonb_each_text($3) AS n ORDER BY n.key
      ON CONFLICT (namespace, model_id, key) DO UPDATE SET value = excluded.value
  ) SELECT EXISTS (SELECT FROM model) AS done`;

async function create(pool: Database, namespace: string, model: NewLoggedModel): Promise<LoggedModelCreation> {
  const [row] = await query<{ value: LoggedModelEntity | null; stage: 'deleted' | 'active' | null }>(
    pool,
    'SELECT made.value, made.stage FROM slipway.create_logged_model($1, $2::jsonb) AS made',
    [namespace, JSON.stringify(model)],
  );
  if (row?.value) return { model: entityFrom({ value: row.value }) };
  return { experiment: row?.stage === 'deleted' ? 'deleted' : 'missing' };
}

/** Logged models over one pool: the caller has decided whose namespace may be asked for. */
export function openLoggedModels(pool: Database): LoggedModels {
  const byId = async (namespace: string, modelIds: readonly string[], allowDeleted = false) =>
    (await named<Row>(pool, { ...byIdStatement, values: [namespace, modelIds, allowDeleted] })).map(entityFrom);
  return {
    byId: (namespace, modelIds) => byId(namespace, modelIds),
    find: async (namespace, modelId, options) => (await byId(namespace, [modelId], options?.allowDeleted))[0],
    placeOf: (namespace, modelId) => placeOf(pool, namespace, modelId),
    ofRun: (namespace, runId, name) =>
      one(
        pool,
        `SELECT slipway.logged_model_json(l) AS value FROM slipway.logged_models l
           WHERE namespace = $1 AND source_run_id = $2 AND name = $3 AND deleted_time IS NULL
           ORDER BY creation_time DESC, model_id LIMIT 1`,
        [namespace, runId, name],
      ),
    create: (namespace, model) => create(pool, namespace, model),
    finalize: (namespace, modelId, status) =>
      one(
        pool,
        `UPDATE slipway.logged_models l SET status = $3, last_updated_time = clock_timestamp()
           WHERE ${ofModel} RETURNING slipway.logged_model_json(l) AS value`,
        [namespace, modelId, status],
      ),
    async logParams(namespace, modelId, params) {
      const [row] = await query<{ known: boolean; changed: string | null }>(
        pool,
        'SELECT known, changed FROM slipway.log_model_params($1, $2, $3)',
        [namespace, modelId, JSON.stringify(params)],
      );
      if (!row?.known) return { missing: true };
      return row.changed === null ? { done: true } : { changed: row.changed };
    },
    setTags: (namespace, modelId, tags) => done(pool, setTagsText, [namespace, modelId, JSON.stringify(tags)]),
    async deleteTag(namespace, modelId, key) {
      const [row] = await query<{ model: boolean; tag: boolean }>(
        pool,
        `WITH model AS (${locked}), gone AS (
           DELETE FROM slipway.logged_model_tags t USING model m
             WHERE t.namespace = m.namespace AND t.model_id = m.model_id AND t.key = $3 RETURNING t.key
         ) SELECT EXISTS (SELECT FROM model) AS model, EXISTS (SELECT FROM gone) AS tag`,
        [namespace, modelId, key],
      );
      if (!row?.model) return 'no model';
      return row.tag ? 'deleted' : 'no tag';
    },
    delete: (namespace, modelId) =>
      done(
        pool,
        `UPDATE slipway.logged_models SET deleted_time = coalesce(deleted_time, clock_timestamp()), last_updated_time = clock_timestamp()
           WHERE ${ofModel} RETURNING true AS done`,
        [namespace, modelId],
      ),
  };
}
