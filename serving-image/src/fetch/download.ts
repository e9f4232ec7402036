/** Brings one object into the model's folder: measured while it streams, under its real name only when it is right. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ArtifactFile } from '@slipway/contract';
import { type ObjectStore, ObjectStoreError } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import { checkMeasure, measureFile } from '../model/artifact-check.ts';
import { type Download, MAX_TOTAL_BYTES } from './locate.ts';

/** Downloads unless the right file is already there. Throws DigestMismatch, ArtifactMissing; store errors pass through. */
export async function bring(store: ObjectStore, { key, path, expected }: Download, dir: string): Promise<ArtifactFile> {
  const target = join(dir, path);
  if (expected) {
    const present = await measureFile(target);
    if (present?.sha256 === expected.sha256 && present.size === expected.size) return expected;
  }
  const partial = `${target}.partial`;
  await makeFolder(dirname(target), path);
  const got = await stream(store, key, partial, path, expected?.size ?? MAX_TOTAL_BYTES);
  if (expected) checkMeasure(expected, got);
  await rename(partial, target);
  return { path, ...got };
}

async function makeFolder(folder: string, path: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
    throw new FailureError('InvalidModel', `${path}: another file has the name of its folder; rename one of them`);
  }
}

async function stream(
  store: ObjectStore,
  key: string,
  target: string,
  path: string,
  limit: number,
): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      // One byte too many settles it: the rest need not fill the disk.
      if (size > limit) {
        done(new FailureError('DigestMismatch', `file ${path}: expected ${limit} bytes, got more; it was changed`));
        return;
      }
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(await store.get(key), meter, createWriteStream(target));
  } catch (error) {
    if (error instanceof ObjectStoreError && error.reason === 'NotFound') {
      throw new FailureError('ArtifactMissing', `file ${path} is not at s3://${store.bucket}/${key}; it was deleted`);
    }
    throw error;
  }
  return { sha256: hash.digest('hex'), size };
}
