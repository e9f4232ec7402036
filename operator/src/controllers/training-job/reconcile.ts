/**
 * From a TrainingJob to its runs, their Jobs and versions. Postgres decides whether a run was started and how it ended; the
 * Job is how it is done. Every step finds what an earlier try of it made.
 *
 *   observe: rows, requests, annotation, clock ── plan.ts: what starts, what is replaced, what waits
 *   act:     refuse, end, start (rows first), then one step of every run that goes on, then Jobs nobody needs
 *   report:  status.ts, sla.ts
 */
import { runKeyFor } from '@slipway/contract';
import type { Run, RunRequest } from '@slipway/database';
import { isFinished, Job } from '../../api/batch-job.ts';
import { isTrue } from '../../api/conditions.ts';
import { TerminalError } from '../../api/errors.ts';
import type { Context, Result } from '../../runtime/reconcile.ts';
import { outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { Reason, SUCCEEDED, type TrainingJob, type TrainingJobStatus } from './api.ts';
import { runKeyOf, surplusJobs } from './history.ts';
import { manualRun, RUN_ANNOTATION } from './manual.ts';
import { type Plan, planFor, type Start } from './plan.ts';
import { advanceRun, type Driven, killRun, lookAt, project, type Turn } from './reconcile-run.ts';
import { advanceSearch } from './reconcile-search.ts';
import { resultFor } from './result.ts';
import { readSchedule, type Schedule } from './schedule.ts';
import { isSettled, msUntilTick } from './settled.ts';
import { type Expected, expectedFrom } from './sla.ts';
import { withOutcome } from './status.ts';
import { countingFrom, isTicking, ticksOf } from './ticks.ts';
import { specDigest, specOf, unstorableProblem, withRunParameters } from './training.ts';

/** A run that goes on is looked at this often even if no watch says anything: stores come and go unseen. */
const LOOK_AGAIN_MS = 10_000;
/** A run that is kept from its Job is looked at this often: its deadline counts all the same. */
const STALLED_MS = 60_000;
const SHOWN_RUNS = 10;

export async function reconcile(
  deps: ControllerDeps,
  ctx: Context,
  trainingJob: TrainingJob,
): Promise<Result<TrainingJobStatus>> {
  const now = ctx.now();
  const turn = { deps, ctx, trainingJob, now };
  try {
    if (isSettled(trainingJob, now) && (await isAllTold(turn))) return asItIs(trainingJob, now);
    await deps.tenants.ensure(trainingJob.metadata.namespace);
    return await drive(turn);
  } catch (error) {
    const { status } = trainingJob;
    const outage = outageOf(error, { health: deps.health(), status, summary: SUCCEEDED, now });
    if (!outage) throw error;
    // What is concluded stays so; the request that woke it wakes it again.
    if (isSettled(trainingJob, now)) return asItIs(trainingJob, now);
    const outcome = withOutcome(trainingJob, { status: 'Unknown', ...outage }, now);
    return { status: { ...outcome, ...countingFrom(trainingJob, now) }, requeueAfterMs: LOOK_AGAIN_MS };
  }
}

function asItIs(
  trainingJob: TrainingJob & { readonly status: TrainingJobStatus },
  now: Date,
): Result<TrainingJobStatus> {
  const { status } = trainingJob;
  const requeueAfterMs = msUntilTick(status, now);
  return { status, ...(requeueAfterMs !== undefined && { requeueAfterMs }) };
}

/**
 * True when no request waits and the rows know of no run, and of no end of the newest one, that the status does not: its
 * process may have died in between, and a pod may publish after its run was given up.
 */
async function isAllTold(turn: Turn): Promise<boolean> {
  const { metadata, status } = turn.trainingJob;
  if ((await pendingOf(turn)).length > 0) return false;
  const rows = await turn.deps.runs.list(metadata.namespace, metadata.uid ?? '', 1);
  const toldEnd = isTrue(status?.conditions, SUCCEEDED);
  return rows.every(
    (run) =>
      run.status !== 'RUNNING' && run.runKey === status?.runs?.[0]?.runKey && (run.status === 'FINISHED') === toldEnd,
  );
}

const pendingOf = ({ deps, trainingJob }: Turn): Promise<readonly RunRequest[]> =>
  deps.requests.pending(trainingJob.metadata.namespace, trainingJob.metadata.name);

async function drive(turn: Turn): Promise<Result<TrainingJobStatus>> {
  const { deps, trainingJob, now } = turn;
  const { spec, metadata } = trainingJob;
  const rows = await deps.runs.list(metadata.namespace, metadata.uid ?? '', SHOWN_RUNS);
  const schedule = scheduleOf(trainingJob, now);
  if (schedule && 'problem' in schedule) return stall(turn, rows, Reason.InvalidSchedule, schedule.problem);
  const unstorable = unstorableProblem(spec);
  if (unstorable !== undefined) return stall(turn, rows, Reason.ConfigurationError, unstorable);
  const asked = manualRun(metadata.annotations?.[RUN_ANNOTATION]);
  const wanted = asked && !('problem' in asked) && !(await hasRun(turn, rows, asked.token)) ? asked : undefined;
  const plan = planFor({
    ...{ trainingJob, rows, pending: await pendingOf(turn) },
    ticks: ticksOf(trainingJob, { schedule: isTicking(spec) ? schedule?.schedule : undefined, rows, now }),
    ...(wanted && { manual: wanted }),
  });
  const after = await carryOut(turn, plan, rows);
  const { driven, terminal } = await driveRuns(turn, after);
  if (terminal) throw terminal;
  const runs = driven.map(({ run }) => run);
  return resultFor(trainingJob, {
    ...{ driven, plan, now, health: deps.health() },
    expected: await expectedOf(turn, plan, runs),
    startedNow: new Set(plan.starts.map(({ runKey }) => runKey)),
    ...(asked && 'problem' in asked && { problem: asked.problem }),
    counters: deps.counters,
  });
}

/** Starts nothing and says why; runs that go on are looked after all the same. */
async function stall(turn: Turn, rows: readonly Run[], reason: string, problem: string): Promise<never> {
  const { open } = await driveRuns(turn, rows);
  throw new TerminalError(reason, problem, open ? { retryAfterMs: LOOK_AGAIN_MS } : {});
}

function scheduleOf(
  { spec }: TrainingJob,
  now: Date,
): { readonly schedule: Schedule } | { readonly problem: string } | undefined {
  const { schedule, timeZone } = spec;
  return schedule === undefined ? undefined : readSchedule({ schedule, timeZone }, now);
}

async function hasRun({ deps, trainingJob }: Turn, rows: readonly Run[], token: string): Promise<boolean> {
  const { uid = '', namespace } = trainingJob.metadata;
  const key = runKeyFor(uid, { kind: 'manual', token });
  return rows.some(({ runKey }) => runKey === key) || (await deps.runs.find(namespace, key)) !== undefined;
}

/** Refuses, ends and starts as planned; returns the rows as they are then, newest first. */
async function carryOut(turn: Turn, plan: Plan, rows: readonly Run[]): Promise<readonly Run[]> {
  const { namespace } = turn.trainingJob.metadata;
  for (const { requestId, why } of plan.refusals) await turn.deps.requests.refuse(namespace, requestId, why);
  const byKey = new Map(rows.map((run) => [run.runKey, run]));
  for (const run of plan.replaced) {
    const end = { status: 'KILLED', reason: 'Replaced', message: plan.why } as const;
    byKey.set(run.runKey, await killRun(turn, run, end));
  }
  for (const start of plan.starts) {
    const run = await startRun(turn, start, newestOf([...byKey.values()]));
    byKey.set(run.runKey, run);
  }
  return newestFirst([...byKey.values()]);
}

const newestFirst = (rows: readonly Run[]): readonly Run[] =>
  rows.toSorted((a, b) => b.startTime.localeCompare(a.startTime) || a.runId.localeCompare(b.runId));

const newestOf = (rows: readonly Run[]): Run | undefined => newestFirst(rows)[0];

function startRun({ deps, trainingJob, now }: Turn, start: Start, newest: Run | undefined): Promise<Run> {
  const { metadata, spec } = trainingJob;
  const { runKey, cause, parameters, scheduledTime, requestId } = start;
  // Later than every other, even if the clock was put back: the newest run is the one that was started last.
  const startTime = Math.max(now.getTime(), newest ? Date.parse(newest.startTime) + 1 : 0);
  return deps.runs.start({
    namespace: metadata.namespace,
    experiment: spec.experiment ?? metadata.name,
    trainingJob: metadata.name,
    ownerUid: metadata.uid ?? '',
    generation: metadata.generation ?? 1,
    specDigest: specDigest(spec),
    spec: withRunParameters(spec, parameters),
    startTime: new Date(startTime).toISOString(),
    isTracked: spec.tracking?.enabled ?? true,
    ...{ runKey, cause, parameters },
    ...(scheduledTime !== undefined && { scheduledTime }),
    ...(requestId !== undefined && { requestId }),
  });
}

/** What has ended and dropped out of the status has told all it had to. */
const isLookedAfter = ({ status }: Run, place: number): boolean => status === 'RUNNING' || place < SHOWN_RUNS;

/** One step of every run that goes on; what has ended is projected, and its Job goes when it is not needed. */
async function driveRuns(
  turn: Turn,
  rows: readonly Run[],
): Promise<{ readonly driven: readonly Driven[]; readonly terminal?: TerminalError; readonly open: boolean }> {
  const driven: Driven[] = [];
  let terminal: TerminalError | undefined;
  for (const run of rows.filter(isLookedAfter)) {
    try {
      driven.push(await stepOf(turn, run));
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      // The others go on all the same.
      const { reason, message, retryAfterMs = STALLED_MS } = error;
      terminal ??= new TerminalError(reason, message, { cause: error, retryAfterMs });
      driven.push(lookAt(turn, run));
    }
  }
  for (const { run } of driven) if (isNews(turn, run)) await project(turn, run);
  await tidy(turn, driven);
  const open = driven.some(({ run }) => run.status === 'RUNNING');
  return { driven, open, ...(terminal && { terminal }) };
}

async function stepOf(turn: Turn, run: Run): Promise<Driven> {
  const isSearch = specOf(run, turn.trainingJob.spec).search !== undefined;
  if (run.status === 'RUNNING') return isSearch ? advanceSearch(turn, run) : advanceRun(turn, run);
  const isTold = turn.trainingJob.status?.runs?.find(({ runKey }) => runKey === run.runKey)?.endTime !== undefined;
  // Its pods have told all they had to.
  if (isTold) return { run, spec: specOf(run, turn.trainingJob.spec), pods: [], failures: [] };
  const seen = lookAt(turn, run);
  if (!isSearch) return seen;
  return { ...seen, trials: await turn.deps.runs.trials(run.namespace, run.runKey) };
}

/** True for the newest run, and for those the status does not say have ended. */
function isNews({ trainingJob }: Turn, { runKey, status }: Run): boolean {
  const before = trainingJob.status?.runs ?? [];
  const entry = before.find((one) => one.runKey === runKey);
  return status === 'FINISHED' && (entry?.endTime === undefined || entry === before[0]);
}

/** Stops the Jobs of runs that were ended, and drops those that spec.history does not keep. */
async function tidy(turn: Turn, driven: readonly Driven[]): Promise<void> {
  const { ctx, trainingJob } = turn;
  const known = new Map<string, Run>();
  for (const { run, trials = [] } of driven) for (const one of [run, ...trials]) known.set(one.runKey, one);
  const jobs = ctx.kube.listOwned(Job, trainingJob).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const stopped = new Set<Job>();
  for (const job of jobs.filter((one) => !isFinished(one))) {
    const run = await runOf(turn, known, job);
    // A run that is FINISHED ends its pod by itself, and one that is not known is left alone.
    if (run && (run.status === 'FAILED' || run.status === 'KILLED')) stopped.add(job);
  }
  const rest = jobs.filter((job) => !stopped.has(job));
  for (const job of [...stopped, ...surplusJobs(rest, known, trainingJob.spec.history)])
    await ctx.kube.delete(Job, job);
}

async function runOf({ deps }: Turn, known: Map<string, Run>, job: Job): Promise<Run | undefined> {
  const runKey = runKeyOf(job);
  if (runKey === undefined) return undefined;
  const run = known.get(runKey) ?? (await deps.runs.find(job.metadata.namespace, runKey));
  if (run) known.set(runKey, run);
  return run;
}

/** The results that are expected, newest first: of what waits, of what goes on, of the newest run of all, and of what has just ended. */
async function expectedOf(turn: Turn, plan: Plan, runs: readonly Run[]): Promise<readonly Expected[]> {
  const { spec } = turn.trainingJob;
  const found = plan.waiting.toReversed().map((start) => expectedFrom(start, spec));
  for (const [index, run] of runs.entries()) {
    const isPast = index > 0 && run.status !== 'RUNNING';
    const before = turn.trainingJob.status?.runs?.find(({ runKey }) => runKey === run.runKey);
    // Of those that have ended only what is news, and the newest.
    if (isPast && (!before || before.endTime !== undefined)) continue;
    const own = specOf(run, spec);
    if (own.sla === undefined) continue;
    const requestedAt = await requestedAtOf(turn, run);
    const expected = expectedFrom({ ...run, ...(requestedAt !== undefined && { requestedAt }) }, own, run);
    const isTold = before?.endTime !== undefined;
    found.push(expected && { ...expected, ...(isPast && { isPast }), ...(isTold && { isTold }) });
  }
  return found.filter((one) => one !== undefined);
}

async function requestedAtOf({ deps }: Turn, { namespace, runKey }: Run): Promise<string | undefined> {
  const [, requestId] = /\/r([0-9a-f-]{36})$/.exec(runKey) ?? [];
  return requestId === undefined ? undefined : (await deps.requests.find(namespace, requestId))?.requestedAt;
}
