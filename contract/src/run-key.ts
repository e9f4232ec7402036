/**
 * The identity of one training run. Everything made for a run (Job, run row, object keys, version) is named from its
 * key, so repeating any step after a crash finds what the first try made.
 */
import { sha256Hex, shortHash } from './hash.ts';

/** What makes a run happen; two triggers that are equal are the same run, however often they are seen. */
export type Trigger =
  /** The generation of the last change that asks for training. */
  | { readonly kind: 'spec'; readonly generation: number }
  /** A tick of the schedule (whole seconds). */
  | { readonly kind: 'schedule'; readonly at: Date }
  /** The token of the annotation `slipway.dev/run`. */
  | { readonly kind: 'manual'; readonly token: string }
  /** A row of `run_requests`. */
  | { readonly kind: 'request'; readonly requestId: string };

/** `<TrainingJob uid>/g<generation>`, `/s<seconds since the epoch>`, `/t<hash of the token>` or `/r<request id>`. */
export function runKeyFor(ownerUid: string, trigger: Trigger): string {
  if (trigger.kind === 'spec') return `${ownerUid}/g${trigger.generation}`;
  if (trigger.kind === 'schedule') return `${ownerUid}/s${Math.floor(trigger.at.getTime() / 1000)}`;
  if (trigger.kind === 'manual') return `${ownerUid}/t${shortHash(trigger.token, 16)}`;
  return `${ownerUid}/r${trigger.requestId}`;
}

/** The key of trial `index` (from 0) of a search. */
export const trialKeyFor = (searchKey: string, index: number): string => `${searchKey}/c${index}`;

/** The MLflow run id of a run key: 32 lower-case hex characters, the same for the same key for ever. */
export const runIdFor = (runKey: string): string => sha256Hex(runKey).slice(0, 32);
