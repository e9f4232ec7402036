/** Which Jobs of a TrainingJob are still needed. Pure. */
import type { Run } from '@slipway/database';
import { failedCondition, isFinished, type Job } from '../../api/batch-job.ts';
import type { TrainingJobSpec } from './api.ts';
import { RUN_KEY_ANNOTATION } from './names.ts';

/** The run a Job was made for. */
export const runKeyOf = ({ metadata }: Job): string | undefined => metadata.annotations?.[RUN_KEY_ANNOTATION];

const made = ({ metadata }: Job): string => metadata.creationTimestamp ?? '';

/** True when the Job is one of a run that has ended. The row knows best; a run too old to be known is what its Job says. */
const hasEnded = (job: Job, run: Run | undefined): boolean => (run ? run.status !== 'RUNNING' : isFinished(job));

const hasSucceeded = (job: Job, run: Run | undefined): boolean =>
  run ? run.status === 'FINISHED' : failedCondition(job) === undefined;

/** The Jobs of ended runs beyond those that `spec.history` keeps, the newest of either outcome being kept. */
export function surplusJobs(
  jobs: readonly Job[],
  runs: ReadonlyMap<string, Run>,
  { successful, failed }: TrainingJobSpec['history'],
): readonly Job[] {
  const runOf = (job: Job) => runs.get(runKeyOf(job) ?? '');
  const ended = jobs
    .filter((job) => job.metadata.deletionTimestamp === undefined && hasEnded(job, runOf(job)))
    .sort((a, b) => made(b).localeCompare(made(a)) || b.metadata.name.localeCompare(a.metadata.name));
  const good = ended.filter((job) => hasSucceeded(job, runOf(job)));
  const bad = ended.filter((job) => !hasSucceeded(job, runOf(job)));
  return [...good.slice(successful), ...bad.slice(failed)];
}
