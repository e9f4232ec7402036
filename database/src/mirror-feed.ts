import type pg from 'pg';
import { listenForVersions } from './listen.ts';
import { query, transaction } from './pool.ts';
import { labelColumns, labelsFrom, type VersionRow } from './rows.ts';
import type { MirroredRow, MirrorFeed, OpenRun } from './types.ts';

/** Of each model this many versions have an object whatever their stage. */
const NEWEST = 50;
/** So many more for each other ground, so that no one can flood a cluster by staging everything. */
const MOST_STAGED = 200;
const MODELS_PER_PAGE = 20;

type Row = Pick<
  VersionRow,
  | 'namespace'
  | 'model'
  | 'version'
  | 'status'
  | 'version_key'
  | 'object_uid'
  | 'stage'
  | 'description'
  | 'aliases'
  | 'tags'
> & { readonly is_wanted: boolean };

const columns = `v.namespace, v.model, v.version, v.status, v.version_key, v.object_uid, ${labelColumns}`;

/** True of the name $2 in the namespace $1 when it is a prompt, which is no model. */
const isPrompt = (namespace: string, model: string) => `EXISTS (SELECT FROM slipway.registered_model_tags p
  WHERE p.namespace = ${namespace} AND p.model = ${model} AND p.key = 'mlflow.prompt.is_prompt' AND lower(p.value) = 'true')`;

/** The newest versions of a model. */
const newest = (namespace: string, model: string) => `SELECT n.version FROM slipway.model_versions n
  WHERE n.namespace = ${namespace} AND n.model = ${model} AND n.status <> 'DELETED'
  ORDER BY n.version DESC LIMIT ${NEWEST}`;

/**
 * Archived versions are put away: being archived is no reason to be in the cluster. One that is not verified yet is
 * there until it is, since somebody waits for it.
 */
const isWanted = `v.status <> 'DELETED' AND NOT ${isPrompt('v.namespace', 'v.model')} AND (
  v.stage IN ('Staging', 'Production') OR v.status = 'PENDING_REGISTRATION'
  OR EXISTS (SELECT FROM slipway.model_aliases a WHERE (a.namespace, a.model, a.version) = (v.namespace, v.model, v.version))
  OR EXISTS (SELECT FROM slipway.version_uses u WHERE (u.namespace, u.model, u.version) = (v.namespace, v.model, v.version))
  OR v.version >= (SELECT min(newest.version) FROM (${newest('v.namespace', 'v.model')}) newest))`;

const PAGE = `WITH models AS MATERIALIZED (
    SELECT m.name FROM slipway.registered_models m WHERE m.namespace = $1 AND m.name > $2 ORDER BY m.name LIMIT ${MODELS_PER_PAGE}
  ), chosen AS (
    SELECT m.name, c.version FROM models m CROSS JOIN LATERAL (
      (${newest('$1', 'm.name')})
      UNION (SELECT v.version FROM slipway.model_versions v
         WHERE v.namespace = $1 AND v.model = m.name AND v.status <> 'DELETED' AND v.stage = 'Production'
         ORDER BY v.version DESC LIMIT ${MOST_STAGED})
      UNION (SELECT v.version FROM slipway.model_versions v
         WHERE v.namespace = $1 AND v.model = m.name AND v.status <> 'DELETED' AND v.stage = 'Staging'
         ORDER BY v.version DESC LIMIT ${MOST_STAGED})
      UNION (SELECT v.version FROM slipway.model_versions v
         WHERE v.namespace = $1 AND v.model = m.name AND v.status = 'PENDING_REGISTRATION' ORDER BY v.version LIMIT ${MOST_STAGED})
      UNION (SELECT a.version FROM slipway.model_aliases a WHERE a.namespace = $1 AND a.model = m.name)
      UNION (SELECT u.version FROM slipway.version_uses u WHERE u.namespace = $1 AND u.model = m.name)
    ) c WHERE NOT ${isPrompt('$1', 'm.name')}
  )
  SELECT ${columns}, true AS is_wanted FROM chosen c CROSS JOIN LATERAL (
      SELECT w.* FROM slipway.model_versions w
        WHERE w.namespace = $1 AND w.model = c.name AND w.version = c.version AND w.status <> 'DELETED' LIMIT 1) v`;

const mirrored = (row: Row): MirroredRow => ({
  namespace: row.namespace,
  model: row.model,
  version: row.version,
  versionKey: row.version_key,
  ...labelsFrom(row),
  status: row.status,
  ...(row.object_uid !== null && { objectUid: row.object_uid }),
  isWanted: row.is_wanted,
});

/**
 * Rows in the order of the primary key, one after the other: the planner believes that all models have about as many
 * versions as the average one, and would read a million rows and sort them to get at the last fifty.
 */
const byKey = <R>(pool: pg.Pool, text: string, values: readonly unknown[]): Promise<R[]> =>
  transaction(pool, async (client) => {
    await query(client, BY_KEY);
    return query<R>(client, text, values);
  });
const BY_KEY = ['jit', 'enable_sort', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin']
  .map((setting) => `SET LOCAL ${setting} = off`)
  .join('; ');

/** Reads alone: nothing here changes a row. */
export const mirrorFeed = (pool: pg.Pool): MirrorFeed => ({
  listen: (handlers) => listenForVersions(pool, handlers),

  async find(versionKey) {
    const [row] = await byKey<Row>(
      pool,
      `SELECT ${columns}, ${isWanted} AS is_wanted FROM slipway.model_versions v WHERE v.version_key = $1`,
      [versionKey],
    );
    return row && mirrored(row);
  },

  async findVersion({ namespace, model, version }) {
    const [row] = await byKey<Row>(
      pool,
      `SELECT ${columns}, ${isWanted} AS is_wanted FROM slipway.model_versions v
         WHERE v.namespace = $1 AND v.model = $2 AND v.version = $3`,
      [namespace, model, version],
    );
    return row && mirrored(row);
  },

  async tenants() {
    return query<{ namespace: string; uid: string }>(
      pool,
      'SELECT namespace, namespace_uid AS uid FROM slipway.tenants ORDER BY namespace',
    );
  },

  async page(namespace, after) {
    const models = await query<{ last: string | null; count: number }>(
      pool,
      `SELECT max(name) AS last, count(*)::int AS count FROM (SELECT name FROM slipway.registered_models
         WHERE namespace = $1 AND name > $2 ORDER BY name LIMIT ${MODELS_PER_PAGE}) page`,
      [namespace, after],
    );
    const { last = null, count = 0 } = models[0] ?? {};
    if (last === null) return { rows: [] };
    const rows = (await byKey<Row>(pool, PAGE, [namespace, after])).map(mirrored);
    return { rows, ...(count === MODELS_PER_PAGE && { last }) };
  },

  async openRuns(namespace) {
    const rows = await query<{ run_key: string; training_job: string; owner_uid: string }>(
      pool,
      `SELECT run_key, training_job, owner_uid FROM slipway.runs
         WHERE namespace = $1 AND run_key IS NOT NULL AND status = 'RUNNING' ORDER BY run_id LIMIT 1000`,
      [namespace],
    );
    return rows.map(
      (row): OpenRun => ({
        runKey: row.run_key,
        trainingJob: row.training_job,
        ownerUid: row.owner_uid,
      }),
    );
  },
});
