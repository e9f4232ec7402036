/** The rows the rest of the program works with, and the stores behind which Postgres is hidden. Times are RFC 3339. */
import type { Artifact, Lineage, ModelSignature } from '@slipway/contract';

export type RunStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED';

export interface Run {
  readonly namespace: string;
  readonly runKey: string;
  readonly runId: string;
  readonly experimentId: string;
  /** The TrainingJob's generation this run was made for. */
  readonly generation: number;
  /** Digest of the part of the spec that asks for training. */
  readonly specDigest: string;
  readonly status: RunStatus;
  readonly startTime: string;
  readonly endTime?: string;
  /** The version the run published; absent while it runs, when it failed, and when nothing was to be registered. */
  readonly version?: number;
  /** The registered model that version belongs to. */
  readonly model?: string;
  /** Why it is FAILED or KILLED, as `fail` was told. */
  readonly failure?: { readonly reason: string; readonly message: string };
  /** Latest value by metric name. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface StartRun {
  readonly namespace: string;
  readonly experiment: string;
  readonly trainingJob: string;
  readonly ownerUid: string;
  readonly generation: number;
  readonly specDigest: string;
  readonly cause: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly startTime: string;
}

/** Runs as the operator sees them. Every call may be repeated. */
export interface RunStore {
  /**
   * The run for this generation: the one that exists (same generation, or the owner's latest run when its specDigest is
   * the same, so that an unrelated spec change trains nothing), or a new RUNNING row in the named experiment (made too).
   */
  start(run: StartRun): Promise<Run>;
  find(namespace: string, runKey: string): Promise<Run | undefined>;
  /** Closes a RUNNING run as failed by compare-and-set and returns the row as it is afterwards: FINISHED wins. */
  fail(
    namespace: string,
    runKey: string,
    failure: { status: 'FAILED' | 'KILLED'; reason: string; message: string; endTime: string },
  ): Promise<Run | undefined>;
}

export type VersionStatus = 'PENDING_REGISTRATION' | 'READY' | 'FAILED_REGISTRATION' | 'DELETED';

export interface ModelVersionRow {
  readonly namespace: string;
  readonly model: string;
  readonly version: number;
  readonly status: VersionStatus;
  readonly statusMessage: string;
  readonly sourceUri: string;
  readonly format: 'onnx';
  /** Absent until `verify` has counted the files of a version somebody brought. */
  readonly artifact?: Artifact;
  readonly signature?: ModelSignature;
  readonly experimentId?: string;
  readonly runId?: string;
  readonly lineage: Lineage;
  readonly creationTime: string;
}

/** Model versions as the operator sees them. Every call may be repeated. */
export interface VersionStore {
  find(namespace: string, model: string, version: number): Promise<ModelVersionRow | undefined>;
  /** All versions of the namespace that are not DELETED, newest first. */
  list(namespace: string): Promise<readonly ModelVersionRow[]>;
  /** Numbers a version somebody brought as an object, once per object uid. */
  registerBrought(brought: {
    namespace: string;
    model: string;
    sourceUri: string;
    objectUid: string;
    creationTime: string;
  }): Promise<ModelVersionRow>;
  /** Records what `verify` concluded; `artifact` only for a version that came without digests. */
  recordVerification(
    namespace: string,
    model: string,
    version: number,
    result: {
      status: 'READY' | 'FAILED_REGISTRATION';
      message: string;
      artifact?: Artifact;
      signature?: ModelSignature;
    },
  ): Promise<void>;
  /** Marks the version DELETED (its number is never given again) and appends the event. */
  delete(namespace: string, model: string, version: number, actor: string): Promise<void>;
}

export interface TenantStore {
  /**
   * Binds the namespace name to this namespace's uid. Throws TenantConflictError when the name belongs to an earlier
   * namespace of the same name, unless `adoptUid` names that earlier uid.
   */
  claim(namespace: string, namespaceUid: string, adoptUid?: string): Promise<void>;
  /** Makes the tenant's login role (hashed name) with this password; it may call what publishing needs and no more. */
  ensureRole(namespace: string, password: string): Promise<{ username: string }>;
}

/** The name is taken by the data of an earlier namespace. */
export class TenantConflictError extends Error {
  override readonly name = 'TenantConflictError';
  readonly earlierUid: string;
  constructor(namespace: string, earlierUid: string) {
    super(`namespace ${namespace} holds data of an earlier namespace of that name (uid ${earlierUid})`);
    this.earlierUid = earlierUid;
  }
}

/** Postgres did not answer, or answered that it cannot now (starting, failing over, out of connections). Retry. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError';
}

/** This process is no longer the leader: a newer one has written since. Nothing was written. The process should exit. */
export class StaleLeaderError extends Error {
  override readonly name = 'StaleLeaderError';
}

/** The publication is wrong (not this tenant's run, bytes elsewhere, too large): repeating it cannot help. */
export class PublishRefusedError extends Error {
  override readonly name = 'PublishRefusedError';
}

/** A namespace must be claimed (TenantStore.claim) before anything is stored for it. */
export class UnclaimedNamespaceError extends Error {
  override readonly name = 'UnclaimedNamespaceError';
}

/** The main user may not create roles: it lacks CREATEROLE. */
export class RoleDeniedError extends Error {
  override readonly name = 'RoleDeniedError';
}
