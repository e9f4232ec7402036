import { FailureReason } from '@slipway/contract';
import { Job } from '../../api/batch-job.ts';
import type { KubeObject, ObjectKey } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import type { ControllerDefinition } from '../../runtime/reconcile.ts';
import type { ControllerDeps } from '../ports.ts';
import { GATE_PASSED, REGISTERED, Reason, RUNNING, SLA_MISSED, SUCCEEDED, TrainingJob } from './api.ts';
import { finalize } from './finalize.ts';
import { TRAINING_JOB_LABEL } from './names.ts';
import { reconcile } from './reconcile.ts';

const CALM: ReadonlySet<string> = new Set([
  Reason.Pending,
  Reason.Running,
  Reason.Completed,
  Reason.WaitingForSchedule,
]);
const warnings = new Set([...FailureReason.options, ...Object.values(Reason)].filter((reason) => !CALM.has(reason)));

/** The TrainingJob a pod trains for. */
function trainingJobOf({ metadata }: KubeObject): readonly ObjectKey[] {
  const name = metadata.labels?.[TRAINING_JOB_LABEL];
  return name === undefined ? [] : [{ namespace: metadata.namespace, name }];
}

/** TrainingJob → run, Job, ModelVersion. */
export const trainingJobController = (deps: ControllerDeps): ControllerDefinition<TrainingJob> => ({
  for: TrainingJob,
  owns: [Job],
  watches: [{ kind: Pod, keys: trainingJobOf }],
  warnings,
  summary: SUCCEEDED,
  // Succeeded tells the same, and what is told once per run are notes.
  quiet: new Set([RUNNING, REGISTERED, GATE_PASSED, SLA_MISSED]),
  reconcile: (ctx, trainingJob) => reconcile(deps, ctx, trainingJob),
  finalizer: 'slipway.dev/run',
  finalize: (ctx, trainingJob) => finalize(deps, ctx, trainingJob),
});
