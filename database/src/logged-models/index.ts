/** Logged models (MLflow 3): what a run logged, registered or not. */
import type { Database } from '../pool.ts';
import type { KeyValue } from '../tracking/types.ts';

export interface LoggedModelEntity {
  readonly modelId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly status: 'LOGGED_MODEL_PENDING' | 'LOGGED_MODEL_READY' | 'LOGGED_MODEL_UPLOAD_FAILED';
  readonly modelType: string;
  readonly sourceRunId?: string | undefined;
  readonly artifactUri: string;
  readonly creationTime: number;
  readonly lastUpdatedTime: number;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly metrics: readonly {
    readonly key: string;
    readonly value: number;
    readonly timestamp: number;
    readonly step: number;
    readonly runId: string;
    readonly datasetName: string;
    readonly datasetDigest: string;
  }[];
}

export interface LoggedModels {
  /** In the order of the ids; one that is not there (or is deleted) is left out. */
  byId(namespace: string, modelIds: readonly string[]): Promise<LoggedModelEntity[]>;
}

export const openLoggedModels = (_pool: Database): LoggedModels => ({ byId: async () => [] });
