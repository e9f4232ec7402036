/** Brings files below one prefix, never over another object, and proves what is there by reading it back. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ArtifactFile } from '@slipway/contract';
import type { ObjectStore } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import { openRegular, type Publishable } from './collect.ts';

type Measure = Omit<ArtifactFile, 'path'>;

async function measure(body: AsyncIterable<Buffer>): Promise<Measure> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { sha256: hash.digest('hex'), size };
}

/** The file's bytes from the beginning; may be asked for again and again. */
async function bodyOf({ from, path }: Publishable): Promise<Readable> {
  if (Buffer.isBuffer(from)) return Readable.from([from]);
  const file = await openRegular(from, path);
  if (!file) throw new FailureError('InvalidModel', `${path} vanished from the output while it was published`);
  return file.createReadStream();
}

/** Size and sha256 of every file, before anything is uploaded. */
export async function measureFiles(files: readonly Publishable[]): Promise<readonly ArtifactFile[]> {
  const measured: ArtifactFile[] = [];
  for (const file of files) measured.push({ path: file.path, ...(await measure(await bodyOf(file))) });
  return measured;
}

/**
 * Stores the file at `key` unless it is there already, and reads it back. Repeating it is harmless. Throws PublishRefused
 * when the key holds other bytes: they are somebody's, and stay.
 */
export async function uploadVerified(
  store: ObjectStore,
  key: string,
  file: Publishable,
  expected: ArtifactFile,
): Promise<void> {
  if (!(await store.stat(key))) await store.put(key, await bodyOf(file), expected.size);
  const stored = await measure(await store.get(key));
  if (stored.sha256 === expected.sha256 && stored.size === expected.size) return;
  throw new FailureError(
    'PublishRefused',
    `${key} holds other bytes: expected sha256 ${expected.sha256} (${expected.size} bytes), got ${stored.sha256} ` +
      `(${stored.size} bytes); nothing is overwritten, train again`,
  );
}
