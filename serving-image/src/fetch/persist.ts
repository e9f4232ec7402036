/** Trying again for as long as it takes: an outage is not the model's fault, and the pod has nothing else to do. */
import type { FailureReason } from '@slipway/contract';
import { ObjectStoreError, type ObjectStoreReason, type RetryOptions, retrying } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';

export interface Persistence {
  readonly log: Pick<Logger, 'warn'>;
  /** Clock and chance, where they are not the real ones. */
  readonly retry?: Pick<RetryOptions, 'sleep' | 'random'>;
}

const REASONS: Readonly<Record<ObjectStoreReason, FailureReason>> = {
  Denied: 'ObjectStorageDenied',
  BucketMissing: 'BucketMissing',
  NotFound: 'ArtifactMissing',
  Unavailable: 'ObjectStorageUnavailable',
};

/** Repeats `attempt` while the store is away, with one log line per try. What does not pass is thrown as FailureError. */
export async function persist<T>(what: string, attempt: () => Promise<T>, { log, retry }: Persistence): Promise<T> {
  try {
    return await retrying(attempt, {
      ...retry,
      firstPauseMs: 1000,
      onRetry: ({ attempt: tries, pauseMs, error }) =>
        log.warn({ what, tries, pauseMs, error: (error as Error).message }, 'object storage is away, trying again'),
    });
  } catch (error) {
    if (!(error instanceof ObjectStoreError)) throw error;
    throw new FailureError(REASONS[error.reason], error.message, { cause: error });
  }
}
