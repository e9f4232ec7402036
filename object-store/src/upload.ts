/** Storing a stream: at once when it is short, in parts when it is long, taken back when anything fails. */
import { exactly, type Part, partsOf } from './parts.ts';
import type { UploadedPart, UploadOptions } from './types.ts';

/** The calls of S3 that an upload is made of; each rejects with an ObjectStoreError. */
export interface UploadCalls {
  putWhole(key: string, bytes: Buffer, contentType: string | undefined): Promise<{ etag: string }>;
  start(key: string, contentType: string | undefined): Promise<string>;
  putPart(key: string, uploadId: string, partNumber: number, bytes: Buffer): Promise<UploadedPart>;
  complete(key: string, uploadId: string, parts: readonly UploadedPart[]): Promise<{ etag: string }>;
  abort(key: string, uploadId: string): Promise<void>;
}

/** What S3 allows. */
const MOST_PARTS = 10_000;
const SMALLEST_PART = 8 * 1024 * 1024;

/** Parts for so many bytes: 8 MiB, unless the whole is less, or more than 10,000 of them would be needed. */
export const partBytesFor = (size: number | undefined): number =>
  size !== undefined && size < SMALLEST_PART
    ? Math.max(size, 1)
    : Math.max(SMALLEST_PART, Math.ceil((size ?? 0) / MOST_PARTS));

interface Progress {
  readonly parts: UploadedPart[];
  size: number;
}

/** Sends one part while the next is being read; no part is under way any more when it fails. */
async function sendAll(
  from: AsyncIterator<Part>,
  first: Part,
  send: (partNumber: number, bytes: Buffer) => Promise<UploadedPart>,
): Promise<Progress> {
  const progress: Progress = { parts: [], size: 0 };
  let part: Part | undefined = first;
  while (part) {
    const number = progress.parts.length + 1;
    if (number > MOST_PARTS)
      throw new RangeError(
        `a body of unknown length may have ${MOST_PARTS * SMALLEST_PART} bytes: announce its length`,
      );
    const sending = send(number, part.bytes);
    const reading: Promise<Part | undefined> = part.last
      ? Promise.resolve(undefined)
      : from.next().then(({ value }) => value);
    // Its failure is looked at once the part is sent, if that succeeds: a slow body must not hide a store that fails.
    reading.catch(() => {});
    progress.parts.push(await sending);
    const next = await reading;
    progress.size += part.bytes.length;
    part = next;
  }
  return progress;
}

/** Stores the body; see StreamingObjectStore.upload. */
export async function uploadStream(
  calls: UploadCalls,
  key: string,
  body: AsyncIterable<Buffer>,
  { size, contentType }: UploadOptions,
): Promise<{ etag: string; size: number }> {
  const parts = partsOf(size === undefined ? body : exactly(body, size), partBytesFor(size));
  try {
    const first = (await parts.next()).value as Part;
    if (first.last) return { ...(await calls.putWhole(key, first.bytes, contentType)), size: first.bytes.length };
    const uploadId = await calls.start(key, contentType);
    try {
      const sent = await sendAll(parts, first, (number, bytes) => calls.putPart(key, uploadId, number, bytes));
      return { ...(await calls.complete(key, uploadId, sent.parts)), size: sent.size };
    } catch (error) {
      // What cannot be taken back now is swept later: it is not an object.
      await calls.abort(key, uploadId).catch(() => {});
      throw error;
    }
  } finally {
    // Not waited for: a body that stands still would hold the failure back.
    parts.return(undefined).catch(() => {});
  }
}
