/** A TrainingJob that is deleted leaves no run open. Its Jobs go with it; its versions stay. */
import { isFinished, Job } from '../../api/batch-job.ts';
import type { Context, Finalized } from '../../runtime/reconcile.ts';
import { outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { SUCCEEDED, type TrainingJob, type TrainingJobStatus } from './api.ts';
import { openRunKeys, project } from './reconcile.ts';
import { withOutcome } from './status.ts';

/** Longer than this a store that is away does not hold up a deletion: the row is left open, and closed by the next sweep. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 5_000;

export async function finalize(
  deps: ControllerDeps,
  ctx: Context,
  trainingJob: TrainingJob,
): Promise<Finalized<TrainingJobStatus>> {
  const jobs = ctx.kube.listOwned(Job, trainingJob);
  for (const job of jobs) {
    if (!isFinished(job) && !job.metadata.deletionTimestamp) await ctx.kube.delete(Job, job);
  }
  try {
    for (const runKey of openRunKeys(trainingJob, jobs)) await close(deps, ctx, trainingJob, runKey);
    return { done: true };
  } catch (error) {
    const now = ctx.now();
    const { status, metadata } = trainingJob;
    const outage = outageOf(error, { health: deps.health(), status, summary: SUCCEEDED, now });
    if (!outage) throw error;
    if (now.getTime() - Date.parse(metadata.deletionTimestamp ?? '') > PATIENCE_MS) {
      ctx.log.warn({ error }, 'deleted without closing its run');
      return { done: true };
    }
    const outcome = { status: 'Unknown', ...outage } as const;
    return { done: false, status: withOutcome(trainingJob, outcome, now), requeueAfterMs: RETRY_MS };
  }
}

async function close(deps: ControllerDeps, ctx: Context, { metadata }: TrainingJob, runKey: string): Promise<void> {
  const run = await deps.runs.fail(metadata.namespace, runKey, {
    status: 'KILLED',
    reason: 'Deleted',
    message: `TrainingJob ${metadata.name} was deleted while it ran`,
    endTime: ctx.now().toISOString(),
  });
  if (run?.status !== 'FINISHED' || (await deps.namespaces.isBeingDeleted(metadata.namespace))) return;
  await project(deps, ctx.kube, run);
}
