/** Waiting while a store is away: data or a trained model is at hand, and giving up would cost the whole run. */
import { DatabaseUnavailableError } from '@slipway/database';
import { ObjectStoreError, type ObjectStoreReason, type RetryOptions, retrying } from '@slipway/object-store';
import { FailureError } from './failure.ts';
import type { Log } from './log.ts';

/** Repeats `work` until it succeeds; FailureError when it cannot, or when the deadline has passed. */
export type Persist = <T>(what: string, work: () => Promise<T>) => Promise<T>;

export interface Persistence extends Pick<RetryOptions, 'now' | 'sleep' | 'firstPauseMs' | 'longestPauseMs'> {
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** How long a refusal is taken for credentials about to be renewed in their mounted file. */
  readonly deniedGraceMs: number;
}

/** Something outside the tenant's stores is away. It is waited for a while; then `failure` is what it comes to. */
export class AwayError extends Error {
  override readonly name = 'AwayError';
  readonly failure: FailureError;
  constructor(failure: FailureError, options?: ErrorOptions) {
    super(failure.message, options);
    this.failure = failure;
  }
}

/** A tenant's store is worth waiting for as long as the run may take; a stranger's server is not. */
const AWAY_GRACE_MS = 600_000;

const NETWORK_CODES = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE']);

const REASONS = {
  Unavailable: 'ObjectStorageUnavailable',
  Denied: 'ObjectStorageDenied',
  BucketMissing: 'BucketMissing',
  NotFound: 'InputNotFound',
} as const satisfies Record<ObjectStoreReason, string>;

/** What a store's error is called in the termination message; any other error as it is. */
export function asStoreFailure(error: unknown): unknown {
  const options = { cause: error };
  if (error instanceof AwayError) return error.failure;
  if (error instanceof ObjectStoreError) return new FailureError(REASONS[error.reason], error.message, options);
  if (error instanceof DatabaseUnavailableError) return new FailureError('PostgresUnavailable', error.message, options);
  return error;
}

type IsFresh = (since: 'denied' | 'away') => boolean;

function mayPass(error: unknown, isFresh: IsFresh): boolean {
  if (error instanceof DatabaseUnavailableError) return true;
  if (error instanceof AwayError) return isFresh('away');
  if (!(error instanceof ObjectStoreError)) return NETWORK_CODES.has((error as NodeJS.ErrnoException)?.code ?? '');
  if (error.reason === 'Denied') return isFresh('denied');
  return error.reason !== 'NotFound';
}

/** One log line a try. A bucket that is missing is waited for like a store that is away: somebody can still make it. */
export function persistence({ log, deadline, deniedGraceMs, ...options }: Persistence): Persist {
  const now = options.now ?? Date.now;
  return async (what, work) => {
    const first = new Map<'denied' | 'away', number>();
    const grace = { denied: deniedGraceMs, away: AWAY_GRACE_MS };
    const isFresh: IsFresh = (what) => {
      const since = first.get(what) ?? now();
      first.set(what, since);
      return now() - since < grace[what];
    };
    try {
      return await retrying(work, {
        ...options,
        deadline,
        isTransient: (error) => mayPass(error, isFresh),
        onRetry: ({ attempt, pauseMs, error }) =>
          log('warn', 'a store is away, trying again', { what, attempt, pauseMs, error: (error as Error).message }),
      });
    } catch (error) {
      throw asStoreFailure(error);
    }
  };
}
