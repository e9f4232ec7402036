/** What the pods tell: which release they are of, whether they answer, what their model did wrong, what they wait for. */
import { EXIT_TERMINAL, type FailureReason, parseTerminationMessage } from '@slipway/contract';
import {
  type ContainerStatus,
  containerStatuses,
  isReady,
  type Pod,
  type Terminated,
  unschedulableMessage,
  waitingFor,
} from '../../api/pod.ts';
import { VERSION_LABEL } from '../model-version/api.ts';
import { Reason } from './api.ts';
import { lastWordsOf } from './last-words.ts';
import { DIGEST_ANNOTATION, FETCH_CONTAINER, FRONT_CONTAINER, SERVER_CONTAINER, TEMPLATE_ANNOTATION } from './names.ts';
import type { ReleaseId } from './release.ts';
import type { Problem } from './versions.ts';

export interface PodFacts extends ReleaseId {
  /** Digest of the template it was made from. */
  readonly template: string;
  readonly createdAt: string;
  readonly isReady: boolean;
  /** What the model (not the cluster) did wrong, and when. */
  readonly fault?: Problem & { readonly at?: string };
  /** How its server ended by its own doing after it had been ready, whether or not it runs again, and when. */
  readonly crash?: Problem & { readonly at: string };
  /** What it waits for that is no fault of the model. */
  readonly waiting?: Problem;
  /** Since when its server runs without having been ready once. */
  readonly loadingSince?: string;
  /** It is still to get its files from the object storage: it is trying, or was turned away there the last time. */
  readonly isFetching?: true;
}

/** Only what lies in the model's bytes or in what was registered with them: repeating cannot help. */
const MODEL_FAULTS: ReadonlySet<FailureReason> = new Set([
  'DigestMismatch',
  'ArtifactMissing',
  'InvalidModel',
  'UnsupportedOperator',
  'SignatureMismatch',
  'LoadTimeout',
  'ParityFailed',
  'FormatNotServable',
]);
/** What the store answers when it answers; for one that does not answer `fetch` waits without ever ending. */
const STORE_FAULTS: ReadonlySet<FailureReason> = new Set(['ObjectStorageDenied', 'BucketMissing']);
/** A server that ended this often without ever being ready will not be. */
const CRASHES = 3;
const LOG_TAIL = 500;

/** The pods that are not on their way out. */
export const podFacts = (pods: readonly Pod[]): readonly PodFacts[] =>
  pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(factsOf);

function factsOf(pod: Pod): PodFacts {
  const { labels = {}, annotations = {}, creationTimestamp = '' } = pod.metadata;
  const containers = containersOf(pod);
  const { fetch, server, reached } = containers;
  const ready = isReady(pod);
  const fault = ready ? undefined : faultOf(pod, containers);
  const crash = crashOf(pod, server);
  const waiting = ready || fault ? undefined : waitingOf(pod, fetch, reached);
  const loadingSince = reached && !reached.started && !ready ? reached.state.running?.startedAt : undefined;
  return {
    version: Number(labels[VERSION_LABEL] ?? 0),
    digest: annotations[DIGEST_ANNOTATION] ?? '',
    template: annotations[TEMPLATE_ANNOTATION] ?? '',
    createdAt: creationTimestamp,
    isReady: ready,
    ...(fault && { fault }),
    ...(crash && { crash }),
    ...(waiting && { waiting }),
    ...(loadingSince && { loadingSince }),
    ...(!ready && isFetching(fetch) && { isFetching: true }),
  };
}

interface Containers {
  readonly fetch: ContainerStatus | undefined;
  /** Where the model is: the built-in server, or the user's. */
  readonly server: ContainerStatus | undefined;
  /** What clients and the kubelet ask, and what speaks our language: the built-in server, or the front of the user's. */
  readonly reached: ContainerStatus | undefined;
}

function containersOf(pod: Pod): Containers {
  const named = (wanted: string) => containerStatuses(pod).find(({ name }) => name === wanted);
  const server = named(SERVER_CONTAINER);
  // The user's server is a sidecar: it has begun when the front is still to come.
  const isOurs = pod.status.containerStatuses.some(({ name }) => name === SERVER_CONTAINER);
  return { fetch: named(FETCH_CONTAINER), server, reached: isOurs ? server : named(FRONT_CONTAINER) };
}

/** A server of the user's that ends is why its front never became ready, and not the other way round. */
function faultOf(pod: Pod, { fetch, server, reached }: Containers): PodFacts['fault'] {
  if (reached === server) return modelFault(fetch) ?? modelFault(server) ?? serverFault(pod, server);
  const found = modelFault(fetch) ?? serverFault(pod, server);
  if (found) return found;
  const told = modelFault(reached);
  // The front only sees that nothing listens; what the server said as it ended says why.
  return told && (serverFault(pod, server, 1) ?? told);
}

const isFetching = (fetch: ContainerStatus | undefined): boolean =>
  fetch?.state.running !== undefined || isStoreFault(lastFailure(fetch));

function isStoreFault(ended: Terminated | undefined): boolean {
  const told = parseTerminationMessage(ended?.message);
  return told !== undefined && STORE_FAULTS.has(told.reason as FailureReason);
}

/** How the container ended the last time, unless that was a success. */
function lastFailure(status: ContainerStatus | undefined): Terminated | undefined {
  const terminated = status?.state.terminated ?? status?.lastState.terminated;
  return terminated?.exitCode === 0 ? undefined : terminated;
}

