/**
 * The containers of a run's pod, in their order: fetch (reads the tenant's objects) → watch (a sidecar: tells the registry
 * how far the trainer is) → trainer (no credential) → predict (asks the models that gates compare) → publish (writes the
 * result). Pure.
 */
import {
  ANSWERS_DIR,
  CONFIG_MAPS_DIR,
  CREDENTIALS_DIR,
  type FetchInputs,
  INPUT_DIR,
  OUTPUT_DIR,
  type PublishRun,
  REFERENCES_DIR,
  runTokenFor,
  s3Uri,
} from '@slipway/contract';
import type { Run } from '@slipway/database';
import {
  CARRIER,
  type Container,
  fieldEnv,
  LOGS_REQUEST,
  literal,
  literalEnv,
  mount,
  readOnlyMount,
  WATCH_CONTAINER,
} from '../../api/containers.ts';
import type { Settings } from '../ports.ts';
import type { TrainingJob, TrainingJobSpec } from './api.ts';
import { asModelArtifacts, comparedVersions, registrationFor } from './comparison.ts';
import type { Resolved } from './resolved.ts';
import { trainerResources } from './trainer-resources.ts';
import { withParameters } from './training.ts';

export interface RunPod {
  readonly trainingJob: TrainingJob;
  readonly run: Run;
  /** What the run was started with. */
  readonly spec: TrainingJobSpec;
  readonly settings: Settings;
  readonly resolved: Resolved;
}

/** All that the volumes of the pod may hold, and its logs: the limit of one container is not taken for that of the pod. */
const POD_DISK = '48Gi';
const PUBLISH_RESOURCES = {
  requests: { ...CARRIER.requests, 'ephemeral-storage': LOGS_REQUEST },
  limits: { ...CARRIER.limits, 'ephemeral-storage': POD_DISK },
} as const;
/**
 * The shell is there at once, Node is not: a trainer that fails in its first moments would have the pod wait out its grace
 * period, because process 1 of a container ignores SIGTERM until it has a handler.
 */
const WATCH_COMMAND = ['sh', '-c', "trap 'kill $!; wait $!; exit 0' TERM; node /app/main.mjs watch & wait $!"];
/** It holds a few hundred metric points and one connection. */
const WATCH_RESOURCES = { requests: { cpu: '20m', memory: '48Mi' }, limits: { memory: '128Mi' } } as const;

const isTracked = ({ tracking }: TrainingJobSpec): boolean => tracking?.enabled !== false;

/** True when a gate compares with a version that exists: only then are models asked before the run is published. */
export const isCompared = ({ spec, resolved }: RunPod): boolean => comparedVersions(spec, resolved).length > 0;

