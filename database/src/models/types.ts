/** Registered models and versions. Times are milliseconds since the epoch, as on MLflow's wire. */
import type { Artifact } from '@slipway/contract';
import type { KeyValue } from '../tracking/types.ts';

export interface VersionEntity {
  readonly model: string;
  readonly version: number;
  readonly creationTime: number;
  readonly lastUpdatedTime: number;
  /** Empty and absent are two things on MLflow's wire. */
  readonly description?: string | undefined;
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

/** Names one version of a namespace. */
export interface VersionKey {
  readonly model: string;
  readonly version: number;
}

/** A version to be registered; its number is given by the registry. */
export interface NewVersion {
  readonly model: string;
  readonly sourceUri: string;
  readonly clientSource: string;
  readonly format: 'onnx' | 'mlflow';
  readonly status: 'PENDING_REGISTRATION' | 'READY';
  /** What the bytes are by digest, when that is known now. */
  readonly artifact?: Artifact | undefined;
  readonly runId?: string | undefined;
  readonly runLink: string;
  readonly loggedModelId?: string | undefined;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Who uses which version. */
export interface VersionUse {
  readonly version: number;
  readonly services: readonly string[];
}

/** What became of a deletion: `used` names the InferenceServices that forbid it, and nothing was changed. */
export type Deletion = { readonly done: true } | { readonly missing: true } | { readonly used: readonly VersionUse[] };

/** What became of a renaming. A deleted model keeps its name, and so the numbers given under it. */
export type Renaming =
  | { readonly model: RegisteredModelEntity }
  | { readonly missing: true }
  | { readonly used: readonly VersionUse[] }
  | { readonly taken: 'active' | 'deleted' };

/** The version an alias points to; which of the two is not there otherwise. */
export type AliasTarget = { readonly version: VersionEntity } | { readonly missing: 'model' | 'alias' };
