/** Tells of versions after they were written: many at once, on a connection of the pool, from time to time. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../pool.ts';

export interface Announcer {
  /** Soon tells listeners that the version with this key changed. Never throws, and may lose it: listeners compare from time to time. */
  announce(versionKey: string): void;
}

/** So long others may come along. */
const WINDOW_MS = 5;
const RETRIES_MS = [100, 500, 2_000];
/** More than these are waiting only while Postgres is away: the oldest are left to the next comparison. */
const MOST_WAITING = 10_000;

/** Announces over one pool, one statement at a time. */
export function openAnnouncer(pool: Database): Announcer {
  let waiting = new Set<string>();
  let busy = false;

  const tell = async (keys: readonly string[]): Promise<void> => {
    for (const pause of [...RETRIES_MS, undefined]) {
      try {
        await pool.query({ name: 'slipway_tell_versions', text: 'SELECT slipway.tell_versions($1)', values: [keys] });
        return;
      } catch {
        if (pause === undefined || pool.ending) return;
        await delay(pause, undefined, { ref: false });
      }
    }
  };

  const run = async (): Promise<void> => {
    busy = true;
    while (waiting.size > 0) {
      await delay(WINDOW_MS, undefined, { ref: false });
      const keys = [...waiting].slice(-MOST_WAITING);
      waiting = new Set();
      await tell(keys);
    }
    busy = false;
  };

  return {
    announce(versionKey) {
      waiting.add(versionKey);
      if (!busy) void run();
    },
  };
}
