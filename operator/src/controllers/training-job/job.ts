/** The Job of one run and its pod's shape; what its containers are told is in pod-containers.ts. Pure. */
import { FETCH_SECRET, PUBLISH_SECRET } from '@slipway/contract';
import { failurePolicy, type Job } from '../../api/batch-job.ts';
import {
  childLabels,
  configMapVolume,
  emptyDir,
  FILES_LIMIT,
  type PodTemplate,
  restrictedPod,
  SCRATCH_LIMIT,
  secretVolume,
  type Volume,
} from '../../api/containers.ts';
import { controllerReference } from '../../api/meta.ts';
import { jobKey, RUN_KEY_ANNOTATION, runLabel, TRAINING_JOB_LABEL } from './names.ts';
import { configMapsOf, containersFor, isCompared, type RunPod } from './pod-containers.ts';

export type JobOf = RunPod & {
  /** Within how many the whole run is to be done. */
  readonly seconds: number;
};

/** The Job that trains `run` as `spec` (the run's own, not necessarily the object's of now) says. Same arguments, same Job. */
export function jobFor(of: JobOf): Job {
  const { trainingJob, run, spec, seconds } = of;
  const { metadata } = trainingJob;
  const labels = {
    ...childLabels('training', metadata.name),
    ...runLabel(run.runKey),
    [TRAINING_JOB_LABEL]: metadata.name,
  };
  const annotations = { [RUN_KEY_ANNOTATION]: run.runKey };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...jobKey(trainingJob, run.runKey),
      labels,
      annotations,
      ownerReferences: [controllerReference(trainingJob)],
    },
    // No ttlSecondsAfterFinished: spec.history says which Jobs stay.
    spec: {
      backoffLimit: spec.retries,
      activeDeadlineSeconds: seconds,
      // The exit codes of a user's own container are the user's.
      podFailurePolicy: failurePolicy(['fetch', 'publish', ...(spec.algorithm ? ['trainer'] : [])], {
        trainer: spec.nonRetriableExitCodes ?? [],
      }),
      template: templateFor(of, { labels, annotations }),
    },
  };
}

function templateFor(
  of: RunPod,
  meta: { labels: Readonly<Record<string, string>>; annotations: Readonly<Record<string, string>> },
): PodTemplate {
  const { nodeSelector, tolerations } = of.spec;
  const pod = restrictedPod(
    {
      restartPolicy: 'Never',
      ...containersFor(of),
      volumes: volumesFor(of),
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
    },
    of.settings.imagePullSecrets,
  );
  const annotations = { ...meta.annotations, 'kubectl.kubernetes.io/default-container': 'trainer' };
  return { metadata: { labels: meta.labels, annotations }, spec: pod };
}

/** Every volume that can be filled has a limit; whoever exceeds one is evicted, and that is a failed attempt. */
function volumesFor(of: RunPod): Volume[] {
  const comparing = isCompared(of) ? { files: ['references'], scratch: ['answers', 'tmp-predict'] } : undefined;
  const files = ['input', 'output', ...(comparing?.files ?? [])];
  const scratch = ['tmp-fetch', 'tmp-trainer', 'tmp-publish', ...(comparing?.scratch ?? [])];
  return [
    ...files.map((name) => emptyDir(name, FILES_LIMIT)),
    ...scratch.map((name) => emptyDir(name, SCRATCH_LIMIT)),
    secretVolume('fetch-credentials', FETCH_SECRET),
    secretVolume('publish-credentials', PUBLISH_SECRET),
    ...configMapsOf(of.spec).map((name, index) => configMapVolume(`config-map-${index}`, name)),
  ];
}
