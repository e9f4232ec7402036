/** All that Slipway asks of an S3-compatible store. Keys are whole keys; the bucket is the store's own. */
import type { Readable } from 'node:stream';

export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

export interface ObjectStore {
  readonly bucket: string;
  /** Everything below `prefix`, recursively, in key order. */
  list(prefix: string): Promise<readonly StoredObject[]>;
  /** Undefined when there is no such object. */
  stat(key: string): Promise<StoredObject | undefined>;
  /** The object's bytes as a stream. The stream fails, rather than ends, when the connection stalls. */
  get(key: string): Promise<Readable>;
  /** Stores exactly `size` bytes. */
  put(key: string, body: Readable | Buffer, size: number): Promise<void>;
  /** Resolves when the bucket exists and answers; throws otherwise. */
  check(): Promise<void>;
}

export type ObjectStoreReason = 'NotFound' | 'BucketMissing' | 'Denied' | 'Unavailable';

/** `Unavailable` may pass if repeated; the others will not by themselves. The message names endpoint and bucket, never keys of access. */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError';
  readonly reason: ObjectStoreReason;
  constructor(reason: ObjectStoreReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
