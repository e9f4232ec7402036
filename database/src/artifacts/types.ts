/** Rows about uploaded bytes. Paths are those below `<namespace>/` in the bucket. */

export interface ArtifactDigest {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** The row speaks for an object with this mark only. */
  readonly etag: string;
}

export interface DataSet {
  readonly name: string;
  /** Its bytes are at `data/<upload>/<name>`. */
  readonly upload: string;
  readonly size: number;
  readonly sha256: string;
  readonly contentType: string;
  /** Milliseconds since the epoch. */
  readonly storedTime: number;
}

/** A version that keeps a path from being deleted. */
export interface KeptBy {
  readonly model: string;
  readonly version: number;
  /** The InferenceService that serves it; absent for one that is only registered. */
  readonly service?: string | undefined;
}

export interface ArtifactRows {
  /** Remembers an upload; the last one of a path holds. */
  record(namespace: string, digest: ArtifactDigest): Promise<void>;
  /** The rows of a path itself and of everything below it. */
  digests(namespace: string, path: string): Promise<ArtifactDigest[]>;
  /** Forgets a path itself and everything below it. */
  forget(namespace: string, path: string): Promise<void>;
  /**
   * A version, in use before others, whose bytes lie at `path`, below it or around it; undefined when nothing keeps the
   * path. Deleted and failed versions keep nothing, unless they are in use.
   */
  keptBy(namespace: string, bucket: string, path: string): Promise<KeptBy | undefined>;
  /** A version in use of whose bytes the file at `path` is a part; undefined when none is. Asked for every upload: cheap. */
  servedFrom(namespace: string, bucket: string, path: string): Promise<Required<KeptBy> | undefined>;
}

export interface DataSets {
  /** False when the name means these bytes already: nothing was added. */
  add(namespace: string, dataSet: Omit<DataSet, 'storedTime'>): Promise<boolean>;
  /** The newest upload of a name; of those bytes, when a digest is given. */
  find(namespace: string, name: string, sha256?: string): Promise<DataSet | undefined>;
  /** The newest upload of each name, in name order, after the name `after`. */
  list(namespace: string, page: { readonly limit: number; readonly after?: string | undefined }): Promise<DataSet[]>;
  /** Deletes every upload of the name; their paths may then be deleted. Empty when there was none. */
  remove(namespace: string, name: string): Promise<DataSet[]>;
}

/** What is known of a run whose folder is looked at. Times are milliseconds since the epoch. */
export interface RunState {
  /** Since when it, or its experiment, is deleted. */
  readonly deletedTime?: number | undefined;
  /** It goes on: whatever it writes is being written. */
  readonly open: boolean;
  /** It belongs to a TrainingJob, whose pods write one folder an attempt. */
  readonly owned: boolean;
  /** It has published; with a version when `publishedPath` says where that lies. */
  readonly published: boolean;
  readonly publishedPath?: string | undefined;
}

export interface UploadState {
  /** Since when a later upload of the same name is what the name means. */
  readonly supersededTime?: number | undefined;
  /** Some version, however old, or some run was trained on these bytes, or a run goes on that may be reading them. */
  readonly inLineage: boolean;
}

/**
 * Who speaks for a set of folders: `<experiment>/<run>`, `<experiment>/models/<model>`, `data/<upload>`,
 * `derived/<model>/<version>/<digest>`. A folder without an entry belongs to nobody; for the last `kept` alone speaks.
 */
export interface References {
  readonly runs: ReadonlyMap<string, RunState>;
  readonly models: ReadonlyMap<string, { readonly deletedTime?: number | undefined }>;
  readonly uploads: ReadonlyMap<string, UploadState>;
  /** Folders and files, in these folders or around them, that versions, runs, models or experiments in use point to. */
  readonly kept: ReadonlySet<string>;
}

/** A row that nothing needs any more. */
export interface ExpiredRow {
  readonly kind: 'run' | 'loggedModel' | 'experiment' | 'request';
  readonly id: string;
}

/** Which versions may go by themselves; both conditions hold when both are given. */
export interface RetentionPolicy {
  /** So many of the newest versions of a model stay; the newest always does. */
  readonly keepLast?: number | undefined;
  /** Younger versions stay: milliseconds since the epoch. */
  readonly createdBefore?: number | undefined;
  /** Versions in one of these stages stay. Absent: those in any stage but None. */
  readonly keepStages?: readonly string[] | undefined;
}

/** Which runs may go by themselves; both conditions hold when both are given. */
export interface RunRetentionPolicy {
  /** So many of the newest runs of an experiment stay. Runs inside another one (trials) count as that one. */
  readonly keepLast?: number | undefined;
  /** Runs that ended later stay: milliseconds since the epoch. */
  readonly endedBefore?: number | undefined;
}

export interface RetiredVersion {
  readonly model: string;
  readonly version: number;
}

/** Rows as garbage collection sees them. Every call may be repeated, and be cut short anywhere. */
export interface GarbageRows {
  namespaces(): Promise<string[]>;
  /** Who speaks for these folders now. */
  references(namespace: string, bucket: string, units: readonly string[]): Promise<References>;
  /** Runs, logged models and experiments that nothing needs, deleted before that time, and requests for runs answered long ago. */
  expired(namespace: string, deletedBefore: number): Promise<ExpiredRow[]>;
  /**
   * Deletes such rows, with all that hangs on them, a few at a time; none are left when it returns an empty list. Of a run
   * that a TrainingJob owns its bare row stays, unseen by tracking clients, so that it does not happen again.
   */
  purgeSome(namespace: string, deletedBefore: number): Promise<ExpiredRow[]>;
  /** Deletes the rows of uploads that are superseded since before that time and in nobody's lineage. */
  forgetUploads(namespace: string, uploads: readonly string[], supersededBefore: number): Promise<void>;
  forgetPaths(namespace: string, paths: readonly string[]): Promise<void>;
  /** Versions the policy gives up: without a stage to be kept, alias and service. */
  retirable(namespace: string, policy: RetentionPolicy): Promise<RetiredVersion[]>;
  /** Deletes one of them, unless it has got such a stage, an alias or a service since: then false. */
  retire(namespace: string, version: RetiredVersion, policy: Pick<RetentionPolicy, 'keepStages'>): Promise<boolean>;
  /**
   * Ids of the runs the policy gives up: ended, neither they nor a model they logged made into a version, and neither the
   * run they are in nor one inside them going on.
   */
  retirableRuns(namespace: string, policy: RunRetentionPolicy): Promise<string[]>;
  /** Deletes those of them that are still free, as a tracking client would: until the grace is over they can be restored. */
  retireRuns(namespace: string, runIds: readonly string[]): Promise<string[]>;
}
