import { type Queryable, query } from './pool.ts';
import type { DataSetFinder, RequestStore, RunRequest } from './types.ts';

interface RequestRow {
  namespace: string;
  request_id: string;
  training_job: string;
  requested_by: string;
  parameters: Record<string, string>;
  requested_at: Date;
  run_id: string | null;
  refused: string | null;
}

const columns = 'namespace, request_id, training_job, requested_by, parameters, requested_at, run_id, refused';

const requestFrom = (row: RequestRow): RunRequest => ({
  namespace: row.namespace,
  requestId: row.request_id,
  trainingJob: row.training_job,
  requestedBy: row.requested_by,
  parameters: row.parameters,
  requestedAt: row.requested_at.toISOString(),
  ...(row.run_id !== null && { runId: row.run_id }),
  ...(row.refused !== null && { refused: row.refused }),
});

/** Requests for runs in Postgres. None of these writes needs a leader: a row is added once, and answered once. */
export const requestStore = (pool: Queryable): RequestStore => ({
  async add({ namespace, requestId, trainingJob, requestedBy, parameters }) {
    await query(
      pool,
      `INSERT INTO slipway.run_requests (namespace, request_id, training_job, requested_by, parameters)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
      [namespace, requestId, trainingJob, requestedBy, JSON.stringify(parameters)],
    );
  },

  async find(namespace, requestId) {
    const [row] = await query<RequestRow>(
      pool,
      `SELECT ${columns} FROM slipway.run_requests WHERE namespace = $1 AND request_id = $2`,
      [namespace, requestId],
    );
    return row && requestFrom(row);
  },

  async pending(namespace, trainingJob) {
    const rows = await query<RequestRow>(
      pool,
      `SELECT ${columns} FROM slipway.run_requests
         WHERE namespace = $1 AND training_job = $2 AND run_id IS NULL AND refused IS NULL
         ORDER BY requested_at, request_id LIMIT 100`,
      [namespace, trainingJob],
    );
    return rows.map(requestFrom);
  },

  async countPending(namespace, trainingJob) {
    const [row] = await query<{ count: number }>(
      pool,
      `SELECT count(*)::int AS count FROM (SELECT FROM slipway.run_requests
         WHERE namespace = $1 AND training_job = $2 AND run_id IS NULL AND refused IS NULL LIMIT 1000) AS pending`,
      [namespace, trainingJob],
    );
    return row?.count ?? 0;
  },

  async unstarted(namespace, trainingJob) {
    const rows = await query<{ request_id: string }>(
      pool,
      `SELECT request_id FROM slipway.run_requests
         WHERE namespace = $1 AND training_job = $2 AND run_id IS NULL
         ORDER BY requested_at DESC, request_id LIMIT 500`,
      [namespace, trainingJob],
    );
    return rows.map(({ request_id }) => request_id);
  },

  async waiting() {
    const rows = await query<{ namespace: string; training_job: string }>(
      pool,
      `SELECT DISTINCT namespace, training_job FROM slipway.run_requests
         WHERE run_id IS NULL AND refused IS NULL LIMIT 1000`,
      [],
    );
    return rows.map(({ namespace, training_job }) => ({ namespace, trainingJob: training_job }));
  },

  async refuse(namespace, requestId, why) {
    await query(
      pool,
      `UPDATE slipway.run_requests SET refused = $3
         WHERE namespace = $1 AND request_id = $2 AND run_id IS NULL AND refused IS NULL`,
      [namespace, requestId, why],
    );
  },
});

/** The newest data set of a name. */
export const dataSetFinder = (pool: Queryable): DataSetFinder => ({
  async find(namespace, name) {
    const [row] = await query<{ upload: string; sha256: string }>(
      pool,
      `SELECT upload, sha256 FROM slipway.data_sets WHERE namespace = $1 AND name = $2
         ORDER BY stored_time DESC, upload LIMIT 1`,
      [namespace, name],
    );
    return row && { key: `${namespace}/data/${row.upload}/${name}`, sha256: row.sha256 };
  },
});
