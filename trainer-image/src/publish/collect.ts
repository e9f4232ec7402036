/**
 * What of /output is published. The trainer is not trusted and `publish` holds credentials: only regular files are read,
 * so that no link can make it upload something else.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EXAMPLES_FILE, isRelativePath, MODEL_FOLDER, SIGNATURE_FILE } from '@slipway/contract';
import { FailureError, quoted } from '../failure.ts';

/** A file of the publication: `path` below the attempt's prefix, its bytes in a file of /output or in memory. */
export interface Publishable {
  readonly path: string;
  readonly from: string | Buffer;
}

export const ARTIFACTS_FOLDER = 'artifacts';
const MOST_FILES = 256;

const refused = (message: string): FailureError => new FailureError('InvalidModel', message);

const whatItIs = (entry: { isSymbolicLink(): boolean }): string =>
  entry.isSymbolicLink() ? 'a symbolic link' : 'neither a file nor a folder';

async function entriesOf(folder: string, path: string) {
  const self = await lstat(folder).catch(() => undefined);
  if (!self) return [];
  if (!self.isDirectory())
    throw refused(`${path} in the output: expected a folder, got ${self.isFile() ? 'a file' : whatItIs(self)}`);
  return (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function walk(outputDir: string, path: string, found: Publishable[]): Promise<void> {
  for (const entry of await entriesOf(join(outputDir, path), path)) {
    const inner = `${path}/${entry.name}`;
    if (!isRelativePath(inner) || inner.length > 512) {
      throw refused(`file name ${quoted(inner, 200)} in the output cannot be used; rename it`);
    }
    if (entry.isDirectory()) await walk(outputDir, inner, found);
    else if (entry.isFile()) found.push({ path: inner, from: join(outputDir, inner) });
    else throw refused(`${quoted(inner, 200)} in the output is ${whatItIs(entry)}; write the file itself`);
    if (found.length > MOST_FILES) throw refused(`the output has more than ${MOST_FILES} files; publish fewer`);
  }
}

/** Opens a file of the output, or undefined when there is none. Throws InvalidModel for anything but a regular file. */
export async function openRegular(path: string, name: string): Promise<FileHandle | undefined> {
  const self = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!self) return undefined;
  if (!self.isFile())
    throw refused(`${name} in the output: expected a file, got ${self.isDirectory() ? 'a folder' : whatItIs(self)}`);
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
}

/** A document's text, or undefined when there is none. Throws InvalidModel when it is longer than `most` bytes. */
export async function readRegular(path: string, name: string, most = 16 * 1024 * 1024): Promise<string | undefined> {
  const file = await openRegular(path, name);
  if (!file) return undefined;
  try {
    const { size } = await file.stat();
    if (size > most) throw refused(`${name} in the output has ${size} bytes; expected at most ${most}`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Signature and examples lie beside the model folder in the output and inside it in the store. */
const MODEL_DOCUMENTS = [SIGNATURE_FILE, EXAMPLES_FILE];

/** Every file of model and artifacts, in a fixed order. Throws InvalidModel for links, odd names and too many files. */
export async function collectFiles(outputDir: string): Promise<readonly Publishable[]> {
  const found: Publishable[] = [];
  await walk(outputDir, MODEL_FOLDER, found);
  await walk(outputDir, ARTIFACTS_FOLDER, found);
  const hasModel = found.some(({ path }) => path.startsWith(`${MODEL_FOLDER}/`));
  for (const name of MODEL_DOCUMENTS) {
    const path = `${MODEL_FOLDER}/${name}`;
    if (!hasModel || found.some((file) => file.path === path)) continue;
    const handle = await openRegular(join(outputDir, name), name);
    if (!handle) continue;
    await handle.close();
    found.push({ path, from: join(outputDir, name) });
  }
  return found;
}
