/** Waiting out an outage: exponential backoff with jitter, a word for the log at every try, an end at the deadline. */
import { setTimeout as delay } from 'node:timers/promises';
import { ObjectStoreError } from './types.ts';

export interface Retry {
  /** How many tries have failed, from 1. */
  readonly attempt: number;
  readonly pauseMs: number;
  readonly error: unknown;
}

export interface RetryOptions {
  /** Aborting it rejects with its reason; a try under way is not interrupted. */
  readonly signal?: AbortSignal;
  /** True when repeating may help. The store being away, when absent. */
  readonly isTransient?: (error: unknown) => boolean;
  /** Told before every pause. */
  readonly onRetry?: (retry: Retry) => void;
  /** No try starts after this time (milliseconds since the epoch): the last error is thrown instead. Never, when absent. */
  readonly deadline?: number;
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  readonly now?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
  /** Between 0 and 1; half of every pause is chance, so that many waiters do not come back at once. */
  readonly random?: () => number;
}

/** True for an object store that is away. */
export const isStoreUnavailable = (error: unknown): boolean =>
  error instanceof ObjectStoreError && error.reason === 'Unavailable';

const sleepFor = (ms: number, signal: AbortSignal | undefined) => delay(ms, undefined, signal && { signal });

/** The result of the first try that succeeds. Throws what is not transient at once, and the last error at the deadline. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, isTransient = isStoreUnavailable, now = Date.now, sleep = sleepFor, random = Math.random } = options;
  const { firstPauseMs = 500, longestPauseMs = 30_000, deadline = Number.POSITIVE_INFINITY } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error)) throw error;
      const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt - 1, 30));
      const pauseMs = Math.round(longest * (0.5 + random() / 2));
      if (now() + pauseMs > deadline) throw error;
      options.onRetry?.({ attempt, pauseMs, error });
      await sleep(pauseMs, signal);
    }
  }
}
