/** The rows the rest of the program works with, and the stores behind which Postgres is hidden. Times are RFC 3339. */
import type { Artifact, Conversion, GateVerdict, Lineage, ModelSignature } from '@slipway/contract';

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
  /** Why it was started: Created, SpecChanged, Schedule, Manual, Api or Search. */
  readonly cause: string;
  /** The tick it stands for; absent for a run that no schedule asked for. */
  readonly scheduledTime?: string;
  /** As `start` was told; absent for runs of before that was kept. */
  readonly spec?: unknown;
  readonly parameters: Readonly<Record<string, string>>;
  /** The search whose trial this is. */
  readonly parentRunKey?: string;
  /** What its gates came to; absent: there were none, or it has not published. */
  readonly gate?: GateVerdict;
  /** The text of the tag `slipway.progress`, as somebody who may write to the run set it. */
  readonly progress?: string;
}

export interface StartRun {
  readonly namespace: string;
  readonly experiment: string;
  readonly trainingJob: string;
  readonly ownerUid: string;
  readonly runKey: string;
  readonly generation: number;
  readonly specDigest: string;
  /** What the run's Job is made from, now and whenever it has to be made again. */
  readonly spec: unknown;
  readonly cause: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly startTime: string;
  readonly scheduledTime?: string;
  /** The search whose trial this is. */
  readonly parentRunKey?: string;
  /** False: tracking clients see nothing of the run, and no parameter of it is kept. */
  readonly isTracked: boolean;
  /** The request this run answers: it is no longer pending afterwards. */
  readonly requestId?: string;
}

/** Runs as the operator sees them. Every call may be repeated. */
export interface RunStore {
  /** The run of that key as it is, or a new RUNNING row in the named experiment (made too). */
  start(run: StartRun): Promise<Run>;
  find(namespace: string, runKey: string): Promise<Run | undefined>;
  /** As `find`, by the id of the run; a run that no TrainingJob made is not found. */
  findById(namespace: string, runId: string): Promise<Run | undefined>;
  /** Runs of a TrainingJob, trials not among them: all that go on and the newest `ended` of the others, newest first. */
  list(namespace: string, ownerUid: string, ended: number): Promise<readonly Run[]>;
  /** The trials of a search, in the order of their numbers. */
  trials(namespace: string, searchKey: string): Promise<readonly Run[]>;
  /** Closes a RUNNING run as failed by compare-and-set and returns the row as it is afterwards: FINISHED wins. */
  fail(
    namespace: string,
    runKey: string,
    failure: { status: 'FAILED' | 'KILLED'; reason: string; message: string; endTime: string },
  ): Promise<Run | undefined>;
  /**
   * Ends a search: it becomes FINISHED with the metrics of its best trial, whose candidate is registered (stage, aliases and
   * tags too, unless its gates failed), all in one transaction. A search that has ended is returned as it is.
   */
  concludeSearch(
    namespace: string,
    searchKey: string,
    best: { readonly trialKey: string; readonly endTime: string },
  ): Promise<Run | undefined>;
}

/** A run that a client of a service asked for. */
export interface RunRequest {
  readonly namespace: string;
  readonly requestId: string;
  readonly trainingJob: string;
  readonly requestedBy: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly requestedAt: string;
  /** Once it has been started. */
  readonly runId?: string;
  /** Why no run comes of it. */
  readonly refused?: string;
}

/** Requests for runs. Inserting one takes no leader: any replica may. */
export interface RequestStore {
  /** Inserts it; the same id again changes nothing. */
  add(
    request: Pick<RunRequest, 'namespace' | 'requestId' | 'trainingJob' | 'requestedBy' | 'parameters'>,
  ): Promise<void>;
  find(namespace: string, requestId: string): Promise<RunRequest | undefined>;
  /** Neither started nor refused, oldest first, at most 100. */
  pending(namespace: string, trainingJob: string): Promise<readonly RunRequest[]>;
  /** How many are pending; counted no further than 1000. */
  countPending(namespace: string, trainingJob: string): Promise<number>;
  /** Ids of those that have no run, refused ones among them, newest first, at most 500. */
  unstarted(namespace: string, trainingJob: string): Promise<readonly string[]>;
  /** The TrainingJobs that have pending requests, at most 1000. */
  waiting(): Promise<readonly { readonly namespace: string; readonly trainingJob: string }[]>;
  refuse(namespace: string, requestId: string, why: string): Promise<void>;
}

/** Data sets as a run needs them: by name, to the bytes that name stands for now. */
export interface DataSetFinder {
  /** `key` is the object's key in the bucket. */
  find(namespace: string, name: string): Promise<{ readonly key: string; readonly sha256: string } | undefined>;
}

export type VersionStatus = 'PENDING_REGISTRATION' | 'READY' | 'FAILED_REGISTRATION' | 'DELETED';

export interface VersionRef {
  readonly namespace: string;
  readonly model: string;
  readonly version: number;
}

/** What people may change of a version. */
export interface VersionLabels {
  /** None, Staging, Production or Archived. */
  readonly stage: string;
  /** In order. */
  readonly aliases: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  /** Empty when there is none. */
  readonly description: string;
}

/** The proven ONNX made of a version that is stored as something else. */
export interface DerivedModel {
  readonly artifact: Artifact;
  readonly signature?: ModelSignature;
  readonly conversion: Conversion;
  /** What was proven, in words. */
  readonly message: string;
}

