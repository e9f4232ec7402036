/** `batch` with the real store and service. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OBJECT_STORAGE_KEY } from '@slipway/contract';
import { openObjectStore } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import { readCredentials } from '../fetch/credentials.ts';
import type { Logger } from '../log.ts';
import { type BatchStore, batch } from './batch.ts';
import { batchOptions } from './options.ts';
import { batchService } from './service.ts';

const STORE_TIMEOUT_MS = 15_000;

/** Reads the command line. Throws FailureError. */
export async function runBatch(args: readonly string[], log: Logger): Promise<void> {
  const options = batchOptions(args);
  const file = options['api-key-file'];
  // One that is not there is told at once, not for as long as a service that is away is waited for.
  if (file !== undefined) await keyIn(file);
  const credential = file === undefined ? undefined : () => keyIn(file);
  const service = batchService({ url: options.service, credential, log });
  await batch(options, { store: storeWith(options.credentials), service, log });
}

async function keyIn(file: string): Promise<string> {
  const key = await readFile(file, 'utf8').catch(({ code }: NodeJS.ErrnoException) => {
    throw new FailureError(
      'InvalidConfiguration',
      `batch --api-key-file cannot be read (${code}); mount the Secret there`,
    );
  });
  return key.trim();
}

/** The store as the mounted credential says now; opened anew when that has changed. */
function storeWith(dir: string): () => Promise<BatchStore> {
  let open: { readonly text: string; readonly store: BatchStore } | undefined;
  return async () => {
    const text = await readFile(join(dir, OBJECT_STORAGE_KEY), 'utf8').catch(() => '');
    if (open?.text !== text) {
      open = { text, store: openObjectStore(await readCredentials(dir), { timeoutMs: STORE_TIMEOUT_MS }) };
    }
    return open.store;
  };
}
