/** From what a turn saw and did to the status, when to look again, and what to tell. Pure. */
import type { Run } from '@slipway/database';
import { findCondition } from '../../api/conditions.ts';
import type { DependencyHealth } from '../../api/health.ts';
import type { Note, Result } from '../../runtime/reconcile.ts';
import type { TrainingCounters } from '../ports.ts';
import { GATE_PASSED, Reason, SLA_MISSED, SUCCEEDED, type TrainingJob, type TrainingJobStatus } from './api.ts';
import { attemptsOf, stoppedAtDeadline } from './attempts.ts';
import { timeText } from './duration.ts';
import type { Plan, Start } from './plan.ts';
import { progressOf, progressText } from './progress.ts';
import type { Driven } from './reconcile-run.ts';
import { msUntilTick } from './settled.ts';
import { type Expected, msUntilLate, newlyLate, SlaReason, slaCondition } from './sla.ts';
import { type SearchStatus, searchStatus } from './standing.ts';
import { completed, type Detail, failed, GateReason, type Outcome, statusFor, waitingForSchedule } from './status.ts';

/** A run that goes on is looked at this often: progress and metrics come without anybody being told. */
const POLL_MS = 5_000;
/** Something can start now. */
const AT_ONCE_MS = 50;

export interface Turned {
  /** Newest first. */
  readonly driven: readonly Driven[];
  readonly plan: Plan;
  readonly expected: readonly Expected[];
  /** Keys of the runs that were started in this turn. */
  readonly startedNow: ReadonlySet<string>;
  /** What is wrong with the annotation that asks for a run. */
  readonly problem?: string;
  readonly health: DependencyHealth;
  readonly counters: TrainingCounters;
  readonly now: Date;
}

const isOpen = ({ run }: Driven): boolean => run.status === 'RUNNING';

export function resultFor(trainingJob: TrainingJob, turned: Turned): Result<TrainingJobStatus> {
  const { driven, plan, expected, problem, now } = turned;
  const searches = searchesOf(driven);
  const outcome = outcomeOf(trainingJob, turned, searches);
  const lastSla = findCondition(trainingJob.status?.conditions, SLA_MISSED);
  const status = statusFor(trainingJob, {
    rows: driven.map(({ run }) => run),
    details: new Map(driven.map((one) => [one.run.runKey, detailOf(trainingJob, one, searches)])),
    outcome: problem === undefined ? outcome : { ...outcome, message: `${outcome.message}; ${problem}` },
    waiting: waitingText(plan),
    progress: progressNow(driven, searches),
    ticks: plan.tickStatus,
    sla: slaCondition(expected, now, lastSla),
    now,
  });
  const requeueAfterMs = whenToLook(turned, status);
  const late = newlyLate(expected, now, lastSla);
  const notes = [
    ...late.map((note) => ({ type: 'Warning', reason: SlaReason.Missed, note }) as const),
    ...notesOf(trainingJob, status, problem),
  ];
  return {
    status,
    notes,
    whenWritten: () => count(trainingJob, turned, notes),
    ...(requeueAfterMs !== undefined && { requeueAfterMs }),
  };
}

type Searches = ReadonlyMap<string, SearchStatus>;

const searchesOf = (driven: readonly Driven[]): Searches =>
  new Map(
    driven.flatMap(({ run, spec, trials }) =>
      spec.search && trials ? [[run.runKey, searchStatus(spec.search, run, trials)] as const] : [],
    ),
  );

function outcomeOf(trainingJob: TrainingJob, { driven, plan, health }: Turned, searches: Searches): Outcome {
  const [newest] = driven;
  if (!newest) return waitingForSchedule(trainingJob, plan.tickStatus.nextScheduleTime);
  const { run, spec, pods, failures } = newest;
  if (run.status === 'FINISHED') return completed(trainingJob, run);
  if (run.status !== 'RUNNING') return failed(run);
  const doing = searches.get(run.runKey)?.doing ?? progressOf(trainingJob, spec, { pods, failures, health });
  return { status: 'Unknown', ...doing };
}

/** What has been told of a run stays told when its pods are gone. */
function detailOf({ status }: TrainingJob, { run, failures }: Driven, searches: Searches): Detail {
  const before = status?.runs?.find(({ runKey }) => runKey === run.runKey);
  const trials = searches.get(run.runKey)?.trials ?? before?.trials;
  const isTold = before?.endTime !== undefined;
  const seen = run.failure?.reason === Reason.DeadlineExceeded ? stoppedAtDeadline(failures) : failures;
  return { attempts: attemptsOf(isTold ? [] : seen, before?.attempts), ...(trials && { trials }) };
}

function progressNow(driven: readonly Driven[], searches: Searches): string | undefined {
  const open = driven.find(isOpen);
  return open && (searches.get(open.run.runKey)?.progress ?? progressText(open.run.progress));
}

const nameOf = ({ scheduledTime, cause }: Start): string =>
  scheduledTime !== undefined
    ? `the tick of ${timeText(new Date(scheduledTime))}`
    : cause === 'Api'
      ? 'a request'
      : 'a run by hand';

function waitingText({ waiting }: Plan): string | undefined {
  const [first, ...others] = waiting;
  if (!first) return undefined;
  return `${nameOf(first)}${others.length > 0 ? ` and ${others.length} more` : ''} will start when it has ended`;
}

function whenToLook({ driven, plan, expected, now }: Turned, status: TrainingJobStatus): number | undefined {
  const isGoing = driven.some(isOpen);
  const waits = [
    isGoing ? POLL_MS : undefined,
    plan.waiting.length > 0 && !isGoing ? AT_ONCE_MS : undefined,
    msUntilLate(expected, now),
    msUntilTick(status, now),
  ].filter((ms) => ms !== undefined);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

/** What is told once per run: by the message, since the same condition may be about one run after another. */
function notesOf({ status: before }: TrainingJob, after: TrainingJobStatus, problem: string | undefined): Note[] {
  const notes: Note[] = [];
  const reason = GateReason.Failed;
  const gate = findCondition(after.conditions, GATE_PASSED);
  const wasTold = findCondition(before?.conditions, GATE_PASSED)?.reason === reason && isSameRun(before, after);
  if (gate?.reason === reason && !wasTold) notes.push({ type: 'Warning', reason, note: gate.message });
  const said = findCondition(before?.conditions, SUCCEEDED)?.message ?? '';
  if (problem !== undefined && !said.includes(problem)) {
    notes.push({ type: 'Warning', reason: 'InvalidAnnotation', note: problem });
  }
  return notes;
}

/** True when the run whose gates are told of is the same as before. */
function isSameRun(before: TrainingJobStatus | undefined, after: TrainingJobStatus): boolean {
  const published = (status?: TrainingJobStatus) => status?.runs?.find(({ gates }) => gates !== undefined)?.runKey;
  return published(before) === published(after);
}

/** Runs that the status before this one did not say had ended; called when the new status is written, so once. */
function count({ status }: TrainingJob, { driven, startedNow, counters }: Turned, notes: readonly Note[]): void {
  for (const { run } of driven) {
    const before = status?.runs?.find(({ runKey }) => runKey === run.runKey);
    const isNew = before ? before.endTime === undefined : startedNow.has(run.runKey);
    if (isNew && run.status !== 'RUNNING') counters.runEnded(run.cause, outcomeName(run));
  }
  for (const { reason } of notes) if (reason === SlaReason.Missed) counters.slaMissed();
}

const OUTCOMES = { FINISHED: 'succeeded', FAILED: 'failed', KILLED: 'killed', RUNNING: 'running' } as const;
const outcomeName = ({ status }: Run): string => OUTCOMES[status];
