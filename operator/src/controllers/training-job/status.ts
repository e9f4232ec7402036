/** What a TrainingJob's status says, given what was seen. Pure: time comes in, nothing goes out. */
import type { Run } from '@slipway/database';
import { withCondition } from '../../api/conditions.ts';
import { modelVersionName } from '../model-version/names.ts';
import { type Attempt, Reason, type RunStatus, SUCCEEDED, type TrainingJob, type TrainingJobStatus } from './api.ts';

/** How the run stands: `Unknown` while it goes on. */
export interface Outcome {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

interface Seen {
  readonly run: Run;
  readonly attempts: readonly Attempt[];
  readonly outcome: Outcome;
  /** Earlier runs that were closed because this one replaces them. */
  readonly closed: readonly Run[];
  readonly now: Date;
}

const MAX_RUNS = 10;
const MAX_METRICS = 64;

/** The whole status after a look at the last run. */
export function statusFor(trainingJob: TrainingJob, seen: Seen): TrainingJobStatus {
  const { run, attempts } = seen;
  const before = trainingJob.status?.runs ?? [];
  const earlier = before.filter(({ runKey }) => runKey !== run.runKey).map((entry) => closedEntry(entry, seen.closed));
  const cause = before.find(({ runKey }) => runKey === run.runKey)?.cause ?? causeOf(earlier);
  const runs = [entryFor(run, cause, attempts), ...earlier].slice(0, MAX_RUNS);
  return { ...withOutcome(trainingJob, seen.outcome, seen.now), runs };
}

/** The status as it was, with this outcome of the last run. */
export function withOutcome(trainingJob: TrainingJob, outcome: Outcome, now: Date): TrainingJobStatus {
  const { status, metadata } = trainingJob;
  const at = { now, generation: metadata.generation };
  return { ...status, conditions: withCondition(status?.conditions ?? [], { type: SUCCEEDED, ...outcome }, at) };
}

const causeOf = (earlier: readonly RunStatus[]): RunStatus['cause'] =>
  earlier.length === 0 ? 'Created' : 'SpecChanged';

function closedEntry(entry: RunStatus, closed: readonly Run[]): RunStatus {
  const run = closed.find(({ runKey }) => runKey === entry.runKey);
  return run ? entryFor(run, entry.cause, entry.attempts) : entry;
}

function entryFor(run: Run, cause: RunStatus['cause'], attempts: readonly Attempt[] = []): RunStatus {
  const metrics = metricStrings(run.metrics);
  return {
    runKey: run.runKey,
    runId: run.runId,
    cause,
    startTime: run.startTime,
    ...(run.endTime !== undefined && { endTime: run.endTime, duration: durationBetween(run.startTime, run.endTime) }),
    ...(attempts.length > 0 && { attempts: [...attempts] }),
    ...(run.version !== undefined && { version: run.version }),
    ...(Object.keys(metrics).length > 0 && { metrics }),
  };
}

/** Six significant digits, as people compare them; the registry keeps the exact values. */
const metricStrings = (metrics: Run['metrics']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(metrics)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, MAX_METRICS)
      .map(([name, value]) => [name, rounded(value)]),
  );

const rounded = (value: number): string => String(Number(value.toPrecision(6)));

/** `42s`, `3m5s`, `2h7m`. */
export function durationBetween(start: string, end: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(end) - Date.parse(start)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
}

const SCORES = ['accuracy', 'r2'] as const;

/** The run is FINISHED: which version it made, how good it is, and what to type next. */
export function completed(namespace: string, { metrics, model, version }: Run): Outcome {
  const score = SCORES.find((name) => metrics[name] !== undefined);
  const told = score === undefined ? '' : ` (${score} ${rounded(metrics[score] as number)})`;
  const done = { status: 'True', reason: Reason.Completed } as const;
  if (model === undefined || version === undefined) {
    return { ...done, message: `the run is finished${told}; it registered nothing, since spec.model is not set` };
  }
  const name = modelVersionName(model, version);
  const next = `kubectl wait -n ${namespace} mv/${name} --for=condition=Ready`;
  return { ...done, message: `version ${version} of model ${model} is registered${told}; next: ${next}` };
}

/** The run is FAILED or KILLED, for the reason it was closed with. */
export const failed = ({ failure, status }: Run): Outcome => ({
  status: 'False',
  reason: failure?.reason ?? Reason.TrainerFailed,
  message: failure?.message ?? `the run was closed as ${status}`,
});
