/** How far a run is that has not ended, and what keeps it waiting. Pure. */
import type { DependencyHealth } from '../../api/health.ts';
import type { Pod } from '../../api/pod.ts';
import { unschedulableMessage, waitingFor } from '../../api/pod.ts';
import type { PodFailure } from '../../api/pod-failure.ts';
import { knownOutage } from '../outage.ts';
import { Reason, type TrainingJob } from './api.ts';
import { byAge } from './attempts.ts';
import { TRAINING_JOB_LABEL } from './names.ts';

export interface Progress {
  readonly reason: string;
  readonly message: string;
}

interface Seen {
  readonly pods: readonly Pod[];
  readonly failures: readonly PodFailure[];
  readonly health: DependencyHealth;
}

const isActive = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status.phase !== 'Failed' && status.phase !== 'Succeeded';

/** Why `Succeeded` is still Unknown. */
export function progressOf({ metadata, spec }: TrainingJob, { pods, failures, health }: Seen): Progress {
  const pod = byAge(pods).findLast(isActive);
  const look = `kubectl get jobs,pods -n ${metadata.namespace} -l ${TRAINING_JOB_LABEL}=${metadata.name}`;
  if (!pod) return betweenPods(failures, spec.retries, look);
  const until = `it is tried again until spec.deadline (${spec.deadline}) has passed`;
  const waiting = waitingFor(pod);
  if (waiting) return { reason: waiting.reason, message: `${waiting.message}; ${until}` };
  const unschedulable = unschedulableMessage(pod);
  if (unschedulable !== undefined) {
    return { reason: Reason.Unschedulable, message: `no node takes the pod: ${unschedulable}; ${until}` };
  }
  return running(pod, health);
}

function betweenPods(failures: readonly PodFailure[], retries: number, look: string): Progress {
  const last = failures.at(-1);
  if (!last) return { reason: Reason.Pending, message: `waiting for a pod; what is in its way: ${look}` };
  const message = `attempt ${failures.length} of ${retries + 1} failed and is repeated: ${last.message}`;
  return { reason: Reason.Pending, message };
}

const DOING: Readonly<Record<string, string>> = {
  fetch: 'fetching the inputs',
  trainer: 'training',
  publish: 'publishing the result',
};

function running({ status }: Pod, health: DependencyHealth): Progress {
  const active = [...status.initContainerStatuses, ...status.containerStatuses].find(({ state }) => state.running);
  if (!active) return { reason: Reason.Pending, message: 'the pod is starting' };
  return (
    storesNeededBy(active.name)
      .map((dependency) => knownOutage(dependency, health))
      .find((outage) => outage !== undefined) ?? {
      reason: Reason.Running,
      message: DOING[active.name] ?? `container ${active.name} runs`,
    }
  );
}

/** The trainer needs none: what is away while it computes does not matter to it. */
const storesNeededBy = (container: string): readonly (keyof DependencyHealth)[] => {
  if (container === 'fetch') return ['objectStorage'];
  return container === 'publish' ? ['objectStorage', 'postgres'] : [];
};
