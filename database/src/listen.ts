/** One connection that listens. It comes back for ever; what was told meanwhile is lost, and the caller knows. */
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { databaseError } from './errors.ts';
import { query } from './pool.ts';
import type { MirrorFeed } from './types.ts';

type Handlers = Parameters<MirrorFeed['listen']>[0];

const CHANNEL = 'slipway_versions';
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 10_000;
/** A connection that went silent is found out this soon. */
const HEARTBEAT_MS = 15_000;

/** Listens until the connection ends (throws why) or the signal fires. */
async function listenOnce(pool: pg.Pool, { onConnected, onKey, signal }: Handlers): Promise<void> {
  const client = await pool.connect().catch((error) => {
    throw databaseError(error);
  });
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const over = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true, signal: over.signal });
  });
  client.on('error', ended.reject);
  client.on('end', () => ended.reject(new Error('Connection terminated')));
  client.on('notification', ({ channel, payload = '' }) => {
    if (channel === CHANNEL && /^[0-9]{1,19}$/.test(payload)) onKey(payload);
  });
  try {
    await query(client, `LISTEN ${CHANNEL}`);
    onConnected();
    while (!signal.aborted) {
      await Promise.race([ended.promise, stopped, delay(HEARTBEAT_MS, undefined, { ref: false })]);
      if (!signal.aborted) await query(client, 'SELECT 1');
    }
  } finally {
    // A connection that listens is nobody else's.
    over.abort();
    client.removeAllListeners('notification');
    client.release(true);
  }
}

/** Listens and reconnects until the signal fires. Never throws. */
export async function listenForVersions(pool: pg.Pool, handlers: Handlers): Promise<void> {
  const { signal } = handlers;
  let failures = 0;
  const onConnected = () => {
    failures = 0;
    handlers.onConnected();
  };
  while (!signal.aborted) {
    try {
      await listenOnce(pool, { ...handlers, onConnected });
    } catch (error) {
      if (signal.aborted) return;
      handlers.onLost?.(error);
      const pause = Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS);
      failures += 1;
      await delay(pause, undefined, { signal }).catch(() => {});
    }
  }
}
