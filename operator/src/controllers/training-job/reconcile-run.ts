/** One run that goes on: its Job is made, watched, made again, or found to have given up. */
import type { Run } from '@slipway/database';
import { isFinished, isStopped, Job } from '../../api/batch-job.ts';
import { durationSeconds } from '../../api/fields.ts';
import { Pod } from '../../api/pod.ts';
import type { PodFailure } from '../../api/pod-failure.ts';
import type { Context } from '../../runtime/reconcile.ts';
import { modelVersionFor } from '../mirror.ts';
import { ModelVersion } from '../model-version/api.ts';
import { modelVersionName } from '../model-version/names.ts';
import type { ControllerDeps } from '../ports.ts';
import type { TrainingJob, TrainingJobSpec } from './api.ts';
import { deadlineExceeded, failureOf, failuresOf, podsLag, waitedFor } from './attempts.ts';
import { jobFor } from './job.ts';
import { jobKey, runLabel } from './names.ts';
import { type Reference, type Resolved, referenceFor } from './resolved.ts';
import { problemOf, specOf } from './training.ts';

export interface Turn {
  readonly deps: ControllerDeps;
  readonly ctx: Context;
  readonly trainingJob: TrainingJob;
  readonly now: Date;
}

/** A run as it stands after a step, and what its pods told. */
export interface Driven {
  readonly run: Run;
  readonly spec: TrainingJobSpec;
  readonly pods: readonly Pod[];
  readonly failures: readonly PodFailure[];
  /** Of a search. */
  readonly trials?: readonly Run[];
}

interface End {
  readonly status: 'FAILED' | 'KILLED';
  readonly reason: string;
  readonly message: string;
}

/** Ends a run that goes on; returns the row as it is afterwards, FINISHED if it has published meanwhile. */
export async function endRun({ deps, now }: Pick<Turn, 'deps' | 'now'>, run: Run, end: End): Promise<Run> {
  const endTime = new Date(Math.max(now.getTime(), Date.parse(run.startTime))).toISOString();
  return (await deps.runs.fail(run.namespace, run.runKey, { ...end, endTime })) ?? run;
}

/** Ends a run and its trials, those first: a search that has ended is not looked after any more. Returns the run. */
export async function killRun(turn: Turn, run: Run, end: End): Promise<Run> {
  if (specOf(run, turn.trainingJob.spec).search) await killTrials(turn, run, end);
  return endRun(turn, run, end);
}

/** Ends what goes on of a search's trials. */
export async function killTrials(turn: Turn, search: Run, end: End): Promise<void> {
  for (const trial of await turn.deps.runs.trials(search.namespace, search.runKey)) {
    if (trial.status === 'RUNNING') await endRun(turn, trial, end);
  }
}

/** What is seen of a run, without doing anything. */
export function lookAt({ ctx, trainingJob }: Turn, run: Run): Driven {
  const spec = specOf(run, trainingJob.spec);
  const pods = ctx.kube.list(Pod, { namespace: run.namespace, labels: runLabel(run.runKey) });
  return { run, spec, pods, failures: failuresOf(pods, spec) };
}

/** The seconds a run has left; `since` is when its deadline began to count. A clock that was put back gives no more. */
export const secondsLeft = ({ deadline }: TrainingJobSpec, since: string, now: Date): number => {
  const whole = durationSeconds(deadline);
  return Math.min(whole, whole - (now.getTime() - Date.parse(since)) / 1000);
};

/** One step of a run that is open. For a trial `since` is when its search began. */
export async function advanceRun(turn: Turn, open: Run, since = open.startTime): Promise<Driven> {
  const seen = lookAt(turn, open);
  return { ...seen, run: await stepped(turn, seen, since) };
}

