/** `ship` with the real store, for as long as the pod lives. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CREDENTIALS_DIR, PREDICTION_LOG_DIR, servicePredictions } from '@slipway/contract';
import { openObjectStore } from '@slipway/object-store';
import { z } from 'zod';
import { FailureError } from '../failure.ts';
import { readCredentials } from '../fetch/credentials.ts';
import type { Logger } from '../log.ts';
import { type ShipOptions, ship } from './ship.ts';

const ShipEnv = z.object({
  PREDICTION_LOG_DIR: z.string().min(1).default(PREDICTION_LOG_DIR),
  CREDENTIALS_DIR: z.string().min(1).default(CREDENTIALS_DIR),
  POD_NAMESPACE: z.string().min(1),
  POD_NAME: z.string().min(1),
  SERVICE_NAME: z.string().min(1),
  RETENTION_SECONDS: z.coerce.number().int().min(1),
});
export type ShipConfig = z.infer<typeof ShipEnv>;

const STORE_TIMEOUT_MS = 15_000;
const AGAIN_MS = 5_000;

/** Throws FailureError(InvalidConfiguration) naming the variable that is wrong. */
export function shipConfig(env: Readonly<Record<string, string | undefined>>): ShipConfig {
  const parsed = ShipEnv.safeParse(env);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FailureError('InvalidConfiguration', `environment variable ${issue?.path.join('.')}: ${issue?.message}`);
}

/**
 * Resolves when SIGTERM has come, which a sidecar gets when the other containers have ended, and all is shipped. Nothing that
 * goes wrong ends it: a pod one of whose containers is down is not ready, and predictions are worth more than their log.
 */
export async function runShip(config: ShipConfig, log: Logger): Promise<void> {
  const stop = new AbortController();
  process.on('SIGTERM', () => stop.abort());
  const prefix = servicePredictions(config.POD_NAMESPACE, config.SERVICE_NAME);
  log.info({ prefix, retentionSeconds: config.RETENTION_SECONDS }, 'shipping predictions');
  const options: ShipOptions = {
    dir: config.PREDICTION_LOG_DIR,
    prefix,
    pod: config.POD_NAME,
    retentionMs: config.RETENTION_SECONDS * 1000,
    store: async () => openObjectStore(await readCredentials(config.CREDENTIALS_DIR), { timeoutMs: STORE_TIMEOUT_MS }),
    stopping: stop.signal,
    log,
  };
  process.on('uncaughtException', (error) => log.error({ err: error }, 'shipping goes on in spite of'));
  while (!(await isDone(options))) await sleep(AGAIN_MS);
  log.info('everything is shipped');
}

async function isDone(options: ShipOptions): Promise<boolean> {
  try {
    await ship(options);
    return true;
  } catch (error) {
    options.log.warn({ error: (error as Error).message }, 'shipping is interrupted, trying again');
    return false;
  }
}
