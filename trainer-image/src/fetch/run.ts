import { CONFIG_MAPS_DIR, CREDENTIALS_DIR, FetchInputs, INPUT_DIR, REFERENCES_DIR } from '@slipway/contract';
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
import { type MayConnect, mayConnectTo } from './addresses.ts';
import { fetchInputs } from './fetch.ts';

/** `10.1.0.0/16,fd12::/16` */
const Cidrs = z
  .string()
  .default('')
  .transform((text, context): MayConnect => {
    try {
      return mayConnectTo(
        text
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== ''),
      );
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });

const FetchEnv = z.object({
  FETCH_INPUTS: Json.pipe(FetchInputs),
  FETCH_DEADLINE_SECONDS: DeadlineSeconds,
  DENIED_GRACE_SECONDS: DeniedGraceSeconds,
  /** Ranges of addresses that are not public and yet may be fetched from. */
  HTTPS_INPUT_CIDRS: Cidrs,
  INPUT_DIR: z.string().default(INPUT_DIR),
  REFERENCES_DIR: z.string().default(REFERENCES_DIR),
  CONFIG_MAPS_DIR: z.string().default(CONFIG_MAPS_DIR),
  CREDENTIALS_DIR: z.string().default(CREDENTIALS_DIR),
  BUILTIN_DATA_DIR: z.string().default('/app/data'),
});

/** `fetch` with the real stores and the real clock. */
export async function runFetch(log: Log, env: Env): Promise<void> {
  const config = parseEnv(FetchEnv, env);
  await fetchInputs(config.FETCH_INPUTS, {
    inputDir: config.INPUT_DIR,
    referencesDir: config.REFERENCES_DIR,
    configMapsDir: config.CONFIG_MAPS_DIR,
    builtinDir: config.BUILTIN_DATA_DIR,
    // Loading the client takes longer than reading a ConfigMap does.
    openStore: async () => {
      const { openObjectStore } = await import('@slipway/object-store');
      return openObjectStore(await readObjectStorageAccess(config.CREDENTIALS_DIR));
    },
    web: { mayConnect: config.HTTPS_INPUT_CIDRS },
    persist: persistence({
      log,
      deadline: Date.now() + config.FETCH_DEADLINE_SECONDS * 1000,
      deniedGraceMs: config.DENIED_GRACE_SECONDS * 1000,
    }),
    log,
  });
}
