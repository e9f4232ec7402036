/** From the pods of a run to its attempts, and from the last of them to why the run failed. Pure. */
import { EXIT_TERMINAL } from '@slipway/contract';
import { failedCondition, type Job } from '../../api/batch-job.ts';
import { findCondition } from '../../api/conditions.ts';
import type { Pod } from '../../api/pod.ts';
import {
  CONTAINER_FAILED,
  DISRUPTED,
  EVICTED,
  OUT_OF_MEMORY,
  type PodFailure,
  podFailure,
} from '../../api/pod-failure.ts';
import { type Attempt, Reason, SUCCEEDED, type TrainingJob, type TrainingJobSpec } from './api.ts';

const MAX_ATTEMPTS = 11;

const age = ({ metadata }: Pod): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`;

/** The pods in the order they were made. */
export const byAge = (pods: readonly Pod[]): Pod[] => [...pods].sort((a, b) => (age(a) < age(b) ? -1 : 1));

/** The attempts that failed, oldest first, in words for whoever wrote `spec`. */
export const failuresOf = (pods: readonly Pod[], spec: TrainingJobSpec): PodFailure[] =>
  byAge(pods)
    .map(podFailure)
    .filter((failure) => failure !== undefined)
    .map((failure) => inWordsOfTraining(failure, spec));

/** What failed inside a user's own container is the trainer's; the words tell which field to change. */
function inWordsOfTraining(failure: PodFailure, spec: TrainingJobSpec): PodFailure {
  const { container, reason, message } = failure;
  if (reason === CONTAINER_FAILED && container === 'trainer') return { ...failure, reason: Reason.TrainerFailed };
  if (reason === EVICTED) return { ...failure, reason: Reason.Evicted, message: `${message}; ${lessDisk(message)}` };
  if (reason !== OUT_OF_MEMORY) return failure;
  const raise = `: raise ${memoryField(spec)}, or train on less data`;
  return { ...failure, reason: Reason.OOMKilled, message: container === 'trainer' ? `${message}${raise}` : message };
}

const memoryField = ({ container }: TrainingJobSpec): string =>
  container?.resources?.limits ? 'spec.container.resources.limits.memory' : 'spec.resources.limits.memory';

/** The kubelet names the volume or the container whose limit was exceeded. */
function lessDisk(message: string): string {
  const [, volume] = /EmptyDir volume "([\w-]+)"/i.exec(message) ?? [];
  if (volume === 'input') return '/input is full: give fewer or smaller inputs';
  if (volume === 'output') return '/output is full: write less there';
  if (volume?.startsWith('tmp')) return '/tmp is full: write less there';
  return 'it wrote more to its disk than it may: write less, or raise limits.ephemeral-storage';
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

const KILLED_EXIT_CODES: ReadonlySet<number | undefined> = new Set([137, 143]);

/** Of a run that ended at its deadline the attempt that was stopped for it did not fail by itself. */
export function stoppedAtDeadline(failures: readonly PodFailure[]): readonly PodFailure[] {
  const last = failures.at(-1);
  if (last?.reason !== Reason.TrainerFailed || !KILLED_EXIT_CODES.has(last.exitCode)) return failures;
  return [...failures.slice(0, -1), { ...last, reason: Reason.DeadlineExceeded }];
}

const LAG_MS = 15_000;

/** True while the pods the Job counts as failed have not been seen to fail: the two watches are not in step. */
export function podsLag(job: Job, failures: readonly PodFailure[], now: Date): boolean {
  const given = failedCondition(job);
  if (failures.length > 0 || !given || given.reason === 'DeadlineExceeded') return false;
  return now.getTime() - Date.parse(given.lastTransitionTime ?? '') < LAG_MS;
}

/** Why a run whose Job has given up failed, for a person to fix it. `waited` is what it was last seen to wait for. */
export function failureOf(
  spec: TrainingJobSpec,
  job: Job,
  failures: readonly PodFailure[],
  waited?: string,
): { reason: string; message: string } {
  const given = failedCondition(job);
  const last = failures.findLast(({ reason }) => reason !== DISRUPTED);
  if (given?.reason === 'DeadlineExceeded') return deadlineExceeded(spec, waited ?? last?.message);
  if (!last) return { reason: Reason.TrainerFailed, message: given?.message ?? 'the Job ended without a result' };
  const counted = failures.filter(({ reason }) => reason !== DISRUPTED).length;
  const tries = counted > 1 ? `${counted} attempts failed, the last one: ` : '';
  return { reason: last.reason, message: `${tries}${last.message}${whyNotAgain(spec, last)}` };
}

/** True when the Job makes no other pod after these failures, and only has not said so yet. */
export function isFinal(spec: TrainingJobSpec, failures: readonly PodFailure[]): boolean {
  const last = failures.at(-1);
  if (!last || last.reason === DISRUPTED) return false;
  const counted = failures.filter(({ reason }) => reason !== DISRUPTED).length;
  // The exit codes of a user's own container are the user's.
  const isOurs = last.container !== 'trainer' || spec.algorithm !== undefined;
  const isTerminal = isOurs && last.exitCode === EXIT_TERMINAL;
  return counted > spec.retries || isTerminal || whyNotAgain(spec, last) !== '';
}

function whyNotAgain({ nonRetriableExitCodes = [] }: TrainingJobSpec, { container, exitCode }: PodFailure): string {
  if (container !== 'trainer' || exitCode === undefined || !nonRetriableExitCodes.includes(exitCode)) return '';
  return `; not retried: spec.nonRetriableExitCodes has ${exitCode}`;
}

/** The deadline has passed: what the run was last waiting for, or last failed with, is what to look at. */
export function deadlineExceeded(spec: TrainingJobSpec, before?: string): { reason: string; message: string } {
  const why = before === undefined ? '' : `; before that: ${before}`;
  const message = `the run was not done within its deadline of ${spec.deadline}: raise spec.deadline${why}`;
  return { reason: Reason.DeadlineExceeded, message };
}

/** What this run was last said to wait for; undefined when all went its way, or when the status is about another run. */
export function waitedFor({ status }: TrainingJob, runKey: string): string | undefined {
  if (status?.runs?.[0]?.runKey !== runKey) return undefined;
  const before = findCondition(status?.conditions, SUCCEEDED);
  return before?.status === 'Unknown' && !CALM.has(before.reason) ? before.message : undefined;
}

const CALM: ReadonlySet<string> = new Set([Reason.Pending, Reason.Running, Reason.WaitingForSchedule]);
