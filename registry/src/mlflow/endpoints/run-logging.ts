/** What is logged to a run: metrics, params, tags, one by one or in a batch; and the models that old clients log by it. */
import type { Batch, BatchOutcome, KeyValue, LoggedPoint } from '@slipway/database';
import { z } from 'zod';
import { ApiError, invalid, missing } from '../../errors.ts';
import {
  integer,
  keyValues,
  list,
  requiredDouble,
  requiredInteger,
  requiredText,
  text,
} from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Call, type Endpoint, endpoint } from '../endpoint.ts';
import {
  checkBatchSize,
  checkMetric,
  checkParamsOnce,
  checkRunId,
  lastOfEach,
  paramFrom,
  quoted,
  RUN_NAME,
  tagFrom,
} from '../limits.ts';
import { expectActiveRun, ofRun, runOwner } from '../run-of.ts';

const point = {
  key: requiredText(),
  value: requiredDouble(),
  timestamp: requiredInteger(),
  step: integer(),
  model_id: text(),
  dataset_name: text(),
  dataset_digest: text(),
};

const pointFrom = (metric: z.output<z.ZodObject<typeof point>>): LoggedPoint => ({
  key: metric.key,
  value: metric.value,
  timestamp: metric.timestamp,
  step: metric.step ?? 0,
  modelId: metric.model_id || undefined,
  datasetName: metric.dataset_name || undefined,
  datasetDigest: metric.dataset_digest || undefined,
});

const modelUnknown = (modelId: string): ApiError =>
  new ApiError(
    'BAD_REQUEST',
    `Logged model with ID '${modelId}' not found. Create it first, or log the metric without a model_id.`,
  );

const paramsChanged = (changed: NonNullable<BatchOutcome['changed']>, runId: string): ApiError => {
  const shown = changed.map(
    ({ key, old, new: value }) => `{'key': ${quoted(key)}, 'old_value': ${quoted(old)}, 'new_value': ${quoted(value)}}`,
  );
  return invalid(
    `Changing param values is not allowed. Params were already logged='[${shown.join(', ')}]' for run ID='${runId}'.`,
  );
};

const paramChanged = (
  { key, old, new: value }: NonNullable<BatchOutcome['changed']>[number],
  runId: string,
): ApiError =>
  invalid(
    `Changing param values is not allowed. Param with key='${key}' was already logged with value='${old}' for run ID='${runId}'. Attempted logging new value '${value}'.`,
  );

/** Goes on when the whole batch was written. */
function expectWritten({ stage, changed, unknownModel }: BatchOutcome, runId: string): void {
  expectActiveRun(stage, runId);
  if (changed) throw paramsChanged(changed, runId);
  if (unknownModel !== undefined) throw modelUnknown(unknownModel);
}

/** An empty name is none: MLflow leaves the run's name as it is. */
const tagsFrom = (tags: readonly KeyValue[]): KeyValue[] =>
  lastOfEach(tags.filter(({ key, value }) => key !== RUN_NAME || value !== ''));

type RunOf = (call: Call, request: { run_id: string }) => Promise<string>;

const oneByOne = ({ tracking }: MlflowDeps, runOf: RunOf): readonly Endpoint[] => [
  endpoint({
    method: 'POST',
    path: 'runs/log-metric',
    access: 'write',
    request: ofRun(point),
    runOf,
    async answer({ namespace }, { run_id, ...metric }) {
      const logged = pointFrom(metric);
      checkMetric(logged);
      if (logged.modelId === undefined) expectActiveRun(await tracking.logMetric(namespace, run_id, logged), run_id);
      else expectWritten(await tracking.logBatch(namespace, run_id, { metrics: [logged] }), run_id);
      return {};
    },
  }),
  endpoint({
    method: 'POST',
    path: 'runs/log-parameter',
    access: 'write',
    request: ofRun({ key: requiredText(), value: text() }),
    runOf,
    async answer({ namespace }, { run_id, key, value = '' }) {
      const { stage, changed } = await tracking.logBatch(namespace, run_id, { params: [paramFrom({ key, value })] });
      expectActiveRun(stage, run_id);
      if (changed?.[0]) throw paramChanged(changed[0], run_id);
      return {};
    },
  }),
  endpoint({
    method: 'POST',
    path: 'runs/set-tag',
    access: 'write',
    request: ofRun({ key: requiredText(), value: text() }),
    runOf,
    async answer({ namespace }, { run_id, key, value = '' }) {
      const tags = tagsFrom([tagFrom({ key, value })]);
      expectWritten(await tracking.logBatch(namespace, run_id, { tags }), run_id);
      return {};
    },
  }),
  endpoint({
    method: 'POST',
    path: 'runs/delete-tag',
    access: 'write',
    request: ofRun({ key: requiredText() }),
    runOf,
    async answer({ namespace }, { run_id, key }) {
      const outcome = await tracking.deleteRunTag(namespace, run_id, key);
      if (outcome === 'tag-missing') throw missing(`No tag with name: ${key} in run with id ${run_id}`);
      expectActiveRun(outcome, run_id);
      return {};
    },
  }),
];

