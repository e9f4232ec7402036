/** Trying again for as long as it takes: an outage is not the model's fault, and the pod has nothing else to do. */
import { ObjectStoreError } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';

export interface Persistence {
  readonly log: Pick<Logger, 'warn'>;
  readonly sleep: (milliseconds: number) => Promise<unknown>;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const CONNECTION_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Repeats `attempt` while the store is away, with one log line per try. What does not pass is thrown as FailureError. */
export async function persist<T>(what: string, attempt: () => Promise<T>, { log, sleep }: Persistence): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isOutage(error)) throw withReason(error);
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10));
      log.warn({ what, tries, pauseMs, error: (error as Error).message }, 'object storage is away, trying again');
      await sleep(pauseMs);
    }
  }
}

function isOutage(error: unknown): boolean {
  if (error instanceof ObjectStoreError) return error.reason === 'Unavailable';
  return CONNECTION_CODES.has((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

function withReason(error: unknown): unknown {
  if (!(error instanceof ObjectStoreError)) return error;
  const reason = (
    {
      Denied: 'ObjectStorageDenied',
      BucketMissing: 'BucketMissing',
      NotFound: 'ArtifactMissing',
      Unavailable: 'ObjectStorageUnavailable',
    } as const
  )[error.reason];
  return new FailureError(reason, error.message, { cause: error });
}
