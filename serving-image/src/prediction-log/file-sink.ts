/**
 * Lines into files of a folder that somebody else empties: a file is written under a name that ends with `.part` and gets its
 * own name when it is complete. What nobody fetches in time is given up, the oldest first; the disk being full loses lines
 * and nothing else.
 */
import { type FileHandle, open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { PREDICTION_FILE, PREDICTION_PART, predictionFileName } from '@slipway/contract';
import type { Logger } from '../log.ts';
import { type Chunk, createChunkQueue, type Sink } from './chunks.ts';

export interface FileSinkOptions {
  readonly dir: string;
  readonly onDropped: (lines: number) => void;
  readonly log: Pick<Logger, 'warn'>;
  /** A file is complete when it is this large, or this old. */
  readonly maxFileBytes?: number;
  readonly maxFileAgeMs?: number;
  /** What lies in the folder, and what waits to be written. */
  readonly maxTotalBytes?: number;
  readonly maxWaitingBytes?: number;
  readonly now?: () => number;
}

interface Current {
  readonly handle: FileHandle;
  readonly path: string;
  size: number;
  lines: number;
}

const MIB = 1024 ** 2;
const WARN_EVERY_MS = 60_000;
const LINE_FEED = 10;

/** Completes what an earlier process left in `dir`. */
export function createFileSink(options: FileSinkOptions): Sink {
  const { dir, onDropped, log, now = Date.now } = options;
  const { maxFileBytes = MIB, maxFileAgeMs = 10_000 } = options;
  const { maxTotalBytes = 64 * MIB, maxWaitingBytes = 8 * MIB } = options;
  const queue = createChunkQueue(maxWaitingBytes, onDropped);
  /** Of the files this process completed. */
  const linesOf = new Map<string, number>();
  let files = 0;
  let current: Current | undefined;
  let work = adopt(dir).catch(warned);
  let isWorking = false;
  let oldAge: NodeJS.Timeout | undefined;
  let warnedAt = Number.NEGATIVE_INFINITY;

  function warned(error: unknown): void {
    if (performance.now() - warnedAt < WARN_EVERY_MS) return;
    warnedAt = performance.now();
    log.warn({ err: error, dir }, 'lines of predictions cannot be kept for shipping');
  }

  async function begin(): Promise<Current> {
    const path = join(dir, predictionFileName(now(), files++));
    const handle = await open(path + PREDICTION_PART, 'ax');
    oldAge = setTimeout(() => enqueue(complete), maxFileAgeMs).unref();
    return { handle, path, size: 0, lines: 0 };
  }

  async function complete(): Promise<void> {
    clearTimeout(oldAge);
    if (!current) return;
    const { handle, path, lines } = current;
    current = undefined;
    linesOf.set(path, lines);
    await handle.close();
    await rename(path + PREDICTION_PART, path);
    await makeRoom();
  }

  /** Gives up the oldest files while there are too many bytes. */
  async function makeRoom(): Promise<void> {
    const found = await completeFiles(dir);
    const names = new Set(found.map(({ path }) => path));
    for (const path of linesOf.keys()) if (!names.has(path)) linesOf.delete(path);
    let total = found.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of found) {
      if (total <= maxTotalBytes) return;
      const lines = linesOf.get(path) ?? (await countLines(path));
      await rm(path, { force: true });
      linesOf.delete(path);
      total -= size;
      onDropped(lines);
    }
  }

  async function keep({ bytes, lines }: Chunk): Promise<void> {
    current ??= await begin();
    const file = current;
    try {
      for (let at = 0; at < bytes.length; ) at += (await file.handle.write(bytes, at)).bytesWritten;
    } catch (error) {
      // Half a line must not stay.
      await file.handle.truncate(file.size);
      throw error;
    }
    file.size += bytes.length;
    file.lines += lines;
    if (file.size >= maxFileBytes) await complete();
  }

  async function drainQueue(): Promise<void> {
    for (let chunk = queue.first(); chunk; chunk = queue.first()) {
      queue.shift();
      const { lines } = chunk;
      await keep(chunk).catch((error) => {
        onDropped(lines);
        warned(error);
      });
    }
    // At once: what is offered from here on must not wait for a task that looks no more.
    isWorking = false;
  }

  function enqueue(task: () => Promise<void>): void {
    work = work.then(task).catch(warned);
  }

  return {
    offer(chunk) {
      queue.push(chunk);
      if (isWorking) return;
      isWorking = true;
      enqueue(drainQueue);
    },
    async close(patienceMs) {
      enqueue(drainQueue);
      enqueue(complete);
      const late = AbortSignal.timeout(patienceMs);
      await Promise.race([work, new Promise((resolve) => late.addEventListener('abort', resolve))]);
    },
  };
}

async function completeFiles(dir: string): Promise<{ path: string; size: number }[]> {
  const names = (await readdir(dir)).filter((name) => PREDICTION_FILE.test(name)).sort();
  const sizes = await Promise.all(names.map((name) => stat(join(dir, name)).catch(() => undefined)));
  return names.flatMap((name, i) => {
    const size = sizes[i]?.size;
    return size === undefined ? [] : [{ path: join(dir, name), size }];
  });
}

async function countLines(path: string): Promise<number> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  let lines = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}

/** What a process that ended without a word was writing is complete, up to its last whole line. */
async function adopt(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const own = name.slice(0, -PREDICTION_PART.length);
    if (!name.endsWith(PREDICTION_PART) || !PREDICTION_FILE.test(own)) continue;
    const path = join(dir, name);
    await truncate(path, (await readFile(path)).lastIndexOf(LINE_FEED) + 1);
    await rename(path, join(dir, own));
  }
}
