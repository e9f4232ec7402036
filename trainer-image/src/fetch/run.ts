import { CONFIG_MAPS_DIR, CREDENTIALS_DIR, FetchInputs, INPUT_DIR } from '@slipway/contract';
import { openObjectStore } from '@slipway/object-store';
import { z } from 'zod';
import {
  DeadlineSeconds,
  DeniedGraceSeconds,
  type Env,
  Json,
  parseEnv,
  readObjectStorageAccess,
} from '../environment.ts';
import type { Log } from '../log.ts';
import { persistence } from '../persist.ts';
import { fetchInputs } from './fetch.ts';

const FetchEnv = z.object({
  FETCH_INPUTS: Json.pipe(FetchInputs),
  FETCH_DEADLINE_SECONDS: DeadlineSeconds,
  DENIED_GRACE_SECONDS: DeniedGraceSeconds,
  INPUT_DIR: z.string().default(INPUT_DIR),
  CONFIG_MAPS_DIR: z.string().default(CONFIG_MAPS_DIR),
  CREDENTIALS_DIR: z.string().default(CREDENTIALS_DIR),
  BUILTIN_DATA_DIR: z.string().default('/app/data'),
});

/** `fetch` with the real store and the real clock. */
export async function runFetch(log: Log, env: Env): Promise<void> {
  const config = parseEnv(FetchEnv, env);
  await fetchInputs(config.FETCH_INPUTS, {
    inputDir: config.INPUT_DIR,
    configMapsDir: config.CONFIG_MAPS_DIR,
    builtinDir: config.BUILTIN_DATA_DIR,
    openStore: async () => openObjectStore(await readObjectStorageAccess(config.CREDENTIALS_DIR)),
    persist: persistence({
      log,
      deadline: Date.now() + config.FETCH_DEADLINE_SECONDS * 1000,
      deniedGraceMs: config.DENIED_GRACE_SECONDS * 1000,
    }),
    log,
  });
}
