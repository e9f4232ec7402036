/** Why a pod of ours failed, in words: from our own termination message, the kubelet's reason, or the last log lines. */
import { parseTerminationMessage } from '@slipway/contract';
import { WATCH_CONTAINER } from './containers.ts';
import { containerStatuses, type Pod, type Terminated } from './pod.ts';
import { printable } from './text.ts';

export interface PodFailure {
  /** A FailureReason of the contract, or OutOfMemory, ConfigurationError, ContainerFailed, Disrupted, Evicted… */
  readonly reason: string;
  readonly message: string;
  readonly container?: string;
  readonly exitCode?: number;
  /** What the container logged last, when it did not say itself what was wrong. */
  readonly log?: string;
}

/** Evictions and node loss: nobody's fault, and not counted as an attempt by the Job. */
export const DISRUPTED = 'Disrupted';
/** It wrote more than its volumes or its logs may hold (unlike `DISRUPTED`, which is the node's need). It counts as an attempt. */
export const EVICTED = 'Evicted';
export const OUT_OF_MEMORY = 'OutOfMemory';
export const CONTAINER_FAILED = 'ContainerFailed';

const CANNOT_START = new Set(['StartError', 'ContainerCannotRun']);
/** SIGABRT, by which Node ends when its heap, a part of the container's memory, is full. */
const ABORTED = 134;
const OUT_OF_HEAP = /JavaScript heap out of memory/;
const LONGEST_LOG = 2048;
const LONGEST_LINE = 256;

/** Why the pod failed; undefined while it has not. Its texts are whole characters, and none of them a control character. */
export function podFailure(pod: Pod): PodFailure | undefined {
  const failure = failureIn(pod);
  return failure && storable(failure);
}

function failureIn(pod: Pod): PodFailure | undefined {
  if (pod.status.phase !== 'Failed') return undefined;
  const { reason = 'PodFailed', message, conditions } = pod.status;
  const disruption = conditions.find((c) => c.type === 'DisruptionTarget' && c.status === 'True');
  if (disruption)
    return { reason: DISRUPTED, message: disruption.message ?? 'the pod was evicted or its node was lost' };
  // The kubelet killed every container of it: how one of them ended says nothing.
  if (reason === EVICTED)
    return { reason, message: `the pod was evicted: ${message?.trim() || 'the kubelet did not say why'}` };
  for (const { name, state } of containerStatuses(pod)) {
    if (name === WATCH_CONTAINER) continue;
    if (state.terminated && state.terminated.exitCode !== 0) return containerFailure(name, state.terminated);
  }
  return { reason, message: message ?? `the pod ended (${reason}) before any container failed` };
}

/** What a foreign container says may hold anything. */
const storable = (failure: PodFailure): PodFailure => ({
  ...failure,
  message: printable(failure.message),
  ...(failure.log !== undefined && { log: printable(failure.log) }),
});

/** Why a container ended with this exit code. */
function containerFailure(container: string, { exitCode, reason, message }: Terminated): PodFailure {
  const ended = { container, exitCode };
  if (reason === 'OOMKilled' || (exitCode === ABORTED && OUT_OF_HEAP.test(message ?? ''))) {
    return { ...ended, reason: OUT_OF_MEMORY, message: `container ${container} needed more memory than its limit` };
  }
  const told = parseTerminationMessage(message);
  if (told && told.reason !== 'Verified') return { ...ended, reason: told.reason, message: told.message };
  if (reason !== undefined && CANNOT_START.has(reason)) {
    const detail = lastLines(message) || reason;
    return { ...ended, reason: 'ConfigurationError', message: `container ${container} could not start: ${detail}` };
  }
  const log = lastLines(message);
  return {
    ...ended,
    reason: CONTAINER_FAILED,
    message: `container ${container} ended with exit code ${exitCode}${logged(log)}`,
    ...(log !== '' && { log }),
  };
}

/** The very last line first: it mostly says what is wrong, and a table shows no more than the first line of a message. */
function logged(log: string): string {
  if (log === '') return '; it logged nothing';
  const last = log.slice(log.lastIndexOf('\n') + 1);
  return last === log ? `: ${log}` : `: ${last.trim().slice(0, LONGEST_LINE)}; its last log lines:\n${log}`;
}

function lastLines(text = ''): string {
  const trimmed = text.trimEnd();
  return trimmed.length <= LONGEST_LOG ? trimmed : `…${trimmed.slice(-LONGEST_LOG)}`;
}
