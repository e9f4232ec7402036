/** The Job of one run: fetch (reads the tenant's objects) → trainer (no credential) → publish (writes the result). Pure. */
import {
  CONFIG_MAPS_DIR,
  CREDENTIALS_DIR,
  FETCH_SECRET,
  type FetchInputs,
  INPUT_DIR,
  OUTPUT_DIR,
  PUBLISH_SECRET,
  type PublishRun,
  runTokenFor,
} from '@slipway/contract';
import type { Run } from '@slipway/database';
import { failurePolicy, type Job } from '../../api/batch-job.ts';
import {
  CARRIER,
  type Container,
  childLabels,
  configMapVolume,
  emptyDir,
  FILES_LIMIT,
  fieldEnv,
  literal,
  literalEnv,
  mount,
  type PodTemplate,
  readOnlyMount,
  restrictedPod,
  SCRATCH_LIMIT,
  secretVolume,
} from '../../api/containers.ts';
import { controllerReference } from '../../api/meta.ts';
import type { Settings } from '../ports.ts';
import type { TrainingJob, TrainingJobSpec } from './api.ts';
import { jobKey, RUN_KEY_ANNOTATION, runLabel, TRAINING_JOB_LABEL } from './names.ts';
import { withParameters } from './training.ts';

/** A trainer is foreign code: without limits of its own it gets these. */
const TRAINER = { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '2Gi' } } as const;

/** The Job that trains `run`, to be done within `seconds`. Same arguments, same Job. */
export function jobFor(trainingJob: TrainingJob, run: Run, settings: Settings, seconds: number): Job {
  const { metadata, spec } = trainingJob;
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
    spec: {
      backoffLimit: spec.retries,
      activeDeadlineSeconds: seconds,
      // The exit codes of a user's own container are the user's.
      podFailurePolicy: failurePolicy(['fetch', 'publish', ...(spec.algorithm ? ['trainer'] : [])]),
      template: templateFor(trainingJob, run, settings, { labels, annotations }),
    },
  };
}

function templateFor(
  trainingJob: TrainingJob,
  run: Run,
  settings: Settings,
  meta: { labels: Readonly<Record<string, string>>; annotations: Readonly<Record<string, string>> },
): PodTemplate {
  const configMaps = configMapsOf(trainingJob.spec);
  const spec = restrictedPod(
    {
      restartPolicy: 'Never',
      initContainers: [fetch(trainingJob, settings, configMaps), trainer(trainingJob, run, settings)],
      containers: [publish(trainingJob, run, settings)],
      volumes: [
        ...['input', 'output'].map((name) => emptyDir(name, FILES_LIMIT)),
        ...['tmp-fetch', 'tmp-trainer', 'tmp-publish'].map((name) => emptyDir(name, SCRATCH_LIMIT)),
        secretVolume('fetch-credentials', FETCH_SECRET),
        secretVolume('publish-credentials', PUBLISH_SECRET),
        ...configMaps.map((name, index) => configMapVolume(`config-map-${index}`, name)),
      ],
    },
    settings.imagePullSecrets,
  );
  const annotations = { ...meta.annotations, 'kubectl.kubernetes.io/default-container': 'trainer' };
  return { metadata: { labels: meta.labels, annotations }, spec };
}

/** The ConfigMaps that inputs name, each once. A malformed URI is for `fetch` to refuse. */
function configMapsOf({ inputs }: TrainingJobSpec): string[] {
  const names = inputs.map(({ uri }) => /^configmap:\/\/([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)\//.exec(uri)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))];
}

const fromOurImage = ({ trainerImage, imagePullPolicy }: Settings, command: string) => ({
  image: trainerImage,
  imagePullPolicy,
  args: [command],
});

function fetch({ metadata, spec }: TrainingJob, settings: Settings, configMaps: readonly string[]): Container {
  const asked: FetchInputs = { namespace: metadata.namespace, parameters: spec.parameters, inputs: spec.inputs };
  return {
    name: 'fetch',
    ...fromOurImage(settings, 'fetch'),
    env: literalEnv({ FETCH_INPUTS: JSON.stringify(asked), HOME: '/tmp' }),
    resources: CARRIER,
    volumeMounts: [
      mount('input', INPUT_DIR),
      mount('tmp-fetch', '/tmp'),
      readOnlyMount('fetch-credentials', CREDENTIALS_DIR),
      ...configMaps.map((name, index) => readOnlyMount(`config-map-${index}`, `${CONFIG_MAPS_DIR}/${name}`)),
    ],
  };
}

/**
 * What makes an mlflow script log into this very run without a word of its own. A container that names a tracking server
 * itself is told of none of ours.
 */
function tracking(run: Run, { registryUrl, runTokenKey }: Settings, own: Readonly<Record<string, string>>) {
  if (registryUrl === undefined || own['MLFLOW_TRACKING_URI'] !== undefined) return {};
  const { namespace, runId, experimentId } = run;
  return {
    MLFLOW_TRACKING_URI: `${registryUrl.replace(/\/+$/, '')}/n/${namespace}`,
    MLFLOW_RUN_ID: runId,
    MLFLOW_EXPERIMENT_ID: experimentId,
    ...(runTokenKey !== undefined && { MLFLOW_TRACKING_TOKEN: runTokenFor(runTokenKey, { namespace, runId }) }),
  };
}

function trainer({ spec }: TrainingJob, run: Run, settings: Settings): Container {
  const { algorithm, container, parameters } = spec;
  const given = {
    ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`PARAM_${name.toUpperCase()}`, value])),
    RUN_ID: run.runId,
    HOME: '/tmp',
  };
  const volumeMounts = [readOnlyMount('input', INPUT_DIR), mount('output', OUTPUT_DIR), mount('tmp-trainer', '/tmp')];
  if (!container) {
    const env = literalEnv({ ALGORITHM: JSON.stringify(algorithm), ...given });
    return { name: 'trainer', ...fromOurImage(settings, 'train'), env, resources: TRAINER, volumeMounts };
  }
  const filled = (texts: readonly string[]) =>
    texts.map((text) => withParameters(text, (name) => literal(parameters[name] ?? '')));
  const own = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
  return {
    name: 'trainer',
    image: container.image,
    ...(container.command && { command: filled(container.command) }),
    ...(container.args && { args: filled(container.args) }),
    env: literalEnv({ ...own, ...tracking(run, settings, own), ...given }),
    resources: (container.resources as Container['resources']) ?? TRAINER,
    volumeMounts,
  };
}

function publish({ metadata, spec }: TrainingJob, run: Run, settings: Settings): Container {
  const asked: PublishRun = {
    namespace: metadata.namespace,
    trainingJob: metadata.name,
    runKey: run.runKey,
    runId: run.runId,
    experimentId: run.experimentId,
    ...(spec.model !== undefined && { model: spec.model }),
    image: spec.container?.image ?? settings.trainerImage,
    parameters: spec.parameters,
  };
  return {
    name: 'publish',
    ...fromOurImage(settings, 'publish'),
    env: [...literalEnv({ PUBLISH_RUN: JSON.stringify(asked), HOME: '/tmp' }), fieldEnv('POD_UID', 'metadata.uid')],
    resources: CARRIER,
    volumeMounts: [
      readOnlyMount('input', INPUT_DIR),
      mount('output', OUTPUT_DIR),
      mount('tmp-publish', '/tmp'),
      readOnlyMount('publish-credentials', CREDENTIALS_DIR),
    ],
  };
}
