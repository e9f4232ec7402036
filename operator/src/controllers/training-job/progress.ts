/** How far a run is that has not ended, and what keeps it waiting. Pure. */
import { Progress as ToldByTrainer } from '@slipway/contract';
import { z } from 'zod';
import type { DependencyHealth } from '../../api/health.ts';
import type { Pod } from '../../api/pod.ts';
import { unschedulableMessage, waitingFor } from '../../api/pod.ts';
import type { PodFailure } from '../../api/pod-failure.ts';
import { knownOutage } from '../outage.ts';
import { Reason, type TrainingJob, type TrainingJobSpec } from './api.ts';
import { byAge, isFinal } from './attempts.ts';
import { durationText } from './duration.ts';
import { TRAINING_JOB_LABEL } from './names.ts';

export interface Progress {
  readonly reason: string;
  readonly message: string;
}

interface Seen {
  readonly pods: readonly Pod[];
  readonly failures: readonly PodFailure[];
  readonly health: DependencyHealth;
}

const isActive = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status.phase !== 'Failed' && status.phase !== 'Succeeded';

/** Told to end (a deadline has passed, somebody deleted it), and not ended yet. */
const isStopping = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined && (status.phase === 'Running' || status.phase === 'Pending');

/** Why `Succeeded` is still Unknown. */
export function progressOf(
  { metadata }: TrainingJob,
  spec: TrainingJobSpec,
  { pods, failures, health }: Seen,
): Progress {
  const pod = byAge(pods).findLast(isActive);
  const look = `kubectl get jobs,pods -n ${metadata.namespace} -l ${TRAINING_JOB_LABEL}=${metadata.name}`;
  if (!pod) {
    if (pods.some(isStopping)) return { reason: Reason.Pending, message: 'its pod is being stopped' };
    return betweenPods(failures, spec, look);
  }
  const until = `it is tried again until spec.deadline (${spec.deadline}) has passed`;
  const waiting = waitingFor(pod);
  if (waiting) return { reason: waiting.reason, message: `${waiting.message}; ${until}` };
  const unschedulable = unschedulableMessage(pod);
  if (unschedulable !== undefined) {
    return { reason: Reason.Unschedulable, message: `no node takes the pod: ${unschedulable}; ${until}` };
  }
  return running(pod, health);
}

function betweenPods(failures: readonly PodFailure[], spec: TrainingJobSpec, look: string): Progress {
  const last = failures.at(-1);
  if (!last) return { reason: Reason.Pending, message: `waiting for a pod; what is in its way: ${look}` };
  const whatNext = isFinal(spec, failures) ? 'failed' : 'failed and is repeated';
  const message = `attempt ${failures.length} of ${spec.retries + 1} ${whatNext}: ${last.message}`;
  return { reason: Reason.Pending, message };
}

const DOING: Readonly<Record<string, string>> = {
  fetch: 'fetching the inputs',
  trainer: 'training',
  predict: 'asking models about the held-out rows',
  publish: 'publishing the result',
};

function running({ status }: Pod, health: DependencyHealth): Progress {
  // The sidecar runs beside all others and says nothing of how far the run is.
  const steps = [...status.initContainerStatuses, ...status.containerStatuses].filter(({ name }) => name in DOING);
  const active = steps.find(({ state }) => state.running);
  if (!active) {
    const hasBegun = steps.some(({ state }) => state.terminated);
    return hasBegun
      ? { reason: Reason.Running, message: 'the next container is starting' }
      : { reason: Reason.Pending, message: 'the pod is starting' };
  }
  return (
    storesNeededBy(active.name)
      .map((dependency) => knownOutage(dependency, health))
      .find((outage) => outage !== undefined) ?? {
      reason: Reason.Running,
      message: DOING[active.name] ?? '',
    }
  );
}

/** The trainer needs none: what is away while it computes does not matter to it. */
const storesNeededBy = (container: string): readonly (keyof DependencyHealth)[] => {
  if (container === 'fetch') return ['objectStorage'];
  return container === 'publish' ? ['objectStorage', 'postgres'] : [];
};

const MAX_PROGRESS = 320;
const LONGEST_TAG = 4096;

/** `40% (tree 40 of 100), about 1m20s left`, from the tag of a run that anybody who may write to the run may set. */
export function progressText(tag: string | undefined): string | undefined {
  if (tag === undefined || tag.length > LONGEST_TAG) return undefined;
  const told = Told.safeParse(tag).data;
  if (!told) return undefined;
  const { percent, message, etaSeconds } = told;
  const what = message === undefined ? '' : oneLine(message);
  const left =
    etaSeconds === undefined || percent >= 100 ? '' : `, about ${durationText(Math.min(etaSeconds, MAX_ETA))} left`;
  return `${Math.floor(percent)}%${what === '' ? '' : ` (${what})`}${left}`.slice(0, MAX_PROGRESS).toWellFormed();
}

const MAX_ETA = 999 * 3600;
const Told = z
  .string()
  .transform((text, ctx): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      ctx.addIssue('no JSON');
      return z.NEVER;
    }
  })
  .pipe(ToldByTrainer);

const oneLine = (text: string): string => text.replace(/[\s\p{C}]+/gu, ' ').trim();