export interface ModelVersionRow extends VersionRef, VersionLabels {
  /** The row's small name, as notifications tell it. */
  readonly versionKey: string;
  readonly status: VersionStatus;
  readonly statusMessage: string;
  readonly sourceUri: string;
  /** `mlflow`: a model folder without an ONNX flavour, tracked, and served only by what is derived from it. */
  readonly format: 'onnx' | 'mlflow';
  /** The uid of the object by which somebody brought this version. */
  readonly objectUid?: string;
  /** Absent until `verify` has counted the files of a version somebody brought. */
  readonly artifact?: Artifact;
  readonly signature?: ModelSignature;
  readonly experimentId?: string;
  readonly runId?: string;
  readonly lineage: Lineage;
  readonly creationTime: string;
  /** What it was converted to. */
  readonly derived?: DerivedModel;
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
    /** Onnx when absent. */
    format?: ModelVersionRow['format'];
    objectUid: string;
    creationTime: string;
  }): Promise<ModelVersionRow>;
  /** What registerBrought numbered for that object, under whatever name its model has now. */
  findBrought(namespace: string, objectUid: string): Promise<ModelVersionRow | undefined>;
  /**
   * Records what `verify` concluded; `artifact` only for a version that came without digests. A version that becomes READY
   * gets the stage and the aliases it was registered for, in the same transaction; one that failed never does.
   */
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
  /**
   * Records what a version was converted to, with its event; the first one stays. Resolves with what is recorded then;
   * undefined when there is no such version (any more).
   */
  recordConversion(
    namespace: string,
    model: string,
    version: number,
    derived: DerivedModel,
  ): Promise<DerivedModel | undefined>;
  /**
   * Marks the version DELETED (its number is never given again) and appends the event, unless a service uses it: then
   * nothing changes and the names of the services come back. Uses by services that are not in `services` (those that
   * exist) do not count. Empty: it is deleted, now or before.
   */
  delete(
    ref: VersionRef,
    by: { readonly actor: string; readonly services: readonly string[] },
  ): Promise<readonly string[]>;
  /**
   * Changes what people may change, in one transaction with its events: `decide` sees the row as it is, locked. Resolves
   * with the row afterwards; undefined when there is no such version (any more).
   */
  edit(
    ref: VersionRef,
    actor: string,
    decide: (row: ModelVersionRow) => VersionEdit,
  ): Promise<ModelVersionRow | undefined>;
  /** True when a model of that name has got another name since: its versions are found under that one. */
  isRenamed(namespace: string, model: string): Promise<boolean>;
  /** The versions of that model each of these aliases points to; an alias that points nowhere is left out. */
  aliasHolders(namespace: string, model: string, aliases: readonly string[]): Promise<Readonly<Record<string, number>>>;
}

/** What is to be changed of a version; what is absent stays. */
export interface VersionEdit {
  readonly stage?: string;
  /** An alias that another version has is taken from it. */
  readonly aliases?: { readonly set: readonly string[]; readonly delete: readonly string[] };
  readonly tags?: { readonly set: Readonly<Record<string, string>>; readonly delete: readonly string[] };
  readonly description?: string;
}

/** Which InferenceServices use which versions: whoever deletes a version looks here, under the version's lock. */
export interface UseStore {
  /**
   * After this the service uses exactly those of `versions` that come back: the others do not exist (any more). What it
   * used before and is not named is let go.
   */
  hold(service: ServiceRef, model: string, versions: readonly number[]): Promise<readonly number[]>;
  /** The service uses nothing any more. */
  release(service: ServiceRef): Promise<void>;
  /** Every service of the namespace that uses anything, by name. */
  services(namespace: string): Promise<readonly string[]>;
}

export interface ServiceRef {
  readonly namespace: string;
  readonly service: string;
}

/** The part of a version's row that decides whether and how it is mirrored as an object. */
export interface MirroredRow extends VersionRef, VersionLabels {
  readonly versionKey: string;
  readonly status: VersionStatus;
  readonly objectUid?: string;
  /** It belongs into the cluster: staged, aliased, in use, not verified yet, or among the newest of its model; and no prompt. */
  readonly isWanted: boolean;
}

/** Versions as whoever mirrors them into the cluster reads them; never more than a page at a time. */
export interface MirrorFeed {
  /**
   * Tells the key of every version that changes, until the signal fires. Notifications are lost while the connection is:
   * `onConnected` is called after each (re)connection, and then everything has to be compared. Never throws.
   */
  listen(handlers: {
    readonly onConnected: () => void;
    readonly onKey: (versionKey: string) => void;
    readonly onLost?: (error: unknown) => void;
    readonly signal: AbortSignal;
  }): Promise<void>;
  find(versionKey: string): Promise<MirroredRow | undefined>;
  /** As `find`, by its name. */
  findVersion(ref: VersionRef): Promise<MirroredRow | undefined>;
  /** Namespaces that have data, and the uid of the namespace it belongs to. */
  tenants(): Promise<readonly { readonly namespace: string; readonly uid: string }[]>;
  /** The wanted versions of the models that come after `after`, a few models at a time; `last` absent: there are no more. */
  page(namespace: string, after: string): Promise<{ readonly rows: readonly MirroredRow[]; readonly last?: string }>;
  /** Runs of TrainingJobs of this namespace that go on. */
  openRuns(namespace: string): Promise<readonly OpenRun[]>;
}

export interface OpenRun {
  readonly runKey: string;
  readonly trainingJob: string;
  readonly ownerUid: string;
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

/** Nothing, or more than one thing, was registered under the run: there is no version to adopt. Nothing was written. */
export class NothingToAdoptError extends Error {
  override readonly name = 'NothingToAdoptError';
}

/** A namespace must be claimed (TenantStore.claim) before anything is stored for it. */
export class UnclaimedNamespaceError extends Error {
  override readonly name = 'UnclaimedNamespaceError';
}

/** The main user may not create roles: it lacks CREATEROLE. */
export class RoleDeniedError extends Error {
  override readonly name = 'RoleDeniedError';
}
