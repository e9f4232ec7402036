/** From the pods of a run to its attempts, and from the last of them to why the run failed. Pure. */
import { failedCondition, type Job } from '../../api/batch-job.ts';
import { findCondition } from '../../api/conditions.ts';
import type { Pod } from '../../api/pod.ts';
import { CONTAINER_FAILED, DISRUPTED, OUT_OF_MEMORY, type PodFailure, podFailure } from '../../api/pod-failure.ts';
import { type Attempt, Reason, SUCCEEDED, type TrainingJob } from './api.ts';

const MAX_ATTEMPTS = 11;

const age = ({ metadata }: Pod): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`;

/** The pods in the order they were made. */
export const byAge = (pods: readonly Pod[]): Pod[] => [...pods].sort((a, b) => (age(a) < age(b) ? -1 : 1));

/** The attempts that failed, oldest first. */
export const failuresOf = (pods: readonly Pod[]): PodFailure[] =>
  byAge(pods)
    .map(podFailure)
    .filter((failure) => failure !== undefined)
    .map(inWordsOfTraining);

/** What failed inside a user's own container is the trainer's; the words tell which memory to raise. */
function inWordsOfTraining(failure: PodFailure): PodFailure {
  const { container, reason, message } = failure;
  if (reason === CONTAINER_FAILED && container === 'trainer') return { ...failure, reason: Reason.TrainerFailed };
  if (reason !== OUT_OF_MEMORY || container !== 'trainer') return failure;
  return { ...failure, message: `${message}: raise spec.container.resources.limits.memory, or train on less data` };
}

/** As status shows them. A Job that had to be made again starts to count anew: the longer memory is kept. */
export function attemptsOf(failures: readonly PodFailure[], before: readonly Attempt[] = []): Attempt[] {
  if (before.length > failures.length) return [...before];
  return failures.slice(-MAX_ATTEMPTS).map(({ exitCode, reason, log }) => ({
    ...(exitCode !== undefined && { exitCode }),
    reason,
    ...(log !== undefined && { log }),
  }));
}

const LAG_MS = 15_000;

/** True while the pods the Job counts as failed have not been seen to fail: the two watches are not in step. */
export function podsLag(job: Job, failures: readonly PodFailure[], now: Date): boolean {
  const given = failedCondition(job);
  if (failures.length > 0 || !given || given.reason === 'DeadlineExceeded') return false;
  return now.getTime() - Date.parse(given.lastTransitionTime ?? '') < LAG_MS;
}

/** Why a run whose Job has given up failed, for a person to fix it. */
export function failureOf(
  trainingJob: TrainingJob,
  job: Job,
  failures: readonly PodFailure[],
): { reason: string; message: string } {
  const given = failedCondition(job);
  const last = failures.findLast(({ reason }) => reason !== DISRUPTED);
  if (given?.reason === 'DeadlineExceeded') return deadlineExceeded(trainingJob, last);
  if (!last) return { reason: Reason.TrainerFailed, message: given?.message ?? 'the Job ended without a result' };
  const counted = failures.filter(({ reason }) => reason !== DISRUPTED).length;
  const tries = counted > 1 ? `${counted} attempts failed, the last one: ` : '';
  return { reason: last.reason, message: `${tries}${last.message}` };
}

/** The deadline has passed: what the run was last waiting for, or last failed with, is what to look at. */
export function deadlineExceeded(
  { spec, status }: TrainingJob,
  last?: PodFailure,
): { reason: string; message: string } {
  const before = findCondition(status?.conditions, SUCCEEDED);
  const waited = before?.status === 'Unknown' && !CALM.has(before.reason) ? before.message : undefined;
  const cause = waited ?? last?.message;
  const why = cause === undefined ? '' : `; before that: ${cause}`;
  const message = `the run was not done within its deadline of ${spec.deadline}: raise spec.deadline${why}`;
  return { reason: Reason.DeadlineExceeded, message };
}

const CALM: ReadonlySet<string> = new Set([Reason.Pending, Reason.Running]);
