/**
 * Leaving without dropping a request: not ready at once, `Connection: close` on every reply while proxies learn that
 * this pod is leaving, then no new connections, then whatever is in flight, then the end.
 */
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { ServerState } from '../request/state.ts';

const IDLE_SWEEP_MS = 50;
/** Longer than any request may take. Only a client that reads nothing is cut off by it. */
const PATIENCE_MS = 20_000;

export interface DrainOptions {
  readonly server: Server;
  readonly state: ServerState;
  readonly delayMs: number;
  readonly log: Logger;
}

/** Resolves when the last request has been answered and the model is released. May be called once. */
export async function drain({ server, state, delayMs, log }: DrainOptions): Promise<void> {
  log.info({ delayMs }, 'draining');
  state.isDraining = true;
  if (state.model) await sleep(delayMs);
  await closed(server);
  await state.model?.release();
  log.info('drained');
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), PATIENCE_MS);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
  });
}
