/** What lies in a folder that a trainer filled: plain files only, because nothing here may lead out of it. */
import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ArtifactFile } from '@slipway/contract';
import { FailureError } from '../failure.ts';

const MOST_FILES = 10_000;

/** Paths relative to the folder; sizes and digests are not looked at. Throws FailureError when there is no folder. */
export async function filesIn(dir: string): Promise<ArtifactFile[]> {
  const folder = await lstat(dir).catch(() => undefined);
  if (!folder?.isDirectory()) throw new FailureError('ArtifactMissing', 'there is no folder with a model');
  const entries = await entriesIn(dir);
  const files = entries.filter((entry) => !entry.isDirectory());
  const strange = files.find((entry) => !entry.isFile());
  if (strange) {
    throw new FailureError(
      'InvalidModel',
      `${strange.name.slice(0, 128)} is no plain file; a link or device is not read`,
    );
  }
  return files
    .map(({ parentPath, name }) => ({ path: relative(dir, join(parentPath, name)), sha256: NO_DIGEST, size: 0 }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Of too many only as much as it takes to say so: a trainer can leave millions. Folders count. */
async function entriesIn(dir: string): Promise<Dirent[]> {
  const entries: Dirent[] = [];
  for await (const entry of await opendir(dir, { recursive: true })) {
    entries.push(entry);
    if (entries.length > MOST_FILES) throw new FailureError('InvalidModel', `more than ${MOST_FILES} files`);
  }
  return entries;
}

const NO_DIGEST = '0'.repeat(64);
