/**
 * Requests for runs are rows that any replica may insert; the one that leads looks for them and lets the TrainingJob
 * controller start them. Those for a TrainingJob that is not there are refused. One statement per look.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RequestStore } from '@slipway/database';
import type { ObjectKey } from '../api/meta.ts';
import { TrainingJob } from '../controllers/training-job/api.ts';
import type { RuntimeContext } from '../runtime/process-key.ts';
import { found } from './sweep.ts';

export interface RequestPollOptions {
  readonly requests: Pick<RequestStore, 'waiting' | 'pending' | 'refuse'>;
  /** Lets the TrainingJob controller look at an object. */
  readonly look: (key: ObjectKey) => void;
  /** Namespaces to look after; none: all. */
  readonly watched: readonly string[];
  readonly everyMs?: number;
}

const EVERY_MS = 2_500;
/** The cache may be this much behind whoever accepted the request. */
const GRACE_MS = 60_000;

/** One look: every TrainingJob with waiting requests is looked at, and what waits for one that is gone is refused. */
export async function lookForRequests(
  { requests, look, watched }: RequestPollOptions,
  { kube, now }: Pick<RuntimeContext, 'kube' | 'now'>,
): Promise<void> {
  for (const { namespace, trainingJob: name } of await requests.waiting()) {
    if (watched.length > 0 && !watched.includes(namespace)) continue;
    const trainingJob = found(() => kube.get(TrainingJob, { namespace, name }));
    // Its own key backs off; a look every few seconds would undo that.
    if (trainingJob === 'unreadable') continue;
    if (trainingJob) look({ namespace, name });
    else await refuseAll(requests, { namespace, name }, now());
  }
}

async function refuseAll(
  requests: RequestPollOptions['requests'],
  { namespace, name }: ObjectKey,
  now: Date,
): Promise<void> {
  for (const { requestId, requestedAt } of await requests.pending(namespace, name)) {
    if (now.getTime() - Date.parse(requestedAt) < GRACE_MS) continue;
    await requests.refuse(namespace, requestId, `there is no TrainingJob ${name} in namespace ${namespace}`);
  }
}

/** Looks until the context's signal fires. Never throws. */
export const createRequestPoll =
  (options: RequestPollOptions) =>
  async (ctx: RuntimeContext): Promise<void> => {
    let isAway = false;
    while (!ctx.signal.aborted) {
      await delay(options.everyMs ?? EVERY_MS, undefined, { signal: ctx.signal }).catch(() => {});
      if (ctx.signal.aborted) return;
      try {
        await lookForRequests(options, ctx);
        isAway = false;
      } catch (error) {
        if (!isAway) ctx.log.warn({ error }, 'requests for runs were not looked for, will try again');
        isAway = true;
      }
    }
  };
