/** Is the registry there? Asked in the background; nothing waits for the answer. */
import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';

/** `disabled`: this server was not told of a registry. */
export type Tracking = 'ok' | 'unavailable' | 'disabled';

const PERIOD_MS = 15_000;
const PATIENCE_MS = 3_000;

/**
 * Asks `<url>/health` now and then, and says what the last answer was. Never throws and never keeps the process alive.
 * Until the first answer the registry counts as unavailable.
 */
export function watchRegistry(url: string | undefined, periodMs: number = PERIOD_MS): () => Tracking {
  if (url === undefined) return () => 'disabled';
  let tracking: Tracking = 'unavailable';
  const look = (): void => {
    void isHealthy(`${url.replace(/\/+$/, '')}/health`).then((isUp) => {
      tracking = isUp ? 'ok' : 'unavailable';
    });
  };
  look();
  setInterval(look, periodMs).unref();
  return () => tracking;
}

function isHealthy(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const get = url.startsWith('https:') ? getSecure : getPlain;
    // A connection of its own: a kept one would outlive the registry's pod.
    const request = get(url, { agent: false, signal: AbortSignal.timeout(PATIENCE_MS) }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
    request.on('socket', (socket) => socket.unref());
  });
}
