/** Files the kubelet keeps up to date: a Secret or a ConfigMap mounted into the pod. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What changes with one swap of this link is one state of the object. */
const DATA_LINK = '..data';
/**
 * Looked at, and not watched: fs.watch tells of the file a link led to when it was begun, misses the swap of a link above
 * it, and needs a folder that is there already. The kubelet takes up to a minute to bring a change, and looking costs a
 * few system calls.
 */
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

/** One state of a mounted object. */
export interface Mounted {
  /** By name; none when there is no such folder. */
  readonly files: ReadonlyMap<string, string>;
  /** Another one as soon as the files have changed. */
  readonly mark: string;
}

/** The files as they are now. Throws when one cannot be read. */
export function readMounted(dir: string): Mounted {
  const folder = stateOf(dir);
  // Taken before the files are read: what changes meanwhile is seen the next time.
  const mark = markOf(folder);
  const files = new Map<string, string>();
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const text = orUndefined(() => (statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined));
    if (text !== undefined) files.set(name, text);
  }
  return { files, mark };
}

function markOf(folder: string): string {
  const marks = namesIn(folder).map((name) => {
    const stat = orUndefined(() => statSync(join(folder, name)));
    return `${name} ${stat?.ino} ${stat?.mtimeMs} ${stat?.size}`;
  });
  return [folder, ...marks].join('\n');
}

export interface Following {
  /** The state that is known already. */
  readonly since: string;
  readonly onChange: (files: ReadonlyMap<string, string>) => void;
  /** Told once per change what `onChange` threw, or why the folder cannot be read; it is looked at again. */
  readonly onError: (error: unknown) => void;
  readonly everyMs?: number;
}

/** Looks at the folder until the returned function is called; keeps no process alive. */
export function followMounted(dir: string, { since, onChange, onError, everyMs = POLL_MS }: Following): () => void {
  let seen = since;
  const look = (): void => {
    let next: Mounted | undefined;
    try {
      if (markOf(stateOf(dir)) === seen) return;
      next = readMounted(dir);
      seen = next.mark;
    } catch (error) {
      if (seen !== UNREADABLE) onError(error);
      seen = UNREADABLE;
      return;
    }
    try {
      onChange(next.files);
    } catch (error) {
      onError(error);
    }
  };
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}

const UNREADABLE = '';
