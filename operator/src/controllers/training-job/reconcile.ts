/**
 * From a TrainingJob to its run, its Job and its version. Postgres decides how a run ended; the Job is how it is done.
 * Every step finds what an earlier try of it made.
 */
import { runKeyFor } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { failedCondition, isFinished, isStopped, Job } from '../../api/batch-job.ts';
import { findCondition } from '../../api/conditions.ts';
import { durationSeconds } from '../../api/fields.ts';
import type { KubeObject } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import type { PodFailure } from '../../api/pod-failure.ts';
import type { Kube } from '../../kube/client.ts';
import type { Context, Result } from '../../runtime/reconcile.ts';
import { modelVersionFor } from '../mirror.ts';
import { ModelVersion } from '../model-version/api.ts';
import { modelVersionName } from '../model-version/names.ts';
import { outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { Reason, SUCCEEDED, type TrainingJob, type TrainingJobStatus } from './api.ts';
import { attemptsOf, deadlineExceeded, failureOf, failuresOf, podsLag } from './attempts.ts';
import { jobFor } from './job.ts';
import { jobKey, RUN_KEY_ANNOTATION, runLabel } from './names.ts';
import { progressOf } from './progress.ts';
import { completed, failed, type Outcome, statusFor, withOutcome } from './status.ts';
import { collidingParameters, missingParameter, specDigest } from './training.ts';

/** A run that goes on is looked at this often even if no watch says anything: stores come and go unseen. */
const LOOK_AGAIN_MS = 10_000;
/** The Job of the last run and of this many before it are kept, with their pods' logs. */
const KEPT_JOBS = 2;

interface Turn {
  readonly deps: ControllerDeps;
  readonly ctx: Context;
  readonly trainingJob: TrainingJob;
}

export async function reconcile(
  deps: ControllerDeps,
  ctx: Context,
  trainingJob: TrainingJob,
): Promise<Result<TrainingJobStatus>> {
  if (isConcluded(trainingJob)) return { status: trainingJob.status };
  try {
    await deps.tenants.ensure(trainingJob.metadata.namespace);
    return await drive({ deps, ctx, trainingJob });
  } catch (error) {
    const { status } = trainingJob;
    const outage = outageOf(error, { health: deps.health(), status, summary: SUCCEEDED, now: ctx.now() });
    if (!outage) throw error;
    const outcome = { status: 'Unknown', ...outage } as const;
    return { status: withOutcome(trainingJob, outcome, ctx.now()), requeueAfterMs: LOOK_AGAIN_MS };
  }
}

/** True when the status already tells how the run of this very generation ended: nothing will change that. */
function isConcluded(
  trainingJob: TrainingJob,
): trainingJob is TrainingJob & { readonly status: NonNullable<TrainingJob['status']> } {
  const { status, metadata } = trainingJob;
  const summary = findCondition(status?.conditions, SUCCEEDED);
  if (!status || !summary || summary.status === 'Unknown') return false;
  if (status.observedGeneration !== metadata.generation || summary.observedGeneration !== metadata.generation)
    return false;
  return status.runs?.[0]?.endTime !== undefined && !findCondition(status.conditions, 'Stalled');
}

async function drive(turn: Turn): Promise<Result<TrainingJobStatus>> {
  const { deps, ctx, trainingJob } = turn;
  const { metadata, spec, status } = trainingJob;
  const now = ctx.now();
  const { uid = '', generation = 1, namespace } = metadata;
  const [newest] = await deps.runs.list(namespace, uid, 1);
  const digest = specDigest(spec);
  const started =
    newest?.specDigest === digest
      ? newest
      : await deps.runs.start({
          namespace,
          experiment: spec.experiment ?? metadata.name,
          trainingJob: metadata.name,
          ownerUid: uid,
          runKey: runKeyFor(uid, { kind: 'spec', generation }),
          generation,
          specDigest: digest,
          spec,
          cause: status?.runs?.length ? 'SpecChanged' : 'Created',
          parameters: spec.parameters,
          startTime: now.toISOString(),
          isTracked: spec.tracking?.enabled ?? true,
        });
  const closed = await closeReplaced(turn, started);
  const pods = ctx.kube.list(Pod, { namespace: metadata.namespace, labels: runLabel(started.runKey) });
  const failures = failuresOf(pods);
  const run = started.status === 'RUNNING' ? await advance(turn, started, failures) : started;
  if (run.status === 'FINISHED') await project(deps, ctx.kube, run);
  await dropOldJobs(turn, run);
  const before = status?.runs?.find(({ runKey }) => runKey === run.runKey)?.attempts;
  const outcome = outcomeOf(run, () => progressOf(trainingJob, { pods, failures, health: deps.health() }));
  const next = statusFor(trainingJob, { run, attempts: attemptsOf(failures, before), outcome, closed, now });
  return { status: next, ...(run.status === 'RUNNING' && { requeueAfterMs: LOOK_AGAIN_MS }) };

  function outcomeOf(last: Run, progress: () => { reason: string; message: string }): Outcome {
    if (last.status === 'RUNNING') return { status: 'Unknown', ...progress() };
    return last.status === 'FINISHED' ? completed(metadata.namespace, last) : failed(last);
  }
}

/** One step of a run that is open: its Job is made, watched, or found to have given up. Returns the row afterwards. */
async function advance({ deps, ctx, trainingJob }: Turn, run: Run, failures: readonly PodFailure[]): Promise<Run> {
  const { kube } = ctx;
  const now = ctx.now();
  const close = async (why: { reason: string; message: string }): Promise<Run> => {
    const end = { status: 'FAILED', ...why, endTime: now.toISOString() } as const;
    return (await deps.runs.fail(run.namespace, run.runKey, end)) ?? run;
  };
  // A spec that cannot run is a run that failed: it has taken the place of the one before like any other change.
  const wrong = missingParameter(trainingJob.spec) ?? collidingParameters(trainingJob.spec);
  if (wrong !== undefined) return close({ reason: Reason.ConfigurationError, message: wrong });
  const job = kube.get(Job, jobKey(trainingJob, run.runKey));
  if (!job) {
    const seconds = durationSeconds(trainingJob.spec.deadline) - (now.getTime() - Date.parse(run.startTime)) / 1000;
    if (seconds <= 0) return close(deadlineExceeded(trainingJob, failures.at(-1)));
    const { spec } = trainingJob;
    const resolved = { dataSets: {}, references: {} };
    const { settings } = deps;
    await kube.apply(jobFor({ trainingJob, run, spec, settings, seconds: Math.ceil(seconds), resolved }));
    return run;
  }
  if (job.metadata.deletionTimestamp) return run;
  if (!isFinished(job)) {
    // A Job cannot be put back field by field; the next turn makes it again under the same run key.
    if (isStopped(job)) await kube.delete(Job, job);
    return run;
  }
  return podsLag(job, failures, now) ? run : close(failureOf(trainingJob, job, failures));
}

const runKeyOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[RUN_KEY_ANNOTATION];

/** A run replaces the ones before it: those still open are closed and their Jobs deleted. Returns their rows. */
async function closeReplaced({ deps, ctx, trainingJob }: Turn, current: Run): Promise<readonly Run[]> {
  const entries = trainingJob.status?.runs ?? [];
  const ended = new Set(entries.filter(({ endTime }) => endTime !== undefined).map(({ runKey }) => runKey));
  const jobs = ctx.kube.listOwned(Job, trainingJob).filter((job) => runKeyOf(job) !== current.runKey);
  const keys = new Set([...jobs.map(runKeyOf), ...entries.map(({ runKey }) => runKey)]);
  const closed: Run[] = [];
  for (const runKey of keys) {
    if (runKey === undefined || runKey === current.runKey || ended.has(runKey)) continue;
    const run = await deps.runs.fail(current.namespace, runKey, {
      status: 'KILLED',
      reason: 'Replaced',
      message: 'the spec changed while it ran: a newer run took its place',
      endTime: ctx.now().toISOString(),
    });
    if (!run) continue;
    closed.push(run);
    if (run.status === 'FINISHED') await project(deps, ctx.kube, run);
  }
  for (const job of jobs) if (!isFinished(job) && !job.metadata.deletionTimestamp) await ctx.kube.delete(Job, job);
  return closed;
}

/** Makes the ModelVersion of a finished run. One that is there is left alone: a version never changes. */
export async function project(deps: ControllerDeps, kube: Kube, run: Run): Promise<void> {
  const { namespace, model, version } = run;
  if (model === undefined || version === undefined) return;
  if (kube.get(ModelVersion, { namespace, name: modelVersionName(model, version) })) return;
  const row = await deps.versions.find(namespace, model, version);
  if (row && row.status !== 'DELETED') await kube.apply(modelVersionFor(row));
}

async function dropOldJobs({ ctx, trainingJob }: Turn, run: Run): Promise<void> {
  const made = ({ metadata }: KubeObject) => metadata.creationTimestamp ?? '';
  const earlier = ctx.kube
    .listOwned(Job, trainingJob)
    .filter((job) => runKeyOf(job) !== run.runKey && (failedCondition(job) || isFinished(job)))
    .sort((a, b) => (made(a) < made(b) ? 1 : -1));
  for (const job of earlier.slice(KEPT_JOBS)) if (!job.metadata.deletionTimestamp) await ctx.kube.delete(Job, job);
}

/** The keys under which this object may have an open run, also when the operator stopped before it said so. */
export function openRunKeys({ metadata, status }: TrainingJob, jobs: readonly Job[]): readonly string[] {
  const entries = status?.runs ?? [];
  const ended = new Set(entries.filter(({ endTime }) => endTime !== undefined).map(({ runKey }) => runKey));
  const { uid = '', generation = 1 } = metadata;
  // Asking for deletion counts as a change of the spec.
  const possible = [generation, generation - 1].map((n) => runKeyFor(uid, { kind: 'spec', generation: n }));
  const keys = new Set([...jobs.map(runKeyOf), ...entries.map(({ runKey }) => runKey), ...possible]);
  return [...keys].filter((key) => key !== undefined && !ended.has(key)) as string[];
}
