/** What a TrainingJob's status says, given what was seen. Pure: time comes in, nothing goes out. */
import type { Run } from '@slipway/database';
import { type NewCondition, withCondition } from '../../api/conditions.ts';
import type { Condition } from '../../api/meta.ts';
import { oneLine } from '../../api/text.ts';
import { modelVersionName } from '../model-version/names.ts';
import {
  type Attempt,
  type Cause,
  GATE_PASSED,
  REGISTERED,
  Reason,
  RUNNING,
  type RunStatus,
  SLA_MISSED,
  SUCCEEDED,
  type TrainingJob,
  type TrainingJobStatus,
} from './api.ts';
import { durationText } from './duration.ts';
import type { TickStatus } from './ticks.ts';

/** How the newest run stands: `Unknown` while it goes on. */
export interface Outcome {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** What is shown of a run beside its row. */
export interface Detail {
  readonly attempts?: readonly Attempt[];
  readonly trials?: RunStatus['trials'];
}

export interface Seen {
  /** Newest first. */
  readonly rows: readonly Run[];
  /** By run key. */
  readonly details: ReadonlyMap<string, Detail>;
  readonly outcome: Outcome;
  /** What starts when the run that goes on has ended. */
  readonly waiting?: string | undefined;
  readonly progress?: string | undefined;
  readonly ticks: TickStatus;
  readonly sla?: NewCondition | undefined;
  readonly now: Date;
}

const MAX_RUNS = 10;
const MAX_METRICS = 64;

/** The whole status after a look at the runs. */
export function statusFor(trainingJob: TrainingJob, seen: Seen): TrainingJobStatus {
  const { rows, details, ticks, progress, now } = seen;
  const runs = rows.slice(0, MAX_RUNS).map((run) => entryFor(run, details.get(run.runKey)));
  const score = scoreOf(rows) ?? trainingJob.status?.score;
  return {
    conditions: conditionsOf(trainingJob, seen, now),
    ...(runs.length > 0 && { runs }),
    ...(score !== undefined && { score }),
    ...(progress !== undefined && { progress }),
    ...ticks,
  };
}

/** The status as it was, with this outcome of the newest run. */
export function withOutcome(trainingJob: TrainingJob, outcome: Outcome, now: Date): TrainingJobStatus {
  const { status, metadata } = trainingJob;
  const at = { now, generation: metadata.generation };
  return { ...status, conditions: withCondition(status?.conditions ?? [], { type: SUCCEEDED, ...outcome }, at) };
}

function conditionsOf({ status, metadata, spec }: TrainingJob, seen: Seen, now: Date): Condition[] {
  const { rows, outcome, sla, waiting } = seen;
  const given: readonly (NewCondition | undefined)[] = [
    { type: SUCCEEDED, ...outcome },
    runningCondition(rows, outcome, waiting),
    spec.model === undefined ? undefined : registeredCondition(rows),
    gateCondition(rows),
    sla,
  ];
  const ours = new Set([RUNNING, REGISTERED, GATE_PASSED, SLA_MISSED]);
  const told = new Set(given.map((condition) => condition?.type));
  const kept = (status?.conditions ?? []).filter(({ type }) => !ours.has(type) || told.has(type));
  const at = { now, generation: metadata.generation };
  return given.filter((one) => one !== undefined).reduce((all, next) => withCondition(all, next, at), kept);
}

function runningCondition(
  rows: readonly Run[],
  { reason }: Outcome,
  waiting: string | undefined,
): NewCondition | undefined {
  const open = rows.filter(({ status }) => status === 'RUNNING');
  const [first] = open;
  if (!first) {
    return rows.length === 0
      ? undefined
      : { type: RUNNING, status: 'False', reason: 'NoRun', message: 'no run goes on' };
  }
  const others = open.length === 1 ? '' : ` and ${open.length - 1} more`;
  const message = `run ${first.runId} (${first.cause})${others} since ${(open.at(-1) ?? first).startTime}${waiting === undefined ? '' : `; ${waiting}`}`;
  return { type: RUNNING, status: 'True', reason: first === rows[0] ? reason : Reason.Running, message };
}

function registeredCondition(rows: readonly Run[]): NewCondition | undefined {
  const last = rows.find(({ status }) => status !== 'RUNNING');
  if (!last) return undefined;
  const { model, version } = last;
  if (model === undefined || version === undefined) {
    const message = 'the last run that ended registered nothing: condition Succeeded says why';
    return { type: REGISTERED, status: 'False', reason: 'NothingRegistered', message };
  }
  return { type: REGISTERED, status: 'True', reason: 'Registered', message: `version ${version} of model ${model}` };
}

/** Reasons of the condition GatePassed. */
export const GateReason = { Passed: 'GatesPassed', Failed: 'GateFailed' } as const;

function gateCondition(rows: readonly Run[]): NewCondition | undefined {
  const gate = rows.find(({ status }) => status === 'FINISHED')?.gate;
  if (!gate) return undefined;
  const message = gateText(gate);
  return gate.passed
    ? { type: GATE_PASSED, status: 'True', reason: GateReason.Passed, message }
    : { type: GATE_PASSED, status: 'False', reason: GateReason.Failed, message };
}

const MAX_GATES = 32;
const MAX_GATE_LINE = 1024;

/** One line each, those that failed first. */
const gateLines = ({ results }: NonNullable<Run['gate']>): string[] =>
  [...results]
    .sort((a, b) => Number(a.passed) - Number(b.passed))
    .slice(0, MAX_GATES)
    .map(({ passed, message }) => oneLine(`${passed ? 'passed' : 'failed'}: ${message}`.slice(0, MAX_GATE_LINE)));

/** A condition takes 32768 characters; a pod may say more than that of its gates. */
const MAX_GATE_TEXT = 16_384;

const gateText = (gate: NonNullable<Run['gate']>): string =>
  gateLines(gate).join('; ').slice(0, MAX_GATE_TEXT).toWellFormed();

function entryFor(run: Run, { attempts = [], trials }: Detail = {}): RunStatus {
  const metrics = metricStrings(run.metrics);
  return {
    runKey: run.runKey,
    runId: run.runId,
    cause: run.cause as Cause,
    ...(run.scheduledTime !== undefined && { scheduledTime: run.scheduledTime }),
    startTime: run.startTime,
    ...(run.endTime !== undefined && { endTime: run.endTime, duration: durationBetween(run.startTime, run.endTime) }),
    ...(attempts.length > 0 && { attempts: [...attempts] }),
    ...(run.version !== undefined && { version: run.version }),
    ...(Object.keys(metrics).length > 0 && { metrics }),
    ...(run.gate && run.gate.results.length > 0 && { gates: gateLines(run.gate) }),
    ...(trials && { trials }),
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

const durationBetween = (start: string, end: string): string =>
  durationText((Date.parse(end) - Date.parse(start)) / 1000);

const SCORES = ['accuracy', 'r2'] as const;

const scoreName = ({ metrics }: Run): (typeof SCORES)[number] | undefined =>
  SCORES.find((name) => metrics[name] !== undefined);

/** Of the newest run that has one. */
function scoreOf(rows: readonly Run[]): string | undefined {
  const run = rows.find((candidate) => scoreName(candidate) !== undefined);
  const name = run && scoreName(run);
  return name && rounded(run.metrics[name] as number);
}

/** The run is FINISHED: which version it made, how good it is, and what to type next. */
export function completed({ metadata, spec }: TrainingJob, run: Run): Outcome {
  const { metrics, model, version, gate } = run;
  const score = scoreName(run);
  const told = score === undefined ? '' : ` (${score} ${rounded(metrics[score] as number)})`;
  const done = { status: 'True', reason: Reason.Completed } as const;
  if (model === undefined || version === undefined) {
    return { ...done, message: `the run is finished${told}; it registered nothing, since spec.model is not set` };
  }
  const name = modelVersionName(model, version);
  if (gate && !gate.passed) {
    const failed = gateText({ ...gate, results: gate.results.filter(({ passed }) => !passed) });
    const anyway = `kubectl patch -n ${metadata.namespace} mv/${name} --type=merge -p '{"spec":{"stage":"${spec.register?.stage ?? 'Staging'}"}}'`;
    const message =
      `version ${version} of model ${model} is kept${told}, but its gates ${failed}; ` +
      `stages and aliases stay where they are; to stage it all the same: ${anyway}`;
    return { ...done, message };
  }
  const next = `kubectl wait -n ${metadata.namespace} mv/${name} --for=condition=Ready`;
  return { ...done, message: `version ${version} of model ${model} is registered${told}; next: ${next}` };
}

/** The run is FAILED or KILLED, for the reason it was closed with. */
export const failed = ({ failure, status }: Run): Outcome => ({
  status: 'False',
  reason: failure?.reason ?? Reason.TrainerFailed,
  message: failure?.message ?? `the run was closed as ${status}`,
});

/** Nothing has run yet: a schedule is waited for, or its suspension. */
export function waitingForSchedule({ metadata, spec }: TrainingJob, next: string | undefined): Outcome {
  const { namespace, name } = metadata;
  const now = `to train now: kubectl annotate -n ${namespace} tj/${name} slipway.dev/run=$(date +%s) --overwrite`;
  const lift = `kubectl patch -n ${namespace} tj/${name} --type=merge -p '{"spec":{"suspend":false}}'`;
  const message =
    next === undefined
      ? `the schedule is suspended (spec.suspend); to lift it: ${lift}`
      : `the first run starts at ${next} (${spec.schedule} in ${spec.timeZone}); ${now}`;
  return { status: 'Unknown', reason: Reason.WaitingForSchedule, message };
}