async function stepped(turn: Turn, { run, spec, failures }: Driven, since: string): Promise<Run> {
  const { ctx, trainingJob, now } = turn;
  const fail = (why: { reason: string; message: string }) => endRun(turn, run, { status: 'FAILED', ...why });
  // A spec that cannot run is a run that failed: it has taken the place of the one before like any other change.
  const wrong = problemOf(spec);
  if (wrong) return fail(wrong);
  const job = ctx.kube.get(Job, jobKey(trainingJob, run.runKey));
  const waited = waitedFor(trainingJob, run.runKey);
  if (!job) {
    const seconds = Math.ceil(secondsLeft(spec, since, now));
    if (seconds <= 0) return fail(deadlineExceeded(spec, waited ?? failures.at(-1)?.message));
    return makeJob(turn, run, spec, seconds);
  }
  if (job.metadata.deletionTimestamp) return run;
  if (!isFinished(job)) {
    // A Job cannot be put back field by field; the next turn makes it again under the same run key.
    if (isStopped(job)) await ctx.kube.delete(Job, job);
    return run;
  }
  return podsLag(job, failures, now) ? run : fail(failureOf(spec, job, failures, waited));
}

async function makeJob(turn: Turn, run: Run, spec: TrainingJobSpec, seconds: number): Promise<Run> {
  const { deps, ctx, trainingJob } = turn;
  const resolved = await resolve(turn, spec);
  if ('reason' in resolved) return endRun(turn, run, { status: 'FAILED', ...resolved });
  // A run of before that was kept has no parameters of its own.
  const whole = run.spec === undefined ? { ...run, parameters: spec.parameters } : run;
  await ctx.kube.apply(jobFor({ trainingJob, run: whole, spec, settings: deps.settings, seconds, resolved }));
  return run;
}

const runAgain = ({ metadata }: TrainingJob): string =>
  `run again: kubectl annotate -n ${metadata.namespace} tj/${metadata.name} slipway.dev/run=$(date +%s) --overwrite`;

const DATA = 'data://';

/** Looks up what names in the spec stand for now; a reason when there is nothing of that name. */
async function resolve(
  { deps, trainingJob }: Turn,
  spec: TrainingJobSpec,
): Promise<Resolved | { readonly reason: 'InputNotFound'; readonly message: string }> {
  const { namespace } = trainingJob.metadata;
  const dataSets: Record<string, { readonly key: string; readonly sha256: string }> = {};
  for (const { name, uri } of spec.inputs) {
    if (!uri.startsWith(DATA)) continue;
    const dataSet = uri.slice(DATA.length);
    const found = await deps.dataSets.find(namespace, dataSet);
    if (!found) {
      const address = `${(deps.settings.registryUrl ?? '$REGISTRY').replace(/\/+$/, '')}/n/${namespace}/data/${dataSet}`;
      const message =
        `input ${name}: there is no data set ${dataSet} in namespace ${namespace}; ` +
        `upload it (curl -T ${dataSet} -H "Authorization: Bearer $MLFLOW_TRACKING_TOKEN" ${address}), and ` +
        runAgain(trainingJob);
      return { reason: 'InputNotFound', message };
    }
    dataSets[uri] = found;
  }
  return { dataSets, references: await referencesOf(deps, namespace, spec) };
}

async function referencesOf(
  { versions }: ControllerDeps,
  namespace: string,
  { model, register }: TrainingJobSpec,
): Promise<Resolved['references']> {
  const selectors = (register?.gate ?? []).map(({ notWorseThan }) => notWorseThan?.version);
  const asked = selectors.filter((selector) => selector !== undefined);
  if (model === undefined || asked.length === 0) return {};
  const rows = await versions.list(namespace);
  const found = asked.map((selector) => [String(selector), referenceFor(rows, model, selector)] as const);
  return Object.fromEntries(found.filter((pair): pair is [string, Reference] => pair[1] !== undefined));
}

/** Makes the ModelVersion of a finished run. One that is there is left alone: a version never changes. */
export async function project({ deps, ctx }: Pick<Turn, 'deps' | 'ctx'>, run: Run): Promise<void> {
  const { namespace, model, version } = run;
  if (model === undefined || version === undefined) return;
  if (ctx.kube.get(ModelVersion, { namespace, name: modelVersionName(model, version) })) return;
  const row = await deps.versions.find(namespace, model, version);
  if (row && row.status !== 'DELETED') await ctx.kube.apply(modelVersionFor(row));
}
