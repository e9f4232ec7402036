/** What the verification Job has come to. Pure. */
import { parseTerminationMessage, type VerifyReport } from '@slipway/contract';
import { failedCondition, isFinished, type Job } from '../../api/batch-job.ts';
import type { DependencyHealth } from '../../api/health.ts';
import { isControlledBy, type ObjectKey } from '../../api/meta.ts';
import { containerStatuses, type Pod, unschedulableMessage, waitingFor } from '../../api/pod.ts';
import { CONTAINER_FAILED, DISRUPTED, OUT_OF_MEMORY, type PodFailure, podFailure } from '../../api/pod-failure.ts';
import { knownOutage } from '../outage.ts';
import { Reason } from './api.ts';
import { LOADER } from './job.ts';

export interface Words {
  readonly reason: string;
  readonly message: string;
}

export type Verdict =
  | ({ readonly kind: 'underWay' } & Words)
  | { readonly kind: 'proven'; readonly report: VerifyReport }
  /** `container` is where it failed. */
  | ({ readonly kind: 'failed'; readonly container?: string } & Words)
  /** The Job is over, but no pod of it is there to say how. */
  | { readonly kind: 'unheard' };

/** Reasons that lie in the bytes themselves: repeating would only repeat them. Everything else is tried again. */
const FINAL: ReadonlySet<string> = new Set([
  'InvalidModel',
  'UnsupportedOperator',
  'SignatureMismatch',
  'LoadTimeout',
  'ParityFailed',
  OUT_OF_MEMORY,
  Reason.FormatNotServable,
]);
export const isFinal = (reason: string): boolean => FINAL.has(reason);

/** `key` is where the Job is or will be. */
export function verdictOf(
  key: ObjectKey,
  { job, pods: allPods, health }: { job: Job | undefined; pods: readonly Pod[]; health: DependencyHealth },
): Verdict {
  if (!job) return noPod(key);
  // A Job made again has the name of the one before it, but other pods.
  const pods = allPods.filter((pod) => isControlledBy(pod, job));
  const report = pods.map(reportOf).find((found) => found !== undefined);
  if (report) return { kind: 'proven', report };
  if (!isFinished(job)) return underWay(key, pods, health);
  const failed = failedCondition(job);
  if (failed?.reason === 'DeadlineExceeded') {
    const last = pods.map(podFailure).findLast((failure) => failure !== undefined);
    const why = last ? `; the last attempt: ${last.message}` : '';
    return { kind: 'failed', reason: Reason.VerifierFailed, message: `it could not be verified in time${why}` };
  }
  const failures = pods.map(podFailure).filter((failure) => failure !== undefined);
  const last = failures.findLast(({ reason }) => reason !== DISRUPTED) ?? failures.at(-1);
  return last ? failureOf(last) : { kind: 'unheard' };
}

/** The same before and after its Job is there, so that a start is told once. */
const noPod = ({ namespace, name }: ObjectKey): Verdict =>
  pending(`waiting for its pod; what is in its way: kubectl describe job ${name} -n ${namespace}`);
const pending = (message: string): Verdict => ({ kind: 'underWay', reason: Reason.Pending, message });

function reportOf(pod: Pod): VerifyReport | undefined {
  if (pod.status.phase !== 'Succeeded') return undefined;
  const verify = pod.status.containerStatuses.find(({ name }) => name === 'verify');
  const told = parseTerminationMessage(verify?.state.terminated?.message);
  return told?.reason === 'Verified' ? told : undefined;
}

function failureOf({ reason, message, container }: PodFailure): Verdict {
  return { kind: 'failed', ...wordsFor(reason, message, container), ...(container !== undefined && { container }) };
}

/** Only `verify` holds the model in memory: that `fetch` ran out of it says nothing of the model. */
function wordsFor(reason: string, message: string, container: string | undefined): Words {
  if (reason === OUT_OF_MEMORY && container === 'verify') {
    const limit = LOADER.limits.memory;
    return { reason, message: `the model needs more memory than the verifier may use (${limit}): make it smaller` };
  }
  const isOurs = reason === CONTAINER_FAILED || reason === OUT_OF_MEMORY;
  return { reason: isOurs ? Reason.VerifierFailed : reason, message };
}

function underWay(key: ObjectKey, pods: readonly Pod[], health: DependencyHealth): Verdict {
  const pod = pods.find(({ status }) => status.phase === 'Pending' || status.phase === 'Running');
  if (!pod) return noPod(key);
  const waiting = waitingFor(pod);
  if (waiting) return { kind: 'underWay', reason: waiting.reason, message: `${waiting.message}; it is tried again` };
  const unschedulable = unschedulableMessage(pod);
  if (unschedulable !== undefined) {
    return { kind: 'underWay', reason: Reason.Unschedulable, message: `no node takes the pod: ${unschedulable}` };
  }
  return running(pod, health);
}

function running(pod: Pod, health: DependencyHealth): Verdict {
  const active = containerStatuses(pod).find(({ state }) => state.running);
  if (!active) return pending('the pod of the verification is starting');
  const outage = active.name === 'fetch' ? knownOutage('objectStorage', health) : undefined;
  if (outage) return { kind: 'underWay', ...outage };
  const message = active.name === 'fetch' ? 'the files are being fetched' : 'the model is being loaded and tested';
  return { kind: 'underWay', reason: Reason.Verifying, message };
}
