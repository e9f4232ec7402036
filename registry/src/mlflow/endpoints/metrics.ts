/** The history of metrics: in pages for clients, as even samples and in bulk for pages that draw them. */
import type { HistoryPlace, RunMetricPoint } from '@slipway/database';
import { z } from 'zod';
import { invalid } from '../../errors.ts';
import { integer, list, requiredText, text, unlessEmpty } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { metricJson } from '../entities/run.ts';
import { ofRun } from '../run-of.ts';

/** As many points as one answer of MLflow holds. */
const MAX_POINTS = 25_000;
const MAX_RUNS = 100;
const MAX_SAMPLE = 2500;
const SEE_DOCS = 'See the API docs for more information about request parameters.';

/** A place in a history as an opaque token. */
export const pageToken = ({ timestamp, step, value }: HistoryPlace): string =>
  Buffer.from(JSON.stringify([timestamp, step, String(value)])).toString('base64url');

const asNumber = z
  .string()
  .refine((text) => String(Number(text)) === text)
  .transform(Number);
const place = z.tuple([z.int(), z.int(), asNumber]);

/** The place a token stands for; throws for a text that this server did not give. */
export function placeFrom(token: string): HistoryPlace {
  try {
    const [timestamp, step, value] = place.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')));
    return { timestamp, step, value };
  } catch {
    throw invalid(
      `Invalid page token, could not base64-decode '${token.slice(0, 100)}': give the next_page_token of the answer before, or none.`,
    );
  }
}

const runPointJson = ({ runId, ...point }: RunMetricPoint): object => ({ ...metricJson(point), run_id: runId });

const inPages = ({ tracking }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'GET',
    path: 'metrics/get-history',
    access: 'read',
    request: ofRun({ metric_key: requiredText(), max_results: integer(), page_token: text() }),
    async answer({ namespace }, { run_id, metric_key, max_results, page_token }) {
      if (max_results !== undefined && max_results <= 0)
        throw invalid(
          `Invalid value ${max_results} for parameter 'max_results' supplied. It must be a positive integer.`,
        );
      const { points, next } = await tracking.metricHistory(namespace, {
        runId: run_id,
        key: metric_key,
        limit: max_results === undefined ? undefined : Math.min(max_results, MAX_POINTS),
        after: page_token ? placeFrom(page_token) : undefined,
      });
      return { metrics: unlessEmpty(points.map(metricJson)), next_page_token: next && pageToken(next) };
    },
  });

const inBulk = ({ tracking }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'GET',
    path: 'metrics/get-history-bulk',
    access: 'read',
    request: z.object({ run_id: list(requiredText()), metric_key: text(), max_results: integer() }),
    async answer({ namespace }, { run_id: runIds, metric_key: key, max_results = MAX_POINTS }) {
      if (runIds.length === 0) throw invalid('GetMetricHistoryBulk request must specify at least one run_id.');
      if (runIds.length > MAX_RUNS)
        throw invalid(
          `GetMetricHistoryBulk request cannot specify more than ${MAX_RUNS} run_ids. Received ${runIds.length} run_ids.`,
        );
      if (key === undefined) throw invalid('GetMetricHistoryBulk request must specify a metric_key.');
      if (max_results < 0)
        throw invalid(
          `Invalid value ${max_results} for parameter 'max_results' supplied. It must be a positive integer.`,
        );
      const limit = Math.min(max_results, MAX_POINTS);
      return { metrics: (await tracking.metricHistoryOfRuns(namespace, { runIds, key, limit })).map(runPointJson) };
    },
  });

/** The steps that are asked for: both ends or none. */
function stepsFrom(first: number | undefined, last: number | undefined) {
  if (first === undefined && last === undefined) return undefined;
  if (first === undefined || last === undefined)
    throw invalid('If either start step or end step are specified, both must be specified.');
  if (first > last)
    throw invalid(`end_step must be greater than start_step. Found start_step=${first} and end_step=${last}.`);
  return { first, last };
}

const sampled = ({ tracking }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'GET',
    path: 'metrics/get-history-bulk-interval',
    access: 'read',
    request: z.object({
      run_ids: list(requiredText()).refine((ids) => ids.length > 0, 'missing'),
      metric_key: requiredText(),
      start_step: integer(),
      end_step: integer(),
      max_results: integer(),
    }),
    async answer({ namespace }, { run_ids: runIds, metric_key: key, start_step, end_step, max_results }) {
      if (runIds.length > MAX_RUNS)
        throw invalid(
          `GetMetricHistoryBulkInterval request must specify at most ${MAX_RUNS} run_ids. Received ${runIds.length} run_ids. ${SEE_DOCS}`,
        );
      const limit = max_results ?? MAX_SAMPLE;
      if (limit < 1 || limit > MAX_SAMPLE)
        throw invalid(`max_results must be between 1 and ${MAX_SAMPLE}. ${SEE_DOCS}`);
      const steps = stepsFrom(start_step, end_step);
      const points = await tracking.sampleMetricHistory(namespace, { runIds, key, limit, steps });
      return { metrics: unlessEmpty(points.map(runPointJson)) };
    },
  });

export const metricsEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [inPages(deps), inBulk(deps), sampled(deps)];
