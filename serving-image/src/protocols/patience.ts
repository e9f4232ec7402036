/** What clients ask the operator for takes its time: how long each is kept waiting, and how many at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { AbortedError } from '../request/body.ts';
import { overloaded } from '../request/refusal.ts';
import { isAway, type Patience, wantsAsync } from './operator-client.ts';

export interface PatienceOptions {
  /** How long a client is kept waiting for the result. */
  readonly waitMs: number;
  /** Fires while the process drains, when it is time to answer whoever still waits. */
  readonly hurry: AbortSignal;
}

/** Requests that wait for a result beyond this are refused with 429. */
export const MAX_WAITING = 32;
/** How long one question to the operator may take: short enough that its end is noticed when the operator restarts. */
const WAIT_SECONDS = 10;
const PAUSE_MS = 1_000;

/**
 * The answer once it is no longer `going`; or as it stands when this client wants no more of it: at once with
 * `Prefer: respond-async`, when its time is up, when it has gone, when the process drains. `look` asks again.
 */
export async function outcomeFor<T extends { readonly status: string }>(
  { request, response }: { readonly request: Request; readonly response: Response },
  { waitMs, hurry }: PatienceOptions,
  { started, going, look }: { started: T; going: T['status']; look: (patience: Patience) => Promise<T> },
): Promise<T> {
  const isAsync = wantsAsync(request.headers);
  if (isAsync) {
    response.set('preference-applied', 'respond-async');
    return started;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const until = AbortSignal.any([hurry, gone.signal, AbortSignal.timeout(waitMs)]);
  let answer = started;
  while (answer.status === going && !until.aborted) {
    try {
      answer = await look({ waitSeconds: WAIT_SECONDS, signal: until });
    } catch (error) {
      // It goes on whoever is away; a client that still waits hears of its end, or where to look.
      if (!isAway(error)) throw error;
      await sleep(PAUSE_MS, undefined, { signal: until }).catch(() => {});
    }
  }
  return answer;
}

/** Runs what it is given for MAX_WAITING clients at once; a client that goes away while it sends is nobody's business. */
export function waitingRoom(): (work: () => Promise<void>) => Promise<void> {
  let waiting = 0;
  return async (work) => {
    if (waiting >= MAX_WAITING) throw overloaded();
    waiting++;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof AbortedError)) throw error;
    } finally {
      waiting--;
    }
  };
}
