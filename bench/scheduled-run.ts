/**
 * What a scheduled training of iris costs beyond the start of its pod, on the cluster in use: from the tick of the schedule
 * to the published version, and where the time goes. Three ticks, a minute apart.
 */
import { get } from '../test/support/conditions.ts';
import { eventually } from '../test/support/eventually.ts';
import { apply, dropNamespace, kubectlJson, makeNamespace, uniqueNamespace } from '../test/support/kubectl.ts';
import { irisTraining } from '../test/support/manifests.ts';
import { printTable } from './table.ts';

const TICKS = 3;
const namespace = uniqueNamespace('bench-scheduled');

interface Run {
  readonly runKey: string;
  readonly scheduledTime: string;
  readonly startTime: string;
  readonly endTime?: string;
  readonly version?: number;
}
interface Pod {
  readonly metadata: { readonly creationTimestamp: string; readonly annotations: Readonly<Record<string, string>> };
  readonly status: {
    readonly initContainerStatuses: readonly {
      readonly name: string;
      readonly state: { terminated: { startedAt: string } };
    }[];
  };
}

const seconds = (from: string, to: string): string => ((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1);

/** The row of one finished run. Kubernetes tells whole seconds; ours are in milliseconds. */
function rowOf(run: Run, pod: Pod): string[] {
  const fetch = pod.status.initContainerStatuses.find(({ name }) => name === 'fetch');
  const started = fetch?.state.terminated.startedAt ?? pod.metadata.creationTimestamp;
  const total = Number(seconds(run.scheduledTime, run.endTime as string));
  const podStart = Number(seconds(pod.metadata.creationTimestamp, started));
  return [
    run.scheduledTime,
    seconds(run.scheduledTime, run.startTime),
    podStart.toFixed(0),
    seconds(started, run.endTime as string),
    total.toFixed(1),
    (total - podStart).toFixed(1),
  ];
}

makeNamespace(namespace);
try {
  apply(namespace, irisTraining('iris', { schedule: '* * * * *' }));
  const runs = await eventually(
    () => {
      const found = (get(namespace, 'tj/iris').status?.runs ?? []) as Run[];
      const finished = found.filter(({ version }) => version !== undefined);
      if (finished.length < TICKS) throw new Error(`${finished.length} runs are finished`);
      return finished;
    },
    (TICKS + 2) * 60_000,
    1_000,
  );
  const pods = kubectlJson<{ items: Pod[] }>(
    ...['get', 'pods', '-n', namespace, '-l', 'slipway.dev/training-job=iris'],
  ).items;
  const rows = runs.flatMap((run) => {
    const pod = pods.find(({ metadata }) => metadata.annotations['slipway.dev/run-key'] === run.runKey);
    return pod ? [rowOf(run, pod)] : [];
  });
  const head = [
    'tick',
    'to the run s',
    "pod's own start s",
    'first container → published s',
    'in all s',
    'beyond the pod s',
  ];
  printTable(head, rows);
} finally {
  dropNamespace(namespace);
}
