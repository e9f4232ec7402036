/**
 * A model folder that foreign code wrote: nothing in it is believed. Only files of known names are opened, only if they are
 * plain files of a bearable size, and never through a link.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactFile, DERIVED_FILES, REQUIRED_DERIVED_FILES } from '@slipway/contract';
import { FailureError } from '../failure.ts';

const refusal = (message: string): FailureError =>
  new FailureError('InvalidModel', `the converter's output is refused: ${message}`);

/** Without waiting for a writer where the file is a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Opens one file of the folder. Throws InvalidModel unless it is a plain file within its size. */
export async function openDerived(dir: string, name: string): Promise<{ handle: FileHandle; size: number }> {
  const most = DERIVED_FILES[name];
  if (most === undefined) throw refusal(`${shown(name)} is none of ${Object.keys(DERIVED_FILES).join(', ')}`);
  const handle = await open(join(dir, name), FLAGS).catch((error: NodeJS.ErrnoException) => {
    throw refusal(error.code === 'ENOENT' ? `${name} is missing` : `${name} is no plain file (${error.code})`);
  });
  try {
    const { size, nlink, ...stat } = await handle.stat();
    if (!isPlain(stat.mode) || nlink !== 1) throw refusal(`${name} is no plain file`);
    if (size > most) throw refusal(`${name} has ${size} bytes, expected at most ${most}`);
    return { handle, size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const isPlain = (mode: number): boolean => (mode & constants.S_IFMT) === constants.S_IFREG;

const shown = (name: string): string => JSON.stringify(name.slice(0, 100));

/** A file with its digest, as it is now. Throws InvalidModel. */
export async function measureDerived(dir: string, name: string): Promise<ArtifactFile> {
  const { handle, size } = await openDerived(dir, name);
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
    if (bytes !== size) throw refusal(`${name} changed while it was read`);
    return { path: name, sha256: hash.digest('hex'), size };
  } finally {
    await handle.close();
  }
}

/** Every file of the folder with its digest, in order. Throws InvalidModel for a folder that holds anything else, or less. */
export async function derivedFiles(dir: string): Promise<readonly ArtifactFile[]> {
  for await (const { name } of await opendir(dir)) {
    if (DERIVED_FILES[name] === undefined) {
      throw refusal(`${shown(name)} is none of ${Object.keys(DERIVED_FILES).join(', ')}`);
    }
  }
  const files: ArtifactFile[] = [];
  for (const name of [...REQUIRED_DERIVED_FILES].sort()) files.push(await measureDerived(dir, name));
  return files;
}
