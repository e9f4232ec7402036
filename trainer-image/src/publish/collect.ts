/**
 * What of /output is published. The trainer is not trusted and `publish` holds credentials: only regular files are read,
 * so that no link can make it upload something else, and nothing it left can keep `publish` busy for ever.
 */
import { constants, type Dirent } from 'node:fs';
import { type FileHandle, lstat, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { EXAMPLES_FILE, isRelativePath, MODEL_FOLDER, PROFILE_FILE, SIGNATURE_FILE } from '@slipway/contract';
import { FailureError, quoted } from '../failure.ts';

/** A file of the publication: `path` below the attempt's prefix, its bytes in a file of /output or in memory. */
export interface Publishable {
  readonly path: string;
  readonly from: string | Buffer;
}

export const ARTIFACTS_FOLDER = 'artifacts';
const MOST_FILES = 256;
/** As much as the volume holds: a file that says it is larger has holes, and is read for days. */
const MOST_BYTES = 10 * 1024 ** 3;

const refused = (message: string): FailureError => new FailureError('InvalidModel', message);

const whatItIs = (entry: { isSymbolicLink(): boolean }): string =>
  entry.isSymbolicLink() ? 'a symbolic link' : 'neither a file nor a folder';

/** Undefined for what is not there. Throws InvalidModel for what the trainer made unreadable. */
function absent(name: string, error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  if (error.code !== 'EACCES') throw error;
  throw refused(`${quoted(name, 200)} in the output cannot be read (${error.code}); do not take permissions away`);
}

/** What lies in a folder, in order; of too much only as much as it takes to say so. */
async function entriesOf(folder: string, path: string): Promise<Dirent[]> {
  const self = await lstat(folder).catch((error) => absent(path, error));
  if (!self) return [];
  if (!self.isDirectory())
    throw refused(`${path} in the output: expected a folder, got ${self.isFile() ? 'a file' : whatItIs(self)}`);
  const entries: Dirent[] = [];
  const listing = await opendir(folder).catch((error) => absent(path, error));
  for await (const entry of listing ?? []) {
    entries.push(entry);
    if (entries.length > MOST_FILES) break;
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What was found so far; folders count, or a tree of nothing but them would never end. */
interface Found {
  readonly files: Publishable[];
  entries: number;
}

async function walk(outputDir: string, path: string, found: Found): Promise<void> {
  for (const entry of await entriesOf(join(outputDir, path), path)) {
    const inner = `${path}/${entry.name}`;
    found.entries++;
    if (found.entries > MOST_FILES) throw refused(`the output has more than ${MOST_FILES} files; publish fewer`);
    // A name that is no UTF-8 reads as one that is not there.
    if (!isRelativePath(inner) || inner.length > 512 || inner.includes('\ufffd')) {
      throw refused(`file name ${quoted(inner, 200)} in the output cannot be used; rename it`);
    }
    if (entry.isDirectory()) await walk(outputDir, inner, found);
    else if (entry.isFile()) found.files.push({ path: inner, from: join(outputDir, inner) });
    else throw refused(`${quoted(inner, 200)} in the output is ${whatItIs(entry)}; write the file itself`);
  }
}

/** Opens a file of the output, or undefined when there is none. Throws InvalidModel for anything but a regular file. */
export async function openRegular(path: string, name: string): Promise<FileHandle | undefined> {
  const self = await lstat(path).catch((error) => absent(name, error));
  if (!self) return undefined;
  if (!self.isFile())
    throw refused(`${name} in the output: expected a file, got ${self.isDirectory() ? 'a folder' : whatItIs(self)}`);
  // Should it have become a pipe in between, opening it does not wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return open(path, flags).catch((error) => absent(name, error));
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

/** Signature, examples and profile lie beside the model folder in the output and inside it in the store. */
const MODEL_DOCUMENTS = [SIGNATURE_FILE, EXAMPLES_FILE, PROFILE_FILE];

async function checkSizes(files: readonly Publishable[]): Promise<void> {
  let bytes = 0;
  for (const { from } of files) bytes += Buffer.isBuffer(from) ? from.length : (await lstat(from)).size;
  if (bytes <= MOST_BYTES) return;
  throw refused(`the files of the output have ${bytes} bytes together; expected at most ${MOST_BYTES}`);
}

/** Every file of model and artifacts, in a fixed order. Throws InvalidModel for links, odd names and too many files. */
export async function collectFiles(outputDir: string): Promise<readonly Publishable[]> {
  const found: Found = { files: [], entries: 0 };
  await walk(outputDir, MODEL_FOLDER, found);
  await walk(outputDir, ARTIFACTS_FOLDER, found);
  const { files } = found;
  const hasModel = files.some(({ path }) => path.startsWith(`${MODEL_FOLDER}/`));
  for (const name of MODEL_DOCUMENTS) {
    const path = `${MODEL_FOLDER}/${name}`;
    if (!hasModel || files.some((file) => file.path === path)) continue;
    const handle = await openRegular(join(outputDir, name), name);
    if (!handle) continue;
    await handle.close();
    files.push({ path, from: join(outputDir, name) });
  }
  await checkSizes(files);
  return files;
}
