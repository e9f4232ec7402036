/** Logged models. Times are milliseconds since the epoch, as on MLflow's wire. */
import type { KeyValue, MetricPoint } from '../tracking/types.ts';

export type LoggedModelStatus = 'LOGGED_MODEL_PENDING' | 'LOGGED_MODEL_READY' | 'LOGGED_MODEL_UPLOAD_FAILED';

export interface LoggedModelMetric extends MetricPoint {
  readonly runId: string;
  /** Empty: of no data set. */
  readonly datasetName: string;
  readonly datasetDigest: string;
}

export interface LoggedModelEntity {
  readonly modelId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly status: LoggedModelStatus;
  readonly modelType: string;
  readonly sourceRunId?: string | undefined;
  readonly artifactUri: string;
  readonly creationTime: number;
  readonly lastUpdatedTime: number;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly metrics: readonly LoggedModelMetric[];
}

/** Where the files of a logged model are, and which run made it. */
export type LoggedModelPlace = Pick<LoggedModelEntity, 'modelId' | 'artifactUri' | 'sourceRunId'>;

export interface NewLoggedModel {
  readonly modelId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly modelType: string;
  readonly sourceRunId?: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** What became of a new logged model. */
export type LoggedModelCreation =
  | { readonly model: LoggedModelEntity }
  | { readonly experiment: 'missing' | 'deleted' };
