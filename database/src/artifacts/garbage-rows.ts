import { databaseError } from '../errors.ts';
import { deleteVersion } from '../models/changes.ts';
import { type Database, query, transaction } from '../pool.ts';
import { inLineage, referencesOf, supersededTime } from './references.ts';
import { isFree, retirableRuns } from './run-retention.ts';
import type { ExpiredRow, GarbageRows, RetentionPolicy, RetiredVersion } from './types.ts';

/** Runs whose metrics and tags one statement deletes, and how long that may take: one run may have millions of points. */
const AT_ONCE = 20;
const PURGE_MS = 15 * 60_000;
const ACTOR = 'retention';

/** The deletion of a row, or of the experiment it is in, is long past. */
const longDeleted = (row: string, stage: string): string =>
  `(${stage} AND ${row}.deleted_time < $2) OR (e.lifecycle_stage = 'deleted' AND e.deleted_time < $2)`;

/** Runs and models that a version names keep their rows. */
const expired = `SELECT r.run_id AS id FROM slipway.runs r JOIN slipway.experiments e USING (namespace, experiment_id)
  WHERE r.namespace = $1 AND (${longDeleted('r', "r.lifecycle_stage = 'deleted'")})
    AND NOT EXISTS (SELECT FROM slipway.model_versions v
      WHERE v.namespace = r.namespace AND v.run_id = r.run_id AND v.status <> 'DELETED')`;
const expiredRuns = `${expired} AND r.run_key IS NULL`;
/** Runs of TrainingJobs keep a bare row: without it their job would run again. */
const expiredRunsOfJobs = `${expired} AND r.run_key IS NOT NULL AND r.status <> 'RUNNING' AND (r.is_tracked OR r.spec IS NOT NULL)
    AND NOT EXISTS (SELECT FROM slipway.model_versions v
      WHERE v.namespace = r.namespace AND v.model = r.model AND v.version = r.version AND v.status <> 'DELETED')
    AND NOT EXISTS (SELECT FROM slipway.runs s WHERE s.namespace = r.namespace AND s.run_key = r.parent_run_key AND s.status = 'RUNNING')`;
const ofBared = (table: string) =>
  `DELETE FROM slipway.${table} x USING bared b WHERE (x.namespace, x.run_id) = (b.namespace, b.run_id)`;
const bareRunsOfJobs = `WITH bared AS (
    UPDATE slipway.runs SET is_tracked = false, spec = NULL, candidate = NULL
      WHERE namespace = $1 AND run_id IN (${expiredRunsOfJobs} LIMIT ${AT_ONCE} FOR UPDATE OF r SKIP LOCKED)
      RETURNING namespace, run_id),
  ${['metrics', 'latest_metrics', 'params', 'tags', 'run_datasets', 'run_models', 'logged_model_metrics']
    .map((table) => `of_${table} AS (${ofBared(table)})`)
    .join(', ')}
  SELECT run_id AS id FROM bared`;
const expiredModels = `SELECT l.model_id AS id FROM slipway.logged_models l JOIN slipway.experiments e USING (namespace, experiment_id)
  WHERE l.namespace = $1 AND (${longDeleted('l', 'true')})
    AND NOT EXISTS (SELECT FROM slipway.model_versions v
      WHERE v.namespace = l.namespace AND v.logged_model_id = l.model_id AND v.status <> 'DELETED')`;
/** Last of all, and never the default one. */
const expiredExperiments = `SELECT e.experiment_id AS id FROM slipway.experiments e
  WHERE e.namespace = $1 AND e.lifecycle_stage = 'deleted' AND e.deleted_time < $2 AND e.experiment_id <> 0
    AND NOT EXISTS (SELECT FROM slipway.runs r WHERE (r.namespace, r.experiment_id) = (e.namespace, e.experiment_id))
    AND NOT EXISTS (SELECT FROM slipway.logged_models l WHERE (l.namespace, l.experiment_id) = (e.namespace, e.experiment_id))`;

