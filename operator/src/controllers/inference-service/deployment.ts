/** The Deployment that serves one release, and how to read the release back from it. */
import {
  CONTROL_AUDIENCE,
  CREDENTIALS_DIR,
  FETCH_SECRET,
  MODEL_DIR,
  ModelArtifact,
  OPERATOR_TOKEN_DIR,
  OPERATOR_TOKEN_FILE,
  shortHash,
} from '@slipway/contract';
import {
  emptyDir,
  literalEnv,
  mount,
  type PodTemplate,
  readOnlyMount,
  restrictedPod,
  secretVolume,
  tokenVolume,
} from '../../api/containers.ts';
import type { Deployment, DesiredDeployment } from '../../api/deployment.ts';
import { durationSeconds, type Resources } from '../../api/fields.ts';
import { controllerReference } from '../../api/meta.ts';
import { MODEL_LABEL, VERSION_LABEL } from '../model-version/api.ts';
import { modelLabel } from '../model-version/names.ts';
import type { Settings } from '../ports.ts';
import { accessOf } from './access.ts';
import type { InferenceService } from './api.ts';
import {
  childKey,
  DIGEST_ANNOTATION,
  FETCH_CONTAINER,
  FRONT_CONTAINER,
  HTTP_PORT,
  labelsFor,
  podLabels,
  SCHEME_ANNOTATION,
  type Scheme,
  SERVER_CONTAINER,
  schemeOf,
  TEMPLATE_ANNOTATION,
} from './names.ts';
import { predictionLogParts } from './prediction-log.ts';
import type { Release } from './release.ts';
import { type FrontParts, frontOf, RUNTIME_RESOURCES, serverOf } from './runtime.ts';
import { serveSettingsEnv } from './serve-settings.ts';

/** Longer than the server takes to drain and to finish what it has begun. */
const GRACE_SECONDS = 60;
/** The kubelet gives a loading server at least this long; the rollout's own deadline comes first. */
const STARTUP_SECONDS = 600;

const FETCH_RESOURCES = { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } } as const;
const SERVER_RESOURCES = { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } } as const;

/** What the server container gets: what the spec says, the rest from the defaults unless they would contradict it. */
function serverResources({ resources, runtime }: InferenceService['spec']): Resources {
  const defaults = runtime ? RUNTIME_RESOURCES : SERVER_RESOURCES;
  if (!resources) return defaults;
  const { requests, limits } = resources;
  // A default request above the user's limit would be refused; where there is a limit alone Kubernetes takes that. The
  // others stay: an autoscaler has nothing to go by without a request.
  const { cpu, memory } = defaults.requests;
  const base = requests
    ? { cpu, memory }
    : { ...(limits?.cpu === undefined && { cpu }), ...(limits?.memory === undefined && { memory }) };
  return { requests: { ...base, ...requests }, limits: limits ?? {} };
}

/** MODEL_ARTIFACT, written the same way however the artifact was read. */
function artifactEnv(namespace: string, { artifact }: Release): string {
  const files = artifact.files.map(({ path, sha256, size }) => ({ path, sha256, size }));
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return JSON.stringify({ namespace, uri: artifact.uri, files, digest: artifact.digest });
}

const httpGet = (path: string, scheme: Scheme) => ({
  httpGet: { path, port: scheme, ...(scheme === 'https' && { scheme: 'HTTPS' }) },
  timeoutSeconds: 5,
});

/** Ready as soon as the model is; a server that is merely busy is neither restarted nor taken out for a while. */
const probes = (progressDeadlineSeconds: number, scheme: Scheme, denials: number) => ({
  startupProbe: {
    ...httpGet('/readyz', scheme),
    periodSeconds: 1,
    failureThreshold: Math.max(progressDeadlineSeconds + 60, STARTUP_SECONDS),
  },
  readinessProbe: { ...httpGet('/readyz', scheme), periodSeconds: 1, failureThreshold: denials },
  livenessProbe: { ...httpGet('/livez', scheme), periodSeconds: 10, failureThreshold: 12, timeoutSeconds: 10 },
});

/** What a server needs to ask the operator for runs and versions; nothing when spec.api allows neither. */
function controlAccess({ spec }: InferenceService, { operatorUrl }: Settings) {
  if (spec.api?.trainingJob === undefined && !spec.api?.allowVersionSwitch) return { volumes: [], mounts: [], env: {} };
  return {
    volumes: [tokenVolume('operator-token', CONTROL_AUDIENCE, OPERATOR_TOKEN_FILE)],
    mounts: [readOnlyMount('operator-token', OPERATOR_TOKEN_DIR)],
    env: { OPERATOR_URL: operatorUrl },
  };
}

/** The built-in server is itself what clients reach. */
const builtIn = (resources: Resources): FrontParts => ({
  name: SERVER_CONTAINER,
  command: 'serve',
  port: HTTP_PORT,
  resources,
  env: {},
  denials: 3,
});

