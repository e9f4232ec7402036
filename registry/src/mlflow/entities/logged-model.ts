/** A logged model (MLflow 3) as its clients read it. */
import type { LoggedModelEntity } from '@slipway/database';
import { doubleOut, unlessEmpty } from '../../http/parameters.ts';

type Metric = LoggedModelEntity['metrics'][number];

const metricJson = (metric: Metric, modelId: string): object => ({
  key: metric.key,
  value: doubleOut(metric.value),
  timestamp: metric.timestamp,
  step: metric.step,
  dataset_name: metric.datasetName || undefined,
  dataset_digest: metric.datasetDigest || undefined,
  model_id: modelId,
  run_id: metric.runId,
});

export const loggedModelJson = (model: LoggedModelEntity): object => ({
  info: {
    model_id: model.modelId,
    experiment_id: model.experimentId,
    name: model.name,
    creation_timestamp_ms: model.creationTime,
    last_updated_timestamp_ms: model.lastUpdatedTime,
    artifact_uri: model.artifactUri,
    status: model.status,
    model_type: model.modelType,
    source_run_id: model.sourceRunId ?? '',
    tags: unlessEmpty(model.tags),
  },
  data: {
    params: unlessEmpty(model.params),
    metrics: unlessEmpty(model.metrics.map((metric) => metricJson(metric, model.modelId))),
  },
});
