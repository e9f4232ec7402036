/** What spec.runtime means for the pods: the user's server, and the container in front of it. Pure. */
import { FRONT_PORT, MODEL_DIR } from '@slipway/contract';
import {
  type Container,
  type EnvVar,
  emptyDir,
  literalEnv,
  mount,
  readOnlyMount,
  SCRATCH_LIMIT,
  type Volume,
} from '../../api/containers.ts';
import { durationSeconds, type Resources } from '../../api/fields.ts';
import type { InferenceService } from './api.ts';
import { FRONT_CONTAINER, type Scheme, SERVER_CONTAINER, schemeOf } from './names.ts';
import type { Runtime } from './spec/runtime.ts';

/** Python with a data frame library needs more than a server of ours. */
export const RUNTIME_RESOURCES = {
  requests: { cpu: '100m', memory: '256Mi' },
  limits: { memory: '2Gi' },
} as const;
const FRONT_RESOURCES = { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } } as const;
const SCRATCH = 'tmp-server';

/** What differs in the container that clients reach. */
export interface FrontParts {
  readonly name: string;
  readonly command: string;
  readonly port: number;
  readonly resources: Resources;
  readonly env: Readonly<Record<string, string>>;
  /** How often in a row it may say that it is not ready. */
  readonly denials: number;
}

/** The container that clients reach where there is a runtime. */
export const frontOf = ({ spec }: InferenceService, { protocol, port }: Runtime): FrontParts => ({
  name: FRONT_CONTAINER,
  command: 'front',
  port: FRONT_PORT,
  resources: FRONT_RESOURCES,
  env: {
    RUNTIME: JSON.stringify({
      ...{ protocol, port },
      readyWithinSeconds: durationSeconds(spec.rollout.progressDeadline),
    }),
  },
  // It has thought about it already, and it is never too busy to say so.
  denials: 1,
});

/** What the server is told. */
function environment({ spec }: InferenceService, { env = [], port }: Runtime, version: number): EnvVar[] {
  const given = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  const own = { MODEL_DIR, MODEL_NAME: spec.model, MODEL_VERSION: String(version), PORT: String(port) };
  return literalEnv({ HOME: '/tmp', ...given, ...own });
}

/**
 * The user's server, and the space it may write to. A sidecar: it is there before the front, and is ended only when the front
 * has answered the last request. It is asked nothing by the kubelet itself, which does not reach a server at 127.0.0.1: the
 * front says whether it has gone silent.
 */
export function serverOf(
  owner: InferenceService,
  runtime: Runtime,
  { version, resources }: { readonly version: number; readonly resources: Resources },
): { readonly container: Container; readonly volume: Volume } {
  const { image, command, args } = runtime;
  return {
    volume: emptyDir(SCRATCH, SCRATCH_LIMIT),
    container: {
      name: SERVER_CONTAINER,
      image,
      restartPolicy: 'Always',
      ...(command && { command }),
      ...(args && { args }),
      env: environment(owner, runtime, version),
      resources,
      volumeMounts: [readOnlyMount('model', MODEL_DIR), mount(SCRATCH, '/tmp')],
      livenessProbe: liveness(schemeOf(owner)),
    },
  };
}

/** Asked of the front, which is not there at first and for a moment when it is restarted. */
const liveness = (scheme: Scheme) => ({
  httpGet: { path: '/livez?server', port: FRONT_PORT, ...(scheme === 'https' && { scheme: 'HTTPS' }) },
  periodSeconds: 10,
  failureThreshold: 12,
  timeoutSeconds: 10,
});
