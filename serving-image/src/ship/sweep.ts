/** Retention: what was predicted longer ago than it is to be kept. */
import type { StreamingObjectStore } from '@slipway/object-store';

const AT_ONCE = 1_000;
const DAY = /\/(\d{4}-\d{2}-\d{2})\/$/;

/**
 * Deletes the objects below `prefix` that are older than `cutoff` (milliseconds since the epoch), and says how many. Looks
 * only into days that may hold some, so that it costs what it deletes and not what is kept.
 */
export async function sweep(
  store: Pick<StreamingObjectStore, 'folder' | 'walk' | 'remove'>,
  prefix: string,
  cutoff: number,
): Promise<number> {
  const lastDay = new Date(cutoff).toISOString().slice(0, 10);
  let removed = 0;
  for await (const entry of store.folder(prefix)) {
    const day = 'prefix' in entry ? DAY.exec(entry.prefix)?.[1] : undefined;
    if ('prefix' in entry && day !== undefined && day <= lastDay) {
      removed += await sweepDay(store, entry.prefix, cutoff);
    }
  }
  return removed;
}

async function sweepDay(
  store: Pick<StreamingObjectStore, 'walk' | 'remove'>,
  prefix: string,
  cutoff: number,
): Promise<number> {
  let keys: string[] = [];
  let removed = 0;
  const removeAll = async (): Promise<void> => {
    if (keys.length > 0) await store.remove(keys);
    removed += keys.length;
    keys = [];
  };
  for await (const { key, lastModified } of store.walk(prefix)) {
    if (lastModified.getTime() < cutoff) keys.push(key);
    if (keys.length === AT_ONCE) await removeAll();
  }
  await removeAll();
  return removed;
}
