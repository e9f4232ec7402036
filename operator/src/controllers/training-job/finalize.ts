/** A TrainingJob that is deleted leaves no run open and no request waiting. Its Jobs go with it; its versions stay. */
import { isFinished, Job } from '../../api/batch-job.ts';
import type { ObjectKey } from '../../api/meta.ts';
import type { Context, Finalized } from '../../runtime/reconcile.ts';
import { outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { SUCCEEDED, type TrainingJob, type TrainingJobStatus } from './api.ts';
import { killRun, project, type Turn } from './reconcile-run.ts';
import { withOutcome } from './status.ts';

/** Longer than this a store that is away does not hold up a deletion: the row is left open, and closed by the next sweep. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 5_000;

export async function finalize(
  deps: ControllerDeps,
  ctx: Context,
  trainingJob: TrainingJob,
): Promise<Finalized<TrainingJobStatus>> {
  const now = ctx.now();
  const jobs = ctx.kube.listOwned(Job, trainingJob);
  for (const job of jobs) {
    if (!isFinished(job) && !job.metadata.deletionTimestamp) await ctx.kube.delete(Job, job);
  }
  try {
    await closeRuns({ deps, ctx, trainingJob, now });
    return { done: true };
  } catch (error) {
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

async function closeRuns(turn: Turn): Promise<void> {
  const { deps, trainingJob } = turn;
  const { namespace, name, uid = '' } = trainingJob.metadata;
  const message = `TrainingJob ${name} was deleted while it ran`;
  for (const open of await deps.runs.list(namespace, uid, 0)) {
    const run = await killRun(turn, open, { status: 'KILLED', reason: 'Deleted', message });
    if (run.status === 'FINISHED' && !(await deps.namespaces.isBeingDeleted(namespace))) await project(turn, run);
  }
  await refuseAll(deps, { namespace, name });
}

/** Some at a time, as they are read: whoever makes a TrainingJob of this name next has not been asked for these. */
async function refuseAll({ requests }: ControllerDeps, { namespace, name }: ObjectKey): Promise<void> {
  const why = `TrainingJob ${name} was deleted before the run was started`;
  for (;;) {
    const pending = await requests.pending(namespace, name);
    if (pending.length === 0) return;
    for (const { requestId } of pending) await requests.refuse(namespace, requestId, why);
  }
}