/** Requests for runs that were answered. One that comes again finds its run: the id is in the run's key. */
const expiredRequests = `SELECT q.request_id AS id FROM slipway.run_requests q
  WHERE q.namespace = $1 AND q.requested_at < $2 AND (q.run_id IS NOT NULL OR q.refused IS NOT NULL)`;

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
  ['request', expiredRequests, 'run_requests', 'request_id', 'q'],
];

/** The stage of a version does not protect it. */
const isStageFree = (stage: string, keepStages: string): string =>
  `(${stage} = 'None' OR ${stage} <> ALL (${keepStages}::text[]))`;
const ALL_STAGES = ['Staging', 'Production', 'Archived'];

const retirableVersions = `SELECT model, version FROM (
    SELECT v.model, v.version, v.creation_time, v.stage, v.status,
        row_number() OVER (PARTITION BY v.model ORDER BY v.version DESC) AS rank
      FROM slipway.model_versions v WHERE v.namespace = $1 AND v.status <> 'DELETED') AS ranked
  WHERE rank > $2 AND creation_time < $3 AND ${isStageFree('stage', '$4')} AND status <> 'PENDING_REGISTRATION'
    AND NOT EXISTS (SELECT FROM slipway.model_aliases a WHERE (a.namespace, a.model, a.version) = ($1, ranked.model, ranked.version))
    AND NOT EXISTS (SELECT FROM slipway.version_uses u WHERE (u.namespace, u.model, u.version) = ($1, ranked.model, ranked.version))
  ORDER BY model, version`;

/** True when a policy gives anything up at all. */
const givesUp = ({ keepLast, createdBefore }: RetentionPolicy): boolean =>
  keepLast !== undefined || createdBefore !== undefined;

/** Deletes a version that has neither a stage to be kept nor an alias; the lock holds back whoever would give it one. */
const retire = (
  pool: Database,
  namespace: string,
  { model, version }: RetiredVersion,
  keepStages: readonly string[],
): Promise<boolean> =>
  transaction(pool, async (client) => {
    const key = [namespace, model, version];
    await query(
      client,
      'SELECT FROM slipway.model_versions WHERE (namespace, model, version) = ($1, $2, $3) FOR UPDATE',
      key,
    );
    const free = await query(
      client,
      `SELECT FROM slipway.model_versions v WHERE (v.namespace, v.model, v.version) = ($1, $2, $3) AND ${isStageFree('v.stage', '$4')}
         AND v.status <> 'DELETED' AND NOT EXISTS (SELECT FROM slipway.model_aliases a
           WHERE (a.namespace, a.model, a.version) = (v.namespace, v.model, v.version))`,
      [...key, keepStages],
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
    for (const [kind, select] of [...kinds, ['run', expiredRunsOfJobs] as const]) {
      const rows = await query<{ id: string | number }>(pool, select, [namespace, new Date(deletedBefore)]);
      found.push(...rows.map(({ id }) => ({ kind, id: String(id) })));
    }
    return found;
  },

  async purgeSome(namespace, deletedBefore) {
    const bared = await patiently(pool, bareRunsOfJobs, [namespace, new Date(deletedBefore)]);
    if (bared.length > 0) return bared.map((id) => ({ kind: 'run', id }));
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
    return query<RetiredVersion>(pool, retirableVersions, [
      ...[namespace, Math.max(1, policy.keepLast ?? 1), before, policy.keepStages ?? ALL_STAGES],
    ]);
  },

  retire: (namespace, version, { keepStages = ALL_STAGES }) => retire(pool, namespace, version, keepStages),

  async retirableRuns(namespace, { keepLast, endedBefore }) {
    if (keepLast === undefined && endedBefore === undefined) return [];
    const before = endedBefore === undefined ? 'infinity' : new Date(endedBefore);
    return patiently(pool, retirableRuns, [namespace, keepLast ?? 0, before]);
  },

  retireRuns: (namespace, runIds) =>
    patiently(
      pool,
      `UPDATE slipway.runs r SET lifecycle_stage = 'deleted', deleted_time = now()
         WHERE r.namespace = $1 AND r.run_id = ANY ($2) AND ${isFree} RETURNING r.run_id AS id`,
      [namespace, runIds],
    ),
});
