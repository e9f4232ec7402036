/** Pure builders that every pod of ours shares: Pod Security `restricted`, read-only roots, no token for the API server. */

const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
const MANAGED_BY = 'slipway';
/** Finds every child the operator made. */
export const MANAGED_BY_SELECTOR = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;
export const INSTANCE_LABEL = 'app.kubernetes.io/instance';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** What a child is for; it tells the pods of a TrainingJob and an InferenceService of the same name apart. */
export type Component = 'training' | 'verification' | 'conversion' | 'serving';

/** The standard labels of a child. `instance` is the name of the object it was made for. */
export const childLabels = (component: Component, instance: string): Readonly<Record<string, string>> => ({
  'app.kubernetes.io/name': `slipway-${component}`,
  [INSTANCE_LABEL]: instance,
  [COMPONENT_LABEL]: component,
  'app.kubernetes.io/part-of': 'slipway',
  [MANAGED_BY_LABEL]: MANAGED_BY,
});

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

export interface Volume {
  readonly name: string;
  readonly emptyDir?: { readonly sizeLimit?: string };
  readonly secret?: {
    readonly secretName: string;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
    readonly optional?: boolean;
    readonly defaultMode: number;
  };
  readonly configMap?: { readonly name: string; readonly optional: boolean; readonly defaultMode: number };
  readonly projected?: {
    readonly defaultMode: number;
    readonly sources: readonly {
      readonly serviceAccountToken: {
        readonly audience: string;
        readonly expirationSeconds: number;
        readonly path: string;
      };
    }[];
  };
}

export type EnvVar =
  | { readonly name: string; readonly value: string }
  | { readonly name: string; readonly valueFrom: { readonly fieldRef: { readonly fieldPath: string } } };

export interface ResourceRequirements {
  readonly requests?: Readonly<Record<string, string | number>>;
  readonly limits?: Readonly<Record<string, string | number>>;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  /** Of an init container: it goes on beside those after it and is ended with the pod (a sidecar). */
  readonly restartPolicy?: 'Always';
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly protocol?: 'TCP' }[];
  readonly resources?: ResourceRequirements;
  readonly volumeMounts?: readonly VolumeMount[];
  readonly securityContext?: object;
  readonly terminationMessagePolicy?: 'FallbackToLogsOnError';
  readonly startupProbe?: object;
  readonly readinessProbe?: object;
  readonly livenessProbe?: object;
  readonly lifecycle?: object;
}

export interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly [field: string]: unknown;
}

export interface PodTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: PodSpec;
}

/** The user every pod of ours runs as; volumes are made writable for it through fsGroup. */
const USER_ID = 65532;

const podSecurity = {
  runAsNonRoot: true,
  runAsUser: USER_ID,
  runAsGroup: USER_ID,
  fsGroup: USER_ID,
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
} as const;

/** `container` as `restricted` demands, with its last words kept for the operator to read. */
export const restricted = <C extends Container>(container: C): C => ({
  ...container,
  securityContext: containerSecurity,
  terminationMessagePolicy: 'FallbackToLogsOnError',
});

/** A pod spec as `restricted` demands: no token for the API server, no service links, every container `restricted`. */
export const restrictedPod = (
  pod: PodSpec & { readonly containers: readonly Container[] },
  pullSecrets: readonly string[] = [],
): PodSpec => ({
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  securityContext: podSecurity,
  ...(pullSecrets.length > 0 && { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
  ...pod,
  ...(pod.initContainers && { initContainers: pod.initContainers.map(restricted) }),
  containers: pod.containers.map(restricted),
});

/** What brings files in and results out needs little: everything is streamed. */
export const CARRIER = { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } } as const;
/** How much a pod may write into a volume of inputs, outputs or a model, and into its scratch space, before it is evicted. */
export const FILES_LIMIT = '10Gi';
export const SCRATCH_LIMIT = '2Gi';
/**
 * The logs of a container whose root is read-only, on a node that does not rotate them: whoever writes more is evicted. The
 * request is said as well, because a limit without one would be reserved on the node.
 */
export const LOGS_LIMIT = '1Gi';
export const LOGS_REQUEST = '16Mi';

/** The sidecar of a training pod. It runs beside every other container, and no pod fails because of it. */
export const WATCH_CONTAINER = 'watch';

/** Scratch space that goes with the pod. */
export const emptyDir = (name: string, sizeLimit?: string): Volume => ({
  name,
  emptyDir: sizeLimit === undefined ? {} : { sizeLimit },
});

/** A Secret's keys, or only these of them, as files that only the pod's user may read. */
export const secretVolume = (name: string, secretName: string, keys?: readonly string[]): Volume => ({
  name,
  secret: { secretName, ...(keys && { items: keys.map((key) => ({ key, path: key })) }), defaultMode: 0o440 },
});

/** As secretVolume, but the pod starts without the Secret, and finds it as soon as it is there. */
export const optionalSecretVolume = (name: string, secretName: string): Volume => ({
  name,
  secret: { secretName, optional: true, defaultMode: 0o440 },
});

/** A ConfigMap's keys as files. Optional: the container that reads it says what is missing better than a stuck pod. */
export const configMapVolume = (name: string, configMap: string): Volume => ({
  name,
  configMap: { name: configMap, optional: true, defaultMode: 0o444 },
});

/**
 * A token of the pod's service account that is good for one audience only, an hour at most, as the file `path`. The
 * kubelet renews it in place.
 */
export const tokenVolume = (name: string, audience: string, path: string): Volume => ({
  name,
  projected: {
    defaultMode: 0o440,
    sources: [{ serviceAccountToken: { audience, expirationSeconds: 3600, path } }],
  },
});

export const mount = (name: string, mountPath: string): VolumeMount => ({ name, mountPath });
export const readOnlyMount = (name: string, mountPath: string): VolumeMount => ({ name, mountPath, readOnly: true });

/** `text` as the kubelet hands it on unchanged: it would expand `$(NAME)` and shorten `$$`. */
export const literal = (text: string): string => text.replaceAll('$', '$$$$');

/** Environment variables whose values arrive as they are given, in the order of the record. */
export const literalEnv = (variables: Readonly<Record<string, string>>): EnvVar[] =>
  Object.entries(variables).map(([name, value]) => ({ name, value: literal(value) }));

/** A field of the pod as environment variable. */
export const fieldEnv = (name: string, fieldPath: string): EnvVar => ({
  name,
  valueFrom: { fieldRef: { fieldPath } },
});
