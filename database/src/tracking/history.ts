/** Every point of a metric, in pages or as an even sample. */
import { type Database, query } from '../pool.ts';
import type { HistoryPage, HistoryPlace, MetricPoint, RunMetricPoint } from './types.ts';

export interface HistoryRequest {
  readonly runId: string;
  readonly key: string;
  /** Absent: everything. */
  readonly limit?: number | undefined;
  readonly after?: HistoryPlace | undefined;
}

export interface SampleRequest {
  readonly runIds: readonly string[];
  readonly key: string;
  /** Points per run; at least 1. */
  readonly limit: number;
  /** Both ends belong to it. */
  readonly steps?: { readonly first: number; readonly last: number } | undefined;
}

export interface History {
  /** By time, then step, then value. A run or a metric that is not there has no points. */
  metricHistory(namespace: string, request: HistoryRequest): Promise<HistoryPage>;
  /** Points of several runs by run, time, step and value: `limit` of them in all. */
  metricHistoryOfRuns(namespace: string, request: Omit<SampleRequest, 'steps'>): Promise<RunMetricPoint[]>;
  /**
   * At most `limit` points of each run, evenly spread over the points in order of their steps; the last one is always
   * there, and with room for two the first one too. Of a metric with very many points they are spread over time
   * instead. Runs in the order asked for.
   */
  sampleMetricHistory(namespace: string, request: SampleRequest): Promise<RunMetricPoint[]>;
}

interface PointRow {
  run_id: string;
  value: number;
  timestamp: string;
  step: string;
}

const pointFrom = (key: string, row: Omit<PointRow, 'run_id'>): MetricPoint => ({
  key,
  value: row.value,
  timestamp: Number(row.timestamp),
  step: Number(row.step),
});
const runPointFrom = (key: string, row: PointRow): RunMetricPoint => ({ ...pointFrom(key, row), runId: row.run_id });

async function page(
  pool: Database,
  namespace: string,
  { runId, key, limit, after }: HistoryRequest,
): Promise<HistoryPage> {
  const place = after ? [after.timestamp, after.step, after.value] : [];
  const rows = await query<Omit<PointRow, 'run_id'>>(
    pool,
    `SELECT value, "timestamp", step FROM slipway.metrics
       WHERE namespace = $1 AND run_id = $2 AND key = $3
         ${after ? 'AND ("timestamp", step, value) > ($5::bigint, $6::bigint, $7::double precision)' : ''}
       ORDER BY "timestamp", step, value LIMIT $4`,
    [namespace, runId, key, limit === undefined ? null : limit + 1, ...place],
  );
  const points = rows.map((row) => pointFrom(key, row));
  if (limit === undefined || points.length <= limit) return { points };
  return { points: points.slice(0, limit), next: points[limit - 1] };
}

/** A metric with more points than this is sampled in the order in which they are stored: sorting them would take seconds. */
const MOST_SORTED = 50_000;

const pointsOf = `FROM slipway.metrics
      WHERE namespace = $1 AND run_id = w.run_id AND key = $3 AND ($5::bigint IS NULL OR step BETWEEN $5 AND $6::bigint)`;
const placed = (order: string) =>
  `SELECT value, "timestamp", step, row_number() OVER (ORDER BY ${order}) - 1 AS place ${pointsOf}`;
const bySteps = `step, "timestamp", slipway.rank_of(value), value = 'NaN'`;

// The points are dealt into `limit` buckets, the first `rest` of them one larger than the others (`size`); the first of each
// bucket is taken, and of the last one the last. All from a point's place, so that a long history is gone through once.
const sampleText = `SELECT w.run_id, s.value, s."timestamp", s.step
  FROM unnest($2::text[]) WITH ORDINALITY AS w (run_id, nth), LATERAL (
    SELECT count(*) AS total, count(*) / $4::integer AS size, count(*) % $4::integer AS rest ${pointsOf}
  ) AS c, LATERAL (
    SELECT * FROM (${placed(bySteps)}) AS few WHERE c.total <= ${MOST_SORTED}
    UNION ALL SELECT * FROM (${placed('"timestamp", step, value')}) AS many WHERE c.total > ${MOST_SORTED}
  ) AS s
  WHERE CASE
    WHEN s.place = c.total - 1 OR c.size = 0 THEN true
    WHEN s.place < c.rest * (c.size + 1) THEN s.place % (c.size + 1) = 0 AND $4 > 1
    ELSE (s.place - c.rest * (c.size + 1)) % c.size = 0 AND s.place < c.total - c.size
  END
  ORDER BY w.nth, s.step, s."timestamp", slipway.rank_of(s.value), s.value = 'NaN'`;

export const openHistory = (pool: Database): History => ({
  metricHistory: (namespace, request) => page(pool, namespace, request),

  async metricHistoryOfRuns(namespace, { runIds, key, limit }) {
    const rows = await query<PointRow>(
      pool,
      `SELECT run_id, value, "timestamp", step FROM slipway.metrics
         WHERE namespace = $1 AND run_id = ANY ($2::text[]) AND key = $3
         ORDER BY run_id, "timestamp", step, value LIMIT $4`,
      [namespace, runIds, key, limit],
    );
    return rows.map((row) => runPointFrom(key, row));
  },

  async sampleMetricHistory(namespace, { runIds, key, limit, steps }) {
    const values = [namespace, runIds, key, limit, steps?.first ?? null, steps?.last ?? null];
    const rows = await query<PointRow>(pool, sampleText, values);
    return rows.map((row) => runPointFrom(key, row));
  },
});
