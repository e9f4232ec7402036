import { databaseError } from '../errors.ts';
import { deleteVersion } from '../models/changes.ts';
import { type Database, query, transaction } from '../pool.ts';
import { inLineage, referencesOf, supersededTime } from './references.ts';
import type { ExpiredRow, GarbageRows, RetentionPolicy, RetiredVersion } from './types.ts';

/** Runs whose metrics and tags one statement deletes, and how long that may take: one run may have millions of points. */
const AT_ONCE = 20;
const PURGE_MS = 15 * 60_000;
const ACTOR = 'retention';

/** The deletion of a row, or of the experiment it is in, is long past. */
const longDeleted = (row: string, stage: string): string =>
  `(${stage} AND ${row}.deleted_time < $2) OR (e.lifecycle_stage = 'deleted' AND e.deleted_time < $2)`;

/** Runs of TrainingJobs keep their rows: without it their job would run again. So do runs and models that a version names. */
const expiredRuns = `SELECT r.run_id AS id FROM slipway.runs r JOIN slipway.experiments e USING (namespace, experiment_id)
  WHERE r.namespace = $1 AND (${longDeleted('r', "r.lifecycle_stage = 'deleted'")}) AND r.run_key IS NULL
    AND NOT EXISTS (SELECT FROM slipway.model_versions v
      WHERE v.namespace = r.namespace AND v.run_id = r.run_id AND v.status <> 'DELETED')`;
const expiredModels = `SELECT l.model_id AS id FROM slipway.logged_models l JOIN slipway.experiments e USING (namespace, experiment_id)
  WHERE l.namespace = $1 AND (${longDeleted('l', 'true')})
    AND NOT EXISTS (SELECT FROM slipway.model_versions v
      WHERE v.namespace = l.namespace AND v.logged_model_id = l.model_id AND v.status <> 'DELETED')`;
/** Last of all, and never the default one. */
const expiredExperiments = `SELECT e.experiment_id AS id FROM slipway.experiments e
  WHERE e.namespace = $1 AND e.lifecycle_stage = 'deleted' AND e.deleted_time < $2 AND e.experiment_id <> 0
    AND NOT EXISTS (SELECT FROM slipway.runs r WHERE (r.namespace, r.experiment_id) = (e.namespace, e.experiment_id))
    AND NOT EXISTS (SELECT FROM slipway.logged_models l WHERE (l.namespace, l.experiment_id) = (e.namespace, e.experiment_id))`;

const kinds: readonly (readonly [
  kind: ExpiredRow['kind'],
  select: string,
  table: string,
  key: string,
  alias: string,
])[] = [
  ['run', expiredRuns, 'runs', 'run_id', 'r'],
  ['loggedModel', expiredModels, 'logged_models', 'model_id', 'l'],
  ['experiment', expiredExperiments, 'experiments', 'experiment_id', 'e'],
];

const retirableVersions = `SELECT model, version FROM (
    SELECT v.model, v.version, v.creation_time, v.stage, v.status,
        row_number() OVER (PARTITION BY v.model ORDER BY v.version DESC) AS rank
      FROM slipway.model_versions v WHERE v.namespace = $1 AND v.status <> 'DELETED') AS ranked
  WHERE rank > $2 AND creation_time < $3 AND stage = 'None' AND status <> 'PENDING_REGISTRATION'
    AND NOT EXISTS (SELECT FROM slipway.model_aliases a WHERE (a.namespace, a.model, a.version) = ($1, ranked.model, ranked.version))
    AND NOT EXISTS (SELECT FROM slipway.version_uses u WHERE (u.namespace, u.model, u.version) = ($1, ranked.model, ranked.version))
  ORDER BY model, version`;

/** True when a policy gives anything up at all. */
const givesUp = ({ keepLast, createdBefore }: RetentionPolicy): boolean =>
  keepLast !== undefined || createdBefore !== undefined;

/** Deletes a version that has neither stage nor alias; the lock holds back whoever would give it one. */
const retire = (pool: Database, namespace: string, { model, version }: RetiredVersion): Promise<boolean> =>
  transaction(pool, async (client) => {
    const key = [namespace, model, version];
    await query(
      client,
      'SELECT FROM slipway.model_versions WHERE (namespace, model, version) = ($1, $2, $3) FOR UPDATE',
      key,
    );
    const free = await query(
      client,
      `SELECT FROM slipway.model_versions v WHERE (v.namespace, v.model, v.version) = ($1, $2, $3) AND v.stage = 'None'
         AND v.status <> 'DELETED' AND NOT EXISTS (SELECT FROM slipway.model_aliases a
           WHERE (a.namespace, a.model, a.version) = (v.namespace, v.model, v.version))`,
      key,
    );
    if (free.length === 0) return false;
    const deletion = await deleteVersion(client, { namespace, model, version, actor: ACTOR }, { unlessUsed: true });
    return 'done' in deletion;
  });

/** The ids a statement returns that may take far longer than those a client waits for. */
const patiently = (pool: Database, text: string, values: unknown[]): Promise<string[]> =>
  transaction(pool, async (client) => {
    await query(client, `SET LOCAL statement_timeout = ${PURGE_MS}`);
    try {
      const { rows } = await client.query<{ id: string | number }>({ text, values, query_timeout: PURGE_MS } as never);
      return rows.map(({ id }) => String(id));
    } catch (error) {
      throw databaseError(error);
    }
  });

/** Rows as garbage collection sees them, over one pool. */
export const garbageRows = (pool: Database): GarbageRows => ({
  async namespaces() {
    const rows = await query<{ namespace: string }>(pool, 'SELECT namespace FROM slipway.tenants ORDER BY namespace');
    return rows.map(({ namespace }) => namespace);
  },

  references: (namespace, bucket, units) => referencesOf(pool, namespace, bucket, units),

  async expired(namespace, deletedBefore) {
    const found: ExpiredRow[] = [];
    for (const [kind, select] of kinds) {
      const rows = await query<{ id: string | number }>(pool, select, [namespace, new Date(deletedBefore)]);
      found.push(...rows.map(({ id }) => ({ kind, id: String(id) })));
    }
    return found;
  },

  async purgeSome(namespace, deletedBefore) {
    for (const [kind, select, table, key, alias] of kinds) {
      const text = `DELETE FROM slipway.${table} WHERE namespace = $1 AND ${key} IN (${select} LIMIT ${AT_ONCE} FOR UPDATE OF ${alias} SKIP LOCKED)
        RETURNING ${key} AS id`;
      const ids = await patiently(pool, text, [namespace, new Date(deletedBefore)]);
      if (ids.length > 0) return ids.map((id) => ({ kind, id }));
    }
    return [];
  },

  async forgetUploads(namespace, uploads, supersededBefore) {
    await query(
      pool,
      `DELETE FROM slipway.data_sets d WHERE d.namespace = $1 AND d.upload = ANY ($2)
         AND ${supersededTime} < $3 AND NOT ${inLineage}`,
      [namespace, uploads, new Date(supersededBefore)],
    );
  },

  async forgetPaths(namespace, paths) {
    await query(pool, 'DELETE FROM slipway.artifacts WHERE namespace = $1 AND path = ANY ($2)', [namespace, paths]);
  },

  async retirable(namespace, policy) {
    if (!givesUp(policy)) return [];
    const before = policy.createdBefore === undefined ? 'infinity' : new Date(policy.createdBefore);
    return query<RetiredVersion>(pool, retirableVersions, [namespace, Math.max(1, policy.keepLast ?? 1), before]);
  },

  retire: (namespace, version) => retire(pool, namespace, version),
});
