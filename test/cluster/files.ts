import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** The file's text, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

/** Whether something is at the path. */
export async function exists(path: string): Promise<boolean> {
  return (await readdir(dirname(path)).catch((): string[] => [])).includes(path.slice(path.lastIndexOf('/') + 1));
}

/** Writes a file whole or not at all, with its folders. */
export async function writeWhole(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, content, { mode });
  await rename(partial, path);
}

/** A short digest of the given texts, each kept apart from the next. */
export function digestOf(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:`).update(text);
  return hash.digest('hex').slice(0, 16);
}

/** A digest of a folder's files (names and bytes), leaving out tests. */
export async function digestOfFolder(folder: string): Promise<string> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const contents = await Promise.all(
    names.map(async (name) => `${relative(folder, name)}\n${await readFile(name, 'base64')}`),
  );
  return digestOf(...contents);
}

/** Removes what an earlier run that was killed left in the folder: entries whose names start so. */
export async function removeLeftovers(folder: string, start: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  for (const name of names.filter((entry) => entry.startsWith(start))) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}