/** The ConfigMaps that inputs name, each once. A malformed URI is for `fetch` to refuse. */
export function configMapsOf({ inputs }: TrainingJobSpec): string[] {
  const names = inputs.map(({ uri }) => /^configmap:\/\/([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)\//.exec(uri)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** Init containers and containers of the pod. */
export function containersFor(of: RunPod): { initContainers: Container[]; containers: Container[] } {
  const tracking = isTracked(of.spec) ? trackingOf(of.run, of.settings) : undefined;
  return {
    initContainers: [
      fetch(of),
      ...(tracking ? [watch(of, tracking)] : []),
      trainer(of, tracking),
      ...(isCompared(of) ? [predict(of)] : []),
    ],
    containers: [publish(of)],
  };
}

const fromOurImage = ({ trainerImage, imagePullPolicy }: Settings, command: string) => ({
  image: trainerImage,
  imagePullPolicy,
  args: [command],
});

/** The bytes of a data set are named when the run starts: what the name stands for later is another run's. */
function located(
  input: TrainingJobSpec['inputs'][number],
  { resolved, settings }: RunPod,
): FetchInputs['inputs'][number] {
  const dataSet = Object.hasOwn(resolved.dataSets, input.uri) ? resolved.dataSets[input.uri] : undefined;
  if (!dataSet) return input;
  return { sha256: dataSet.sha256, ...input, location: s3Uri({ bucket: settings.bucket, key: dataSet.key }) };
}

function fetch(of: RunPod): Container {
  const { trainingJob, run, spec, settings, resolved } = of;
  const { namespace } = trainingJob.metadata;
  const compared = comparedVersions(spec, resolved);
  const asked: FetchInputs = {
    namespace,
    parameters: run.parameters,
    inputs: spec.inputs.map((input) => located(input, of)),
    ...(settings.httpsInputHosts && { httpsHosts: [...settings.httpsInputHosts] }),
    ...(compared.length > 0 && { references: asModelArtifacts(compared, namespace) }),
  };
  return {
    name: 'fetch',
    ...fromOurImage(settings, 'fetch'),
    env: literalEnv({
      FETCH_INPUTS: JSON.stringify(asked),
      ...(settings.httpsInputCidrs?.length && { HTTPS_INPUT_CIDRS: settings.httpsInputCidrs.join(',') }),
      HOME: '/tmp',
    }),
    resources: CARRIER,
    volumeMounts: [
      mount('input', INPUT_DIR),
      ...(compared.length > 0 ? [mount('references', REFERENCES_DIR)] : []),
      mount('tmp-fetch', '/tmp'),
      readOnlyMount('fetch-credentials', CREDENTIALS_DIR),
      ...configMapsOf(spec).map((name, index) => readOnlyMount(`config-map-${index}`, `${CONFIG_MAPS_DIR}/${name}`)),
    ],
  };
}

type Variables = Readonly<Record<string, string>>;

/** By what a process in the pod writes to this very run and nothing else; undefined without a registry. */
function trackingOf({ namespace, runId }: Run, { registryUrl, runTokenKey }: Settings): Variables | undefined {
  if (registryUrl === undefined) return undefined;
  return {
    MLFLOW_TRACKING_URI: `${registryUrl.replace(/\/+$/, '')}/n/${namespace}`,
    MLFLOW_RUN_ID: runId,
    ...(runTokenKey !== undefined && { MLFLOW_TRACKING_TOKEN: runTokenFor(runTokenKey, { namespace, runId }) }),
  };
}

const startTimeOf = (run: Run): number => Date.parse(run.startTime);

/** The sidecar that carries what the trainer says of itself while it runs. It ends with the pod and never fails it. */
function watch({ run, settings }: RunPod, tracking: Variables): Container {
  return {
    name: WATCH_CONTAINER,
    restartPolicy: 'Always',
    image: settings.trainerImage,
    imagePullPolicy: settings.imagePullPolicy,
    command: WATCH_COMMAND,
    env: literalEnv({ ...tracking, RUN_START_TIME: String(startTimeOf(run)), HOME: '/tmp' }),
    resources: WATCH_RESOURCES,
    volumeMounts: [readOnlyMount('output', OUTPUT_DIR)],
  };
}

const experimentOf = ({ spec, trainingJob }: RunPod): string => spec.experiment ?? trainingJob.metadata.name;

/**
 * What makes an mlflow script log into this very run without a word of its own, or (`tracking.uri`) into an experiment of
 * that name on a server elsewhere. A container that names a tracking server itself is told of none.
 */
function forScripts(of: RunPod, own: Variables, tracking: Variables | undefined): Variables {
  if (own['MLFLOW_TRACKING_URI'] !== undefined || !isTracked(of.spec)) return {};
  const elsewhere = of.spec.tracking?.uri;
  if (elsewhere !== undefined) return { MLFLOW_TRACKING_URI: elsewhere, MLFLOW_EXPERIMENT_NAME: experimentOf(of) };
  return tracking ? { ...tracking, MLFLOW_EXPERIMENT_ID: of.run.experimentId } : {};
}

function trainer(of: RunPod, tracking: Variables | undefined): Container {
  const { run, spec, settings } = of;
  const { algorithm, container } = spec;
  const { parameters } = run;
  const given = {
    ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`PARAM_${name.toUpperCase()}`, value])),
    RUN_ID: run.runId,
    HOME: '/tmp',
  };
  const resources = trainerResources(spec);
  const volumeMounts = [readOnlyMount('input', INPUT_DIR), mount('output', OUTPUT_DIR), mount('tmp-trainer', '/tmp')];
  if (!container) {
    const env = literalEnv({ ALGORITHM: JSON.stringify(algorithm), ...given });
    return { name: 'trainer', ...fromOurImage(settings, 'train'), env, resources, volumeMounts };
  }
  const filled = (texts: readonly string[]) =>
    texts.map((text) => withParameters(text, (name) => literal(parameters[name] ?? '')));
  const own = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
  return {
    name: 'trainer',
    image: container.image,
    ...(container.command && { command: filled(container.command) }),
    ...(container.args && { args: filled(container.args) }),
    env: literalEnv({ ...own, ...forScripts(of, own, tracking), ...given }),
    resources,
    volumeMounts,
  };
}

/** Runs the candidate and every reference over the held-out rows. Models are foreign: it holds no credential. */
const predict = ({ spec, settings }: RunPod): Container => ({
  name: 'predict',
  image: settings.servingImage,
  imagePullPolicy: settings.imagePullPolicy,
  args: ['predict'],
  env: literalEnv({ HOME: '/tmp' }),
  resources: trainerResources(spec),
  volumeMounts: [
    readOnlyMount('output', OUTPUT_DIR),
    readOnlyMount('references', REFERENCES_DIR),
    mount('answers', ANSWERS_DIR),
    mount('tmp-predict', '/tmp'),
  ],
});

/** What `publish` is told of the run. */
function publicationOf(of: RunPod): PublishRun {
  const { trainingJob, run, spec, settings, resolved } = of;
  const register = registrationFor(spec, resolved);
  return {
    namespace: trainingJob.metadata.namespace,
    trainingJob: trainingJob.metadata.name,
    runKey: run.runKey,
    runId: run.runId,
    experimentId: run.experimentId,
    ...(spec.model !== undefined && { model: spec.model }),
    ...(register && { register }),
    isTrial: run.parentRunKey !== undefined,
    isTracked: isTracked(spec),
    ...(spec.tracking?.uri !== undefined && { externalTrackingUri: spec.tracking.uri }),
    experiment: experimentOf(of),
    startTime: startTimeOf(run),
    image: spec.container?.image ?? settings.trainerImage,
    parameters: run.parameters,
  };
}

function publish(of: RunPod): Container {
  return {
    name: 'publish',
    ...fromOurImage(of.settings, 'publish'),
    env: [
      ...literalEnv({ PUBLISH_RUN: JSON.stringify(publicationOf(of)), HOME: '/tmp' }),
      fieldEnv('POD_UID', 'metadata.uid'),
    ],
    resources: PUBLISH_RESOURCES,
    volumeMounts: [
      readOnlyMount('input', INPUT_DIR),
      mount('output', OUTPUT_DIR),
      ...(isCompared(of) ? [readOnlyMount('answers', ANSWERS_DIR)] : []),
      mount('tmp-publish', '/tmp'),
      readOnlyMount('publish-credentials', CREDENTIALS_DIR),
    ],
  };
}
