/** Names of what is made for a run. They are computed, never stored: making something twice makes it once. */
import { runIdFor, shortHash } from '@slipway/contract';
import type { ObjectKey, ObjectMeta } from '../../api/meta.ts';

/** On a run's Job and pods: the whole key of the run (no label value). */
export const RUN_KEY_ANNOTATION = 'slipway.dev/run-key';
/** On a run's Job and pods: the id of the run. */
export const RUN_ID_LABEL = 'slipway.dev/run-id';
/** On a run's Job and pods: the TrainingJob. */
export const TRAINING_JOB_LABEL = 'slipway.dev/training-job';

/** The one Job of a run. */
export const jobKey = ({ metadata }: { metadata: ObjectMeta }, runKey: string): ObjectKey => ({
  namespace: metadata.namespace,
  name: `${metadata.name}-${shortHash(runKey)}`,
});

/** The label by which the pods of a run are found. */
export const runLabel = (runKey: string): Readonly<Record<string, string>> => ({ [RUN_ID_LABEL]: runIdFor(runKey) });
