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
