/** The slice of a Pod the operator reads. Only pods the operator made are watched. */
import { z } from 'zod';
import { MANAGED_BY_SELECTOR } from './containers.ts';
import { type Kind, type KubeObject, Metadata } from './meta.ts';

const Terminated = z.object({
  exitCode: z.int(),
  reason: z.string().exactOptional(),
  message: z.string().exactOptional(),
  startedAt: z.string().nullish(),
  finishedAt: z.string().nullish(),
});
export type Terminated = Readonly<z.infer<typeof Terminated>>;

const State = z.object({
  waiting: z.object({ reason: z.string().exactOptional(), message: z.string().exactOptional() }).exactOptional(),
  running: z.object({ startedAt: z.string().nullish() }).exactOptional(),
  terminated: Terminated.exactOptional(),
});

const ContainerStatus = z.object({
  name: z.string(),
  image: z.string().exactOptional(),
  imageID: z.string().exactOptional(),
  ready: z.boolean().default(false),
  /** True from the moment its startup probe has succeeded. */
  started: z.boolean().default(false),
  restartCount: z.int().default(0),
  state: State.default({}),
  lastState: State.default({}),
});
export type ContainerStatus = Readonly<z.infer<typeof ContainerStatus>>;

const PodCondition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().exactOptional(),
  message: z.string().exactOptional(),
  lastTransitionTime: z.string().nullish(),
});

const schema = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Pod'),
  metadata: Metadata,
  spec: z.object({ nodeName: z.string().exactOptional() }).default({}),
  status: z
    .object({
      phase: z.string().exactOptional(),
      reason: z.string().exactOptional(),
      message: z.string().exactOptional(),
      podIP: z.string().exactOptional(),
      startTime: z.string().nullish(),
      conditions: z.array(PodCondition).default([]),
      initContainerStatuses: z.array(ContainerStatus).default([]),
      containerStatuses: z.array(ContainerStatus).default([]),
    })
    .default({ conditions: [], initContainerStatuses: [], containerStatuses: [] }),
});
export type Pod = KubeObject & Readonly<Pick<z.infer<typeof schema>, 'spec' | 'status'>>;

export const Pod: Kind<Pod> = {
  apiVersion: 'v1',
  kind: 'Pod',
  plural: 'pods',
  selector: MANAGED_BY_SELECTOR,
  parse: (raw) => schema.parse(raw) as Pod,
};

/** All its containers as the kubelet sees them, init containers first, in the order they run. */
export const containerStatuses = ({ status }: Pod): readonly ContainerStatus[] => [
  ...status.initContainerStatuses,
  ...status.containerStatuses,
];

/** True when the pod takes traffic: its Ready condition is True and it is not on its way out. */
export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status.conditions.some((c) => c.type === 'Ready' && c.status === 'True');

/** Why the scheduler finds no node for it, in its own words; undefined when it has one or is still thinking. */
export const unschedulableMessage = ({ status }: Pod): string | undefined => {
  const condition = status.conditions.find((c) => c.type === 'PodScheduled');
  if (condition?.status !== 'False' || condition.reason !== 'Unschedulable') return undefined;
  return condition.message ?? 'no node fits';
};

const PULL_REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
  'ImageInspectError',
]);
const CONFIG_REASONS = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'StartError',
  'ContainerCannotRun',
]);

export interface Waiting {
  readonly container: string;
  readonly reason: 'ImagePull' | 'ConfigurationError';
  readonly message: string;
}

/** What keeps a container from starting that a person has to look at; undefined while all goes its way. */
export function waitingFor(pod: Pod): Waiting | undefined {
  for (const { name, image, state } of containerStatuses(pod)) {
    const { reason = '', message = '' } = state.waiting ?? {};
    const detail = message || reason;
    if (PULL_REASONS.has(reason)) {
      const what = image ? `image ${image} of container ${name}` : `the image of container ${name}`;
      return { container: name, reason: 'ImagePull', message: `${what} cannot be pulled: ${detail}` };
    }
    if (CONFIG_REASONS.has(reason)) {
      return { container: name, reason: 'ConfigurationError', message: `container ${name} cannot start: ${detail}` };
    }
  }
  return undefined;
}
