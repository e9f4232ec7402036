/** Are the bytes in the model's folder the ones that were registered? */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ArtifactFile, artifactDigest, type ModelArtifact } from '@slipway/contract';
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

/** Throws DigestMismatch when the list of files is not the one its digest was made from. */
export function checkDigest({ files, digest }: Pick<ModelArtifact, 'files' | 'digest'>): void {
  if (!files || !digest) return;
  const got = artifactDigest(files);
  if (got === digest) return;
  throw new FailureError('DigestMismatch', `list of files: expected digest ${digest}, got ${got}`);
}