const at = ({ finishedAt }: Terminated) => (finishedAt ? { at: finishedAt } : {});

function modelFault(status: ContainerStatus | undefined): PodFacts['fault'] {
  const ended = lastFailure(status);
  const told = parseTerminationMessage(ended?.message);
  if (!ended || !told || ended.exitCode !== EXIT_TERMINAL) return undefined;
  if (!MODEL_FAULTS.has(told.reason as FailureReason)) return undefined;
  return { reason: told.reason, message: told.message, ...at(ended) };
}

function serverFault(pod: Pod, server: ContainerStatus | undefined, enough = CRASHES): PodFacts['fault'] {
  const ended = server?.state.terminated ?? server?.lastState.terminated;
  if (!server || !ended) return undefined;
  if (isOutOfMemory(ended)) return { ...OUT_OF_MEMORY, ...at(ended) };
  const told = parseTerminationMessage(ended.message);
  if (told?.reason === 'InvalidConfiguration') return undefined;
  const crash = crashOf(pod, server);
  if (crash) return crash;
  const crashes = server.restartCount + (server.state.terminated ? 1 : 0);
  if (crashes < enough) return undefined;
  const message = `the model server ended ${crashes === 1 ? 'once' : `${crashes} times`} before it was ready, the last time with exit code ${ended.exitCode}${lastWords(ended)}`;
  return { reason: Reason.CrashLoop, message, ...at(ended) };
}

const OUT_OF_MEMORY: Problem = {
  reason: Reason.OutOfMemory,
  message: 'the model server needs more memory than it may use: raise spec.resources.limits.memory',
};
/** SIGABRT, by which Node ends when its heap, a part of the container's memory, is full. */
const ABORTED = 134;
const isOutOfMemory = ({ reason, exitCode, message = '' }: Terminated): boolean =>
  reason === 'OOMKilled' || (exitCode === ABORTED && message.includes('JavaScript heap out of memory'));

const lastWords = (ended: Terminated): string => {
  const told = parseTerminationMessage(ended.message)?.message.trim().slice(-LOG_TAIL);
  const words = told ?? lastWordsOf(ended.message ?? '', LOG_TAIL);
  return words ? `: ${words}` : '';
};

/** SIGTERM: somebody else asked it to end. */
const ASKED_TO_END = 143;
/** The kubelet found it gone, after a restart of its node. */
const NODE_LOST = new Set(['Unknown', 'ContainerStatusUnknown']);

/** How a server that had been ready ended by its own doing, not by that of whoever took the pod or its node away. */
function crashOf(pod: Pod, server: ContainerStatus | undefined): PodFacts['crash'] {
  const ended = server?.state.terminated ?? server?.lastState.terminated;
  if (!ended?.finishedAt || ended.exitCode === 0 || ended.exitCode === ASKED_TO_END) return undefined;
  if (NODE_LOST.has(ended.reason ?? '') || isDisrupted(pod) || !wasReady(pod, ended)) return undefined;
  if (parseTerminationMessage(ended.message)?.reason === 'InvalidConfiguration') return undefined;
  if (isOutOfMemory(ended)) return { ...OUT_OF_MEMORY, at: ended.finishedAt };
  const message = `the model server ended by itself with exit code ${ended.exitCode}${lastWords(ended)}`;
  return { reason: Reason.CrashLoop, message, at: ended.finishedAt };
}

const isDisrupted = ({ status }: Pod): boolean =>
  status.phase === 'Failed' || status.conditions.some((c) => c.type === 'DisruptionTarget' && c.status === 'True');

/** Whether a pod is ready changes after its server has started only if that was ready: when it ends, or is ready again. */
function wasReady({ status }: Pod, { startedAt }: Terminated): boolean {
  const ready = status.conditions.find(({ type }) => type === 'Ready');
  return Date.parse(ready?.lastTransitionTime ?? '') > Date.parse(startedAt ?? '');
}

function waitingOf(
  pod: Pod,
  fetch: ContainerStatus | undefined,
  server: ContainerStatus | undefined,
): Problem | undefined {
  const unschedulable = unschedulableMessage(pod);
  if (unschedulable !== undefined) {
    return { reason: Reason.Unschedulable, message: `no node can take the pod: ${unschedulable}` };
  }
  const waiting = waitingFor(pod);
  if (waiting) return { reason: waiting.reason, message: waiting.message };
  return fetchProblem(lastFailure(fetch)) ?? configurationProblem(lastFailure(server));
}

function fetchProblem(ended: Terminated | undefined): Problem | undefined {
  if (!ended) return undefined;
  const told = parseTerminationMessage(ended.message);
  const words = told?.message ?? ended.message?.slice(-LOG_TAIL) ?? ended.reason ?? `exit code ${ended.exitCode}`;
  const reason = told && isStoreFault(ended) ? told.reason : Reason.FetchFailed;
  return { reason, message: `the model cannot be fetched: ${words}` };
}

function configurationProblem(ended: Terminated | undefined): Problem | undefined {
  const told = parseTerminationMessage(ended?.message);
  if (told?.reason !== 'InvalidConfiguration') return undefined;
  return {
    reason: Reason.ConfigurationError,
    message: `the model server cannot start as it is set up: ${told.message}`,
  };
}
