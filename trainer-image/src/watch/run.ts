import { setTimeout as delay } from 'node:timers/promises';
import { OUTPUT_DIR } from '@slipway/contract';
import { z } from 'zod';
import { type Env, parseEnv } from '../environment.ts';
import type { Log } from '../log.ts';
import { postTo } from './registry.ts';
import { Watch } from './watch.ts';

const WatchEnv = z.object({
  MLFLOW_TRACKING_URI: z.url({ protocol: /^https?$/ }),
  MLFLOW_RUN_ID: z.string().min(1),
  MLFLOW_TRACKING_TOKEN: z.string().min(1).exactOptional(),
  RUN_START_TIME: z.coerce.number().int().min(0),
  OUTPUT_DIR: z.string().default(OUTPUT_DIR),
});

const LOOK_EVERY_MS = 1000;
/** The pod is as good as over: what is not told by then is told by nobody but `publish`. */
const LAST_WORD_MS = 500;

/** Watches until SIGTERM; ends within a second of it. */
export async function runWatch(log: Log, env: Env): Promise<void> {
  const config = parseEnv(WatchEnv, env);
  const { MLFLOW_TRACKING_URI: uri, MLFLOW_RUN_ID: runId, MLFLOW_TRACKING_TOKEN: token } = config;
  const watch = new Watch({
    outputDir: config.OUTPUT_DIR,
    startTime: config.RUN_START_TIME,
    post: postTo({ uri, runId, ...(token !== undefined && { token }) }),
    now: Date.now,
    random: Math.random,
    log,
  });
  const stopping = new AbortController();
  // In place of the handler every command has: that one ends at once, and as a failure.
  process.removeAllListeners('SIGTERM');
  process.once('SIGTERM', () => stopping.abort());
  const { signal } = stopping;
  log('info', 'watching the output');
  while (!signal.aborted) {
    await watch.look(signal);
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
  await watch.finish(AbortSignal.timeout(LAST_WORD_MS));
}
