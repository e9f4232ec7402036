/** Are the bytes in the model's folder the ones that were registered? */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ArtifactFile, artifactDigest, FETCHED_FILE, type ModelArtifact } from '@slipway/contract';
import { z } from 'zod';
import { FailureError } from '../failure.ts';

/** SHA-256 and size of a file; undefined when there is none. */
export async function measureFile(path: string): Promise<{ sha256: string; size: number } | undefined> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        size += chunk.length;
      }
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  return { sha256: hash.digest('hex'), size };
}

/** Throws DigestMismatch or ArtifactMissing naming the first file that is not what `files` says. */
export async function checkFiles(dir: string, files: readonly ArtifactFile[]): Promise<void> {
  for (const file of files) {
    const got = await measureFile(join(dir, file.path));
    if (!got) throw new FailureError('ArtifactMissing', `file ${file.path} is not there; expected ${file.size} bytes`);
    checkMeasure(file, got);
  }
}

/** Throws DigestMismatch when what was measured is not the file's registered content. */
export function checkMeasure(file: ArtifactFile, got: { sha256: string; size: number }): void {
  if (got.sha256 === file.sha256 && got.size === file.size) return;
  throw new FailureError(
    'DigestMismatch',
    `file ${file.path}: expected sha256 ${file.sha256} (${file.size} bytes), got ${got.sha256} (${got.size} bytes); ` +
      'the object was changed after it was registered: restore it or register it as a new version',
  );
}

/** Throws DigestMismatch when these files are not the ones the digest was made from. */
export function checkDigest(files: readonly ArtifactFile[], digest: string | undefined): void {
  const got = artifactDigest(files);
  if (digest === undefined || got === digest) return;
  throw new FailureError('DigestMismatch', `the set of files: expected digest ${digest}, got ${got}`);
}

/**
 * Measures every byte in `dir` against the artifact and gives its files. Without a list of its own the artifact is what
 * was fetched, held to its digest if it has one. Throws DigestMismatch, ArtifactMissing.
 */
export async function checkArtifact(artifact: ModelArtifact, dir: string): Promise<readonly ArtifactFile[]> {
  const files = artifact.files ?? (await fetchedFiles(dir));
  checkDigest(files, artifact.digest);
  await checkFiles(dir, files);
  return files;
}

async function fetchedFiles(dir: string): Promise<ArtifactFile[]> {
  const text = await readFile(join(dir, FETCHED_FILE), 'utf8').catch(() => {
    throw new FailureError('ArtifactMissing', 'nothing was fetched; run fetch first');
  });
  return z.array(ArtifactFile).min(1).parse(JSON.parse(text));
}
