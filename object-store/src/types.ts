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

export interface ObjectInfo extends StoredObject {
  /** The store's own mark for these bytes, without quotes. */
  readonly etag: string;
  readonly lastModified: Date;
}

/** What lies directly in a folder: a folder by its prefix (with the final slash), or an object. */
export type FolderEntry = { readonly prefix: string } | ObjectInfo;

/** First and last byte, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface ObjectBody extends ObjectInfo {
  /** Of the whole object when a range was asked for. */
  readonly size: number;
  /** Fails, rather than ends, when the connection stalls; destroying it lets go of the connection. */
  readonly body: Readable;
}

export interface UploadOptions {
  /** Stores exactly so many bytes or nothing; as many as come, when absent. */
  readonly size?: number | undefined;
  readonly contentType?: string | undefined;
}

/** One part of a multipart upload that a client did by itself. */
export interface UploadedPart {
  readonly partNumber: number;
  readonly etag: string;
}

export interface UnfinishedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiated: Date;
}

/** What the registry asks beyond `ObjectStore`: streams of any length, pages of any number, deleting, presigned access. */
export interface StreamingObjectStore extends ObjectStore {
  /** Undefined when there is no such object. */
  info(key: string): Promise<ObjectInfo | undefined>;
  /** The bytes with what is known of them; of a range only, when one is given. Throws NotFound. */
  open(key: string, range?: ByteRange): Promise<ObjectBody>;
  /** What lies directly below `prefix`, which ends with a slash (or is empty): a page at a time is held. */
  folder(prefix: string): AsyncIterable<FolderEntry>;
  /** Everything below `prefix`, in key order, after `startAfter`: a page at a time is held. */
  walk(prefix: string, startAfter?: string): AsyncIterable<ObjectInfo>;
  /**
   * Stores a stream, holding two parts of it at most. The object appears whole or not at all: when the body fails, or the
   * store, what was sent is taken back as far as the store can be reached. A failing body's own error is thrown as it is.
   */
  upload(key: string, body: AsyncIterable<Buffer>, options?: UploadOptions): Promise<{ etag: string; size: number }>;
  /**
   * Stores the bytes unless something is there already: true when it was this call that stored them. Of several at once one
   * gets true (conditional put: `If-None-Match: *`).
   */
  putNew(key: string, bytes: Buffer): Promise<boolean>;
  /** Deleting what is not there is no error. */
  remove(keys: readonly string[]): Promise<void>;
  startMultipart(key: string, contentType?: string): Promise<string>;
  /** Throws UploadRefusedError when parts and upload do not fit together. */
  completeMultipart(key: string, uploadId: string, parts: readonly UploadedPart[]): Promise<{ etag: string }>;
  /** Aborting what is not there is no error. */
  abortMultipart(key: string, uploadId: string): Promise<void>;
  /** Multipart uploads below `prefix` that were neither completed nor aborted. */
  unfinishedUploads(prefix: string): AsyncIterable<UnfinishedUpload>;
  /** A URL that gets the object without credentials for so many seconds. */
  presignGet(key: string, seconds: number, contentDisposition?: string): Promise<string>;
  /** A URL that puts one part of a multipart upload without credentials. */
  presignPart(key: string, uploadId: string, partNumber: number, seconds: number): Promise<string>;
}

/** A multipart upload that cannot be completed as asked: no such upload, a part that was not sent, one that is too small. */
export class UploadRefusedError extends Error {
  override readonly name = 'UploadRefusedError';
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
