/** What is logged to a run: points, params, tags. Each call is one statement: all of it is there afterwards, or nothing. */
import { type Database, query } from '../pool.ts';
import { named } from './named.ts';
import type { Batch, BatchOutcome, KeyValue, LoggedPoint, MetricPoint, RunOutcome } from './types.ts';

export interface Logging {
  /** Logging the same point again changes nothing. */
  logMetric(namespace: string, runId: string, point: MetricPoint): Promise<RunOutcome>;
  logBatch(namespace: string, runId: string, batch: Batch): Promise<BatchOutcome>;
  /** Appends a model, as JSON, to the tag that clients before MLflow 3 read; `full`: the tag would become too long. */
  recordModel(namespace: string, runId: string, modelJson: string): Promise<RunOutcome | 'full'>;
}

const logMetric = {
  name: 'slipway-log-metric',
  text: 'SELECT slipway.log_metric($1, $2, $3, $4, $5, $6) AS stage',
};
const logBatch = { name: 'slipway-log-batch', text: 'SELECT slipway.log_batch($1, $2, $3::jsonb) AS outcome' };

const pointJson = ({ key, value, timestamp, step, modelId, datasetName, datasetDigest }: LoggedPoint): object => ({
  key,
  // JSON has no NaN and no infinity; Postgres reads the words.
  value: Number.isFinite(value) ? value : String(value),
  timestamp,
  step,
  model_id: modelId,
  dataset_name: datasetName,
  dataset_digest: datasetDigest,
});

const objectOf = (pairs: readonly KeyValue[]): Record<string, string> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, value]));

/** The batch as slipway.log_batch takes it: only what is there, so that nothing is locked for what is not. */
export function batchJson({ metrics = [], params = [], tags = [] }: Batch): string {
  const models = [...new Set(metrics.flatMap(({ modelId }) => (modelId === undefined ? [] : [modelId])))];
  return JSON.stringify({
    ...(metrics.length > 0 && { metrics: metrics.map(pointJson) }),
    ...(models.length > 0 && { models }),
    ...(params.length > 0 && { params: objectOf(params) }),
    ...(tags.length > 0 && { tags: objectOf(tags) }),
  });
}

export const openLogging = (pool: Database): Logging => ({
  async logMetric(namespace, runId, { key, value, timestamp, step }) {
    const values = [namespace, runId, key, value, timestamp, step];
    const [row] = await named<{ stage: RunOutcome }>(pool, { ...logMetric, values });
    return row?.stage ?? 'missing';
  },

  async logBatch(namespace, runId, batch) {
    const values = [namespace, runId, batchJson(batch)];
    const [row] = await named<{ outcome: BatchOutcome }>(pool, { ...logBatch, values });
    return row?.outcome ?? { stage: 'missing' };
  },

  async recordModel(namespace, runId, modelJson) {
    const [row] = await query<{ stage: RunOutcome | 'full' }>(
      pool,
      'SELECT slipway.record_model($1, $2, $3) AS stage',
      [namespace, runId, modelJson],
    );
    return row?.stage ?? 'missing';
  },
});
