/** Files the kubelet keeps up to date: a Secret or a ConfigMap mounted into the pod. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What changes with one swap of this link is one state of the object. */
const DATA_LINK = '..data';
/** The kubelet needs up to a minute; to look once more costs a system call. */
const POLL_MS = 2_000;

const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** The folder one state of the object lies in, so that no two states are ever mixed. */
const stateOf = (dir: string): string => orUndefined(() => realpathSync(join(dir, DATA_LINK))) ?? dir;

const namesIn = (folder: string): string[] =>
  (orUndefined(() => readdirSync(folder)) ?? []).filter((name) => !name.startsWith('..')).sort();

/** The files of a mounted object by name; none when there is no such folder. Throws when a file cannot be read. */
export function readMounted(dir: string): ReadonlyMap<string, string> {
  const folder = stateOf(dir);
  const files = new Map<string, string>();
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const text = orUndefined(() => (statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined));
    if (text !== undefined) files.set(name, text);
  }
  return files;
}

/** Changes whenever the files do. */
function fingerprint(dir: string): string {
  const folder = stateOf(dir);
  const marks = namesIn(folder).map((name) => {
    const stat = orUndefined(() => statSync(join(folder, name)));
    return `${name} ${stat?.ino} ${stat?.mtimeMs} ${stat?.size}`;
  });
  return [folder, ...marks].join('\n');
}

/**
 * Calls `onChange` with the files after each change of the folder, until the returned function is called; keeps no
 * process alive. What `onChange` throws goes to `onError`, as does a folder that cannot be read, which is tried again.
 */
export function followMounted(
  dir: string,
  onChange: (files: ReadonlyMap<string, string>) => void,
  { onError, everyMs = POLL_MS }: { readonly onError: (error: unknown) => void; readonly everyMs?: number },
): () => void {
  let seen: string | undefined;
  const look = (): void => {
    try {
      // Taken before the files are read: what changes meanwhile is seen the next time.
      const now = fingerprint(dir);
      if (now === seen) return;
      const isFirst = seen === undefined;
      const files = readMounted(dir);
      seen = now;
      if (!isFirst) onChange(files);
    } catch (error) {
      onError(error);
    }
  };
  look();
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}
