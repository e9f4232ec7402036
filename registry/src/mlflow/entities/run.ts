/** A run as MLflow's clients read it. */
import type { DatasetInput, MetricPoint, RunEntity } from '@slipway/database';
import { doubleOut, unlessEmpty } from '../../http/parameters.ts';

/** Who and when, without what was logged. Clients of all ages find the id: the older name of it is sent too. */
export const runInfoJson = (run: RunEntity): object => ({
  run_uuid: run.runId,
  experiment_id: run.experimentId,
  run_name: run.runName,
  user_id: run.userId,
  status: run.status,
  start_time: run.startTime,
  // A time of 0 means none to MLflow.
  end_time: run.endTime || undefined,
  artifact_uri: run.artifactUri,
  lifecycle_stage: run.lifecycleStage,
  run_id: run.runId,
});

/** One point of a metric. */
export const metricJson = ({ key, value, timestamp, step }: MetricPoint): object => ({
  key,
  value: doubleOut(value),
  timestamp,
  step,
});

const datasetJson = ({ tags, name, digest, sourceType, source, schema, profile }: DatasetInput): object => ({
  tags: unlessEmpty(tags),
  dataset: { name, digest, source_type: sourceType, source, schema, profile },
});

const dataJson = (run: RunEntity): object => ({
  metrics: unlessEmpty(run.metrics.map(metricJson)),
  params: unlessEmpty(run.params),
  tags: unlessEmpty(run.tags),
});

/** A run just made, which MLflow answers without its outputs. */
export const newRunJson = (run: RunEntity): object => ({ info: runInfoJson(run), data: dataJson(run), inputs: {} });

/** The whole run. */
export const runJson = (run: RunEntity): object => ({
  info: runInfoJson(run),
  data: dataJson(run),
  inputs: {
    dataset_inputs: unlessEmpty(run.datasets.map(datasetJson)),
    model_inputs: unlessEmpty(run.modelInputs.map(({ modelId }) => ({ model_id: modelId }))),
  },
  outputs: { model_outputs: unlessEmpty(run.modelOutputs.map(({ modelId, step }) => ({ model_id: modelId, step }))) },
});
