/** Registered models and versions. Times are milliseconds since the epoch, as on MLflow's wire. */
import type { KeyValue } from '../tracking/types.ts';

export interface VersionEntity {
  readonly model: string;
  readonly version: number;
  readonly creationTime: number;
  readonly lastUpdatedTime: number;
  readonly description: string;
  readonly stage: string;
  readonly status: 'PENDING_REGISTRATION' | 'READY' | 'FAILED_REGISTRATION';
  readonly statusMessage: string;
  /** Where the bytes are, as stored: s3://<bucket>/<namespace>/… for what lies in our store. */
  readonly sourceUri: string;
  /** The source in the client's words; absent for versions that no client registered. */
  readonly clientSource?: string | undefined;
  readonly runId?: string | undefined;
  readonly runLink: string;
  readonly loggedModelId?: string | undefined;
  readonly tags: readonly KeyValue[];
  readonly aliases: readonly string[];
}

export interface RegisteredModelEntity {
  readonly name: string;
  readonly creationTime: number;
  readonly lastUpdatedTime: number;
  readonly description: string;
  readonly tags: readonly KeyValue[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
  /** The newest version of each stage that has one. */
  readonly latestVersions: readonly VersionEntity[];
}