interface RawBatch {
  readonly metrics: readonly z.output<z.ZodObject<typeof point>>[];
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
}

/** The batch as it is kept, when all of it can be. */
function batchFrom(raw: RawBatch): Batch {
  const metrics = raw.metrics.map(pointFrom);
  for (const [index, metric] of metrics.entries()) checkMetric(metric, `metrics[${index}]`);
  const params = raw.params.map((param, index) => paramFrom(param, `params[${index}]`));
  const tags = raw.tags.map((tag, index) => tagFrom(tag, `tags[${index}]`));
  checkBatchSize(metrics.length, params.length, tags.length);
  checkParamsOnce(params);
  return { metrics, params, tags: tagsFrom(tags) };
}

const inBatches = ({ tracking }: MlflowDeps, runOf: RunOf): Endpoint =>
  endpoint({
    method: 'POST',
    path: 'runs/log-batch',
    access: 'write',
    request: ofRun({ metrics: list(z.object(point)), params: keyValues(), tags: keyValues() }),
    runOf,
    async answer({ namespace }, { run_id, ...raw }) {
      checkRunId(run_id);
      expectWritten(await tracking.logBatch(namespace, run_id, batchFrom(raw)), run_id);
      return {};
    },
  });

const mandatory = ['artifact_path', 'flavors', 'utc_time_created', 'run_id'];

/** The model in a request of an old client: what its MLmodel file says, as JSON. */
function modelFrom(json: string): Record<string, unknown> {
  let model: unknown;
  try {
    model = JSON.parse(json);
  } catch {
    throw invalid(`Malformed model info. \n ${json.slice(0, 1000)} \n is not a valid JSON.`);
  }
  if (typeof model !== 'object' || model === null || Array.isArray(model))
    throw invalid("Parameter 'model_json' must hold a JSON object.");
  const absent = mandatory.filter((field) => !(field in model));
  if (absent.length > 0)
    throw invalid(`Model json is missing mandatory fields: {${absent.map((field) => `'${field}'`).join(', ')}}`);
  return model as Record<string, unknown>;
}

const withoutConfig = (flavor: unknown): unknown => {
  if (typeof flavor !== 'object' || flavor === null || Array.isArray(flavor)) return flavor;
  const { config: _, ...rest } = flavor as Record<string, unknown>;
  return rest;
};

/** What the tag keeps of a model: where it is and how to load it, without its signature. */
const kept = ({ run_id, artifact_path, utc_time_created, model_uuid, flavors }: Record<string, unknown>): object => ({
  run_id,
  artifact_path,
  utc_time_created,
  model_uuid,
  flavors: Object.fromEntries(Object.entries(flavors ?? {}).map(([name, flavor]) => [name, withoutConfig(flavor)])),
});

/** JSON as Python writes it, with its spaces. A string in JSON holds no line break: each one below is between two values. */
const pythonJson = (value: object): string =>
  JSON.stringify(value, null, 1)
    .replace(/([{[])\n */g, '$1')
    .replace(/\n *([}\]])/g, '$1')
    .replace(/,\n */g, ', ');

/** What the tag keeps of a model, as text. Throws ApiError for one that is nested deeper than can be written. */
function keptText(model: Record<string, unknown>): string {
  try {
    return pythonJson(kept(model));
  } catch (error) {
    if (error instanceof RangeError) throw invalid("Parameter 'model_json' is nested too deeply.");
    throw error;
  }
}

const oldModels = ({ tracking }: MlflowDeps, runOf: RunOf): Endpoint =>
  endpoint({
    method: 'POST',
    path: 'runs/log-model',
    access: 'write',
    request: ofRun({ model_json: requiredText() }),
    runOf,
    async answer({ namespace }, { run_id, model_json }) {
      const model = keptText(modelFrom(model_json));
      if (/\\u(0000|d[89a-f])/.test(model))
        throw invalid(
          "Parameter 'model_json' holds a NUL character or half of a surrogate pair, which no text may hold.",
        );
      const outcome = await tracking.recordModel(namespace, run_id, model);
      if (outcome === 'full')
        throw invalid(`The run ${run_id} has logged too many models: its tag mlflow.log-model.history is full.`);
      expectActiveRun(outcome, run_id);
      return {};
    },
  });

export function runLoggingEndpoints(deps: MlflowDeps): readonly Endpoint[] {
  const runOf: RunOf = (call, { run_id }) => runOwner(deps.tracking, call, run_id);
  return [...oneByOne(deps, runOf), inBatches(deps, runOf), oldModels(deps, runOf)];
}
