/** Experiments and runs. Times are milliseconds since the epoch, as on MLflow's wire. */

export type LifecycleStage = 'active' | 'deleted';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface ExperimentEntity {
  readonly experimentId: string;
  readonly name: string;
  readonly artifactLocation: string;
  readonly lifecycleStage: LifecycleStage;
  readonly creationTime: number;
  readonly lastUpdateTime: number;
  readonly tags: readonly KeyValue[];
}

export interface MetricPoint {
  readonly key: string;
  /** May be NaN or infinite. */
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

export interface DatasetInput {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema?: string | undefined;
  readonly profile?: string | undefined;
  readonly tags: readonly KeyValue[];
}

export interface ModelLink {
  readonly modelId: string;
  readonly step: number;
}

export type ClientRunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';

export interface RunEntity {
  readonly runId: string;
  readonly experimentId: string;
  readonly runName: string;
  readonly userId: string;
  readonly status: ClientRunStatus;
  readonly startTime: number;
  readonly endTime?: number | undefined;
  readonly artifactUri: string;
  readonly lifecycleStage: LifecycleStage;
  /** The point that counts, per metric. */
  readonly metrics: readonly MetricPoint[];
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly datasets: readonly DatasetInput[];
  readonly modelInputs: readonly ModelLink[];
  readonly modelOutputs: readonly ModelLink[];
}
