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

/** Where an experiment or a run was found; only an active one was written to. */
export type ExperimentOutcome = LifecycleStage | 'missing';
export type RunOutcome = LifecycleStage | 'missing';

export interface NewExperiment {
  readonly name: string;
  /** Absent: a folder of the namespace's own bucket. */
  readonly artifactLocation?: string | undefined;
  /** Each key once. */
  readonly tags: readonly KeyValue[];
}

export interface NewRun {
  readonly runId: string;
  readonly experimentId: string;
  readonly runName: string;
  readonly userId: string;
  readonly startTime: number;
  /** Each key once. */
  readonly tags: readonly KeyValue[];
}

export interface RunUpdate {
  readonly status?: ClientRunStatus | undefined;
  readonly endTime?: number | undefined;
  readonly runName?: string | undefined;
}

export interface LoggedPoint extends MetricPoint {
  /** The logged model the point also belongs to. */
  readonly modelId?: string | undefined;
  readonly datasetName?: string | undefined;
  readonly datasetDigest?: string | undefined;
}

/** What is logged at once. Keys of params and of tags are each there once. */
export interface Batch {
  readonly metrics?: readonly LoggedPoint[] | undefined;
  readonly params?: readonly KeyValue[] | undefined;
  readonly tags?: readonly KeyValue[] | undefined;
}

export interface ChangedParam {
  readonly key: string;
  readonly old: string;
  readonly new: string;
}

/** All of a batch was written when the run is active and nothing else is said. */
export interface BatchOutcome {
  readonly stage: RunOutcome;
  /** Params that have another value already. */
  readonly changed?: readonly ChangedParam[] | undefined;
  /** A model that a metric names and that was never logged. */
  readonly unknownModel?: string | undefined;
}

export interface RunMetricPoint extends MetricPoint {
  readonly runId: string;
}

/** Where a page of a metric's history ended. */
export interface HistoryPlace {
  readonly timestamp: number;
  readonly step: number;
  readonly value: number;
}

export interface HistoryPage {
  readonly points: readonly MetricPoint[];
  /** Where the next page begins; undefined on the last. */
  readonly next?: HistoryPlace | undefined;
}
