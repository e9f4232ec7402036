/** A namespace's part of the bucket, by paths as MLflow's artifact proxy names them: `<experiment>/<run>/artifacts/…`. */

export interface ArtifactEntry {
  /** The last part of its path. */
  readonly name: string;
  readonly isDirectory: boolean;
  /** Bytes, of a file. */
  readonly size?: number | undefined;
}

export interface ArtifactFileInfo {
  /** Relative to the folder that was asked for. */
  readonly path: string;
  readonly size: number;
  /** Known for what was uploaded through this server in one piece. */
  readonly sha256?: string | undefined;
}

export interface TenantArtifacts {
  readonly bucket: string;
  /** True when clients send and get large files straight to and from the store, by presigned URLs. */
  readonly presigned?: boolean;
  /** What lies directly in a folder, by name; empty for a file and for nothing. */
  list(namespace: string, folder: string): Promise<ArtifactEntry[]>;
  /** Every file below a folder (or the one file of that path, with an empty relative path). */
  files(namespace: string, path: string): Promise<ArtifactFileInfo[]>;
  /** The bytes of a small file, at most `limit`; undefined when there is none or it is larger. */
  readSmall(namespace: string, path: string, limit: number): Promise<Buffer | undefined>;
}
