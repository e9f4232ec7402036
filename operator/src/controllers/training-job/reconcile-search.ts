/** A search that goes on: its trials are started, driven like runs, and the best of them concludes it. */
import { trialKeyFor } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { Reason, type Search, type TrainingJobSpec } from './api.ts';
import { deadlineExceeded } from './attempts.ts';
import { advanceRun, type Driven, endRun, killTrials, lookAt, secondsLeft, type Turn } from './reconcile-run.ts';
import { noBestText, type Standing, standingOf, trialsOf } from './search.ts';
import { problemOf, withRunParameters } from './training.ts';

const isOpen = ({ status }: Run): boolean => status === 'RUNNING';

/** One step of an open search, and its trials afterwards. */
export async function advanceSearch(turn: Turn, open: Run): Promise<Driven> {
  const seen = lookAt(turn, open);
  const { spec } = seen;
  const { search } = spec;
  const readTrials = () => turn.deps.runs.trials(open.namespace, open.runKey);
  const fail = async (why: { reason: string; message: string }): Promise<Driven> => {
    // Those first: a search that has ended is not looked after any more.
    await killTrials(turn, open, { status: 'KILLED', ...why });
    const trials = await readTrials();
    return { ...seen, trials, run: await endRun(turn, open, { status: 'FAILED', ...why }) };
  };
  const wrong = problemOf(spec);
  if (!search || wrong) return fail(wrong ?? { reason: Reason.ConfigurationError, message: 'there is no search' });

  const before = await readTrials();
  const planned = trialsOf(search, open.parameters);
  const areDone = (trials: readonly Run[]) => trials.length >= planned.length && !trials.some(isOpen);
  // What was done in time counts, whenever it is looked at.
  if (!areDone(before) && secondsLeft(spec, open.startTime, turn.now) <= 0) return fail(deadlineExceeded(spec));
  const trials = await driveTrials(turn, open, { spec, search, planned, before });
  return areDone(trials)
    ? { ...seen, trials, run: await concluded(turn, open, { search, trials }) }
    : { ...seen, trials };
}

/** What goes on first, then as many more as may; returns all that were started, as they are then. */
async function driveTrials(
  turn: Turn,
  parent: Run,
  of: {
    readonly spec: TrainingJobSpec;
    readonly search: Search;
    readonly planned: readonly Record<string, string>[];
    readonly before: readonly Run[];
  },
): Promise<readonly Run[]> {
  const known = new Map(of.before.map((run) => [run.runKey, run]));
  const step = async (trial: Run) => {
    const { run } = await advanceRun(turn, trial, parent.startTime);
    known.set(run.runKey, run);
  };
  const going = () => [...known.values()].filter(isOpen).length;
  for (const trial of of.before.filter(isOpen)) await step(trial);
  for (const [index, parameters] of of.planned.entries()) {
    if (going() >= of.search.parallelism) break;
    const runKey = trialKeyFor(parent.runKey, index);
    if (known.has(runKey)) continue;
    const trial = await startTrial(turn, parent, { runKey, spec: of.spec, parameters });
    await step(trial);
  }
  return [...known.values()];
}

function startTrial(
  { deps, trainingJob, now }: Turn,
  parent: Run,
  of: { readonly runKey: string; readonly spec: TrainingJobSpec; readonly parameters: Record<string, string> },
): Promise<Run> {
  const { metadata } = trainingJob;
  // The search is its parent's: a trial is one run.
  const { search: _, ...spec } = withRunParameters(of.spec, of.parameters);
  return deps.runs.start({
    namespace: parent.namespace,
    experiment: spec.experiment ?? metadata.name,
    trainingJob: metadata.name,
    ownerUid: metadata.uid ?? '',
    runKey: of.runKey,
    parentRunKey: parent.runKey,
    generation: parent.generation,
    specDigest: parent.specDigest,
    spec,
    cause: 'Search',
    parameters: of.parameters,
    startTime: now.toISOString(),
    isTracked: spec.tracking?.enabled ?? true,
  });
}

async function concluded(
  turn: Turn,
  open: Run,
  { search, trials }: { readonly search: Search; readonly trials: readonly Run[] },
): Promise<Run> {
  const standing = standingOf(search, trials, trials.length);
  if (standing.best) {
    const best = { trialKey: standing.best.run.runKey, endTime: turn.now.toISOString() };
    return (await turn.deps.runs.concludeSearch(open.namespace, open.runKey, best)) ?? open;
  }
  return endRun(turn, open, {
    status: 'FAILED',
    reason: Reason.NoTrialSucceeded,
    message: why(search, standing, trials),
  });
}

function why(search: Search, standing: Standing, trials: readonly Run[]): string {
  const last = trials.findLast(({ failure }) => failure !== undefined)?.failure;
  const text = noBestText(search, standing, trials);
  return last ? `${text}; the last of them: ${last.reason}: ${last.message}` : text;
}