function podTemplate(owner: InferenceService, release: Release, settings: Settings): PodTemplate {
  const { servingImage: image, imagePullPolicy, imagePullSecrets } = settings;
  const { spec } = owner;
  const artifact = { MODEL_ARTIFACT: artifactEnv(owner.metadata.namespace, release) };
  const control = controlAccess(owner, settings);
  const access = accessOf(owner);
  const predictions = predictionLogParts(owner, settings);
  const scheme = schemeOf(owner);
  const { runtime } = spec;
  const resources = serverResources(spec);
  const reached = runtime ? frontOf(owner, runtime) : builtIn(resources);
  const server = runtime && serverOf(owner, runtime, { version: release.version, resources });
  const labels = {
    ...labelsFor(owner),
    [MODEL_LABEL]: modelLabel(spec.model),
    [VERSION_LABEL]: String(release.version),
  };
  const pod = {
    terminationGracePeriodSeconds: GRACE_SECONDS,
    topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: podLabels(owner) },
      matchLabelKeys: ['pod-template-hash'],
    })),
    volumes: [
      emptyDir('model'),
      emptyDir('tmp', '64Mi'),
      secretVolume('credentials', FETCH_SECRET),
      ...control.volumes,
      ...access.volumes,
      ...predictions.volumes,
      ...(server ? [server.volume] : []),
    ],
    initContainers: [
      {
        name: FETCH_CONTAINER,
        image,
        imagePullPolicy,
        args: ['fetch'],
        env: literalEnv(artifact),
        resources: FETCH_RESOURCES,
        volumeMounts: [mount('model', MODEL_DIR), mount('tmp', '/tmp'), readOnlyMount('credentials', CREDENTIALS_DIR)],
      },
      ...predictions.sidecars,
      ...(server ? [server.container] : []),
    ],
    containers: [
      {
        name: reached.name,
        image,
        imagePullPolicy,
        args: [reached.command],
        env: literalEnv({
          ...artifact,
          MODEL_NAME: spec.model,
          MODEL_VERSION: String(release.version),
          ...control.env,
          // What GET /health says of the registry; nothing else asks it.
          ...(settings.registryUrl !== undefined && { REGISTRY_URL: settings.registryUrl }),
          ...serveSettingsEnv(owner),
          ...reached.env,
        }),
        ports: [{ name: scheme, containerPort: reached.port, protocol: 'TCP' as const }],
        resources: reached.resources,
        volumeMounts: [
          readOnlyMount('model', MODEL_DIR),
          mount('tmp', '/tmp'),
          ...control.mounts,
          ...access.mounts,
          ...predictions.mounts,
        ],
        ...probes(durationSeconds(spec.rollout.progressDeadline), scheme, reached.denials),
      },
    ],
  };
  const annotations = {
    [DIGEST_ANNOTATION]: release.digest,
    ...(scheme === 'https' && { [SCHEME_ANNOTATION]: scheme }),
    // Whose logs are asked for: what is in front of it has little to say.
    ...(runtime && { 'kubectl.kubernetes.io/default-container': SERVER_CONTAINER }),
  };
  const template = { metadata: { labels, annotations }, spec: restrictedPod(pod, imagePullSecrets) };
  const hash = shortHash(JSON.stringify(template), 16);
  return { ...template, metadata: { labels, annotations: { ...annotations, [TEMPLATE_ANNOTATION]: hash } } };
}

/** The Deployment that serves `release`. Pure: the same input gives the same pods, so going back restarts nothing. */
export function deploymentFor(
  owner: InferenceService,
  release: Release,
  settings: Settings,
  replicas = owner.spec.replicas,
): DesiredDeployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...childKey(owner), labels: labelsFor(owner), ownerReferences: [controllerReference(owner)] },
    spec: {
      replicas,
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: durationSeconds(owner.spec.rollout.progressDeadline),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      selector: { matchLabels: podLabels(owner) },
      template: podTemplate(owner, release, settings),
    },
  };
}

/** The digest of a Deployment's pod template, as deploymentFor wrote it. */
export const templateOf = (deployment: Pick<DesiredDeployment | Deployment, 'spec'>): string =>
  deployment.spec.template.metadata.annotations?.[TEMPLATE_ANNOTATION] ?? '';

/** The release a Deployment's pods are made from; undefined when it does not say (edited by hand, say). */
export function releaseOf({ spec }: Deployment): Release | undefined {
  const reached = spec.template.spec.containers.find(
    ({ name }) => name === SERVER_CONTAINER || name === FRONT_CONTAINER,
  );
  const value = (name: string) => reached?.env.find((variable) => variable.name === name)?.value;
  const version = Number(value('MODEL_VERSION'));
  const artifact = parseArtifact(value('MODEL_ARTIFACT'));
  if (!artifact?.files || !artifact.digest || !Number.isInteger(version) || version < 1) return undefined;
  const { uri, files, digest } = artifact;
  return { version, digest, artifact: { uri, files, digest } };
}

function parseArtifact(text = ''): ModelArtifact | undefined {
  try {
    return ModelArtifact.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
