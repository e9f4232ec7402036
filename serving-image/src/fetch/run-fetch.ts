import { artifactDigest, type FetchReport } from '@slipway/contract';
import { openObjectStore } from '@slipway/object-store';
import type { FetchConfig } from '../config.ts';
import type { Logger } from '../log.ts';
import { readCredentials } from './credentials.ts';
import { fetchModel } from './fetch.ts';

/** Longer than any healthy store takes to answer; a stream that stalls this long is tried again. */
const STORE_TIMEOUT_MS = 15_000;

/** `fetch` with the real store; what it brought. */
export async function runFetch(config: FetchConfig, log: Logger): Promise<FetchReport> {
  const access = await readCredentials(config.CREDENTIALS_DIR);
  const store = openObjectStore(access, { timeoutMs: STORE_TIMEOUT_MS });
  const files = await fetchModel(config.MODEL_ARTIFACT, store, config.MODEL_DIR, { log });
  return { stage: 'fetch', reason: 'Fetched', message: `${files.length} files`, digest: artifactDigest(files) };
}
