/**
 * Brings complete files of predictions to the object store, each once: its key is made from its name, it is stored whole or
 * not at all, and it is removed here only when it is seen there.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PREDICTION_FILE, PREDICTION_PART } from '@slipway/contract';
import type { StreamingObjectStore } from '@slipway/object-store';
import type { Logger } from '../log.ts';
import { sweep } from './sweep.ts';

export type PredictionStore = Pick<StreamingObjectStore, 'put' | 'walk' | 'folder' | 'remove'>;

export interface ShipOptions {
  readonly dir: string;
  /** Below which everything of this service lies; ends with a slash. */
  readonly prefix: string;
  /** Names the pod in every key. */
  readonly pod: string;
  /** Older objects are deleted. */
  readonly retentionMs: number;
  /** Asked for every file, because credentials end. */
  readonly store: () => Promise<PredictionStore>;
  /** Aborted when nothing is written any more: what is there then is the last, and complete as it is. */
  readonly stopping: AbortSignal;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly now?: () => number;
  readonly pollMs?: number;
  readonly longestPauseMs?: number;
}

const POLL_MS = 1_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** With the end of the pod in sight there is no time for long pauses. */
const LAST_PAUSE_MS = 1_000;
const SWEEP_EVERY_MS = 3_600_000;
const SWEEP_AGAIN_MS = 600_000;
const LINE_FEED = 10;

/** Where a file of this name belongs: by the day it was begun (UTC). */
export function keyFor(prefix: string, pod: string, name: string): string {
  const begunAt = Number(PREDICTION_FILE.exec(name)?.[1]);
  return `${prefix}${new Date(begunAt).toISOString().slice(0, 10)}/${pod}-${name}`;
}

/** Resolves when `stopping` is aborted and everything is shipped, however long that takes; an outage is waited out. */
export async function ship(options: ShipOptions): Promise<void> {
  const { dir, stopping, pollMs = POLL_MS, now = Date.now } = options;
  let sweepAt = now();
  for (;;) {
    const isLast = stopping.aborted;
    for (const name of await namesIn(dir, isLast)) await insist(name, () => shipFile(name, options), options);
    if (isLast) return;
    if (now() >= sweepAt) sweepAt = now() + (await swept(options));
    await pause(pollMs, stopping);
  }
}

/** Oldest first. What is still written to is left alone, unless there is no later. */
async function namesIn(dir: string, withParts: boolean): Promise<readonly string[]> {
  const isWanted = (name: string): boolean =>
    PREDICTION_FILE.test(name) || (withParts && name.endsWith(PREDICTION_PART) && PREDICTION_FILE.test(ownName(name)));
  return (await readdir(dir)).filter(isWanted).sort();
}

const ownName = (name: string): string =>
  name.endsWith(PREDICTION_PART) ? name.slice(0, -PREDICTION_PART.length) : name;

async function shipFile(name: string, { dir, prefix, pod, store }: ShipOptions): Promise<void> {
  const path = join(dir, name);
  // Its writer gives files up that nobody fetched in time.
  const found = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const bytes = found?.subarray(0, found.lastIndexOf(LINE_FEED) + 1);
  if (bytes && bytes.length > 0) {
    const key = keyFor(prefix, pod, ownName(name));
    const opened = await store();
    await opened.put(key, bytes, bytes.length);
    if (!(await isThere(opened, key, bytes.length))) throw new Error(`${key} was stored, but is not there`);
  }
  // A writer that lives after all completes its file, which then replaces its beginning under the same key.
  if (!name.endsWith(PREDICTION_PART)) await rm(path, { force: true });
}

/** By listing: these credentials may not read. */
async function isThere(store: PredictionStore, key: string, size: number): Promise<boolean> {
  for await (const found of store.walk(key)) if (found.key === key) return found.size === size;
  return false;
}

/** Until it succeeds: credentials are renewed, buckets made and stores started again while this waits. */
async function insist(what: string, work: () => Promise<void>, options: ShipOptions): Promise<void> {
  const { stopping, log, longestPauseMs = LONGEST_PAUSE_MS } = options;
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const longest = stopping.aborted ? Math.min(LAST_PAUSE_MS, longestPauseMs) : longestPauseMs;
      const pauseMs = Math.round(Math.min(longest, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 20)) * chance());
      log.warn({ what, tries, pauseMs, error: (error as Error).message }, 'not shipped, trying again');
      await pause(pauseMs, stopping);
    }
  }
}

/** So that the pods of a service do not all come back at once. */
const chance = (): number => 0.5 + Math.random() / 2;

/** Shorter when `stopping` fires meanwhile. */
async function pause(ms: number, stopping: AbortSignal): Promise<void> {
  await delay(ms, undefined, stopping.aborted ? {} : { signal: stopping }).catch(() => {});
}

/** When to look again. Objects that cannot be deleted now stay until then. */
async function swept({ prefix, retentionMs, store, log, now = Date.now }: ShipOptions): Promise<number> {
  try {
    const removed = await sweep(await store(), prefix, now() - retentionMs);
    if (removed > 0) log.info({ removed }, 'old predictions deleted');
    return SWEEP_EVERY_MS * chance();
  } catch (error) {
    log.warn({ error: (error as Error).message }, 'old predictions are not deleted; trying again in a while');
    return SWEEP_AGAIN_MS;
  }
}
