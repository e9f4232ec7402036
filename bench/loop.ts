/**
 * How long the loop takes on the cluster in use, with images present: apply → first prediction; patch → the new version
 * on all replicas, counted from the moment its pods are Ready; and what the idle control plane holds in memory.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { waitForTrainedVersion, waitForVersion } from '../test/support/conditions.ts';
import { RELEASE_NAMESPACE } from '../test/support/install.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../test/support/kubectl.ts';
import { setosa } from '../test/support/manifests.ts';
import { predict } from '../test/support/predict.ts';

const namespace = uniqueNamespace('bench-loop');
const seconds = (from: number, to = performance.now()) => `${((to - from) / 1000).toFixed(1)} s`;
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** The moments at which pods of the version turn Ready, as a watch delivers them. */
function watchReady(version: number) {
  const columns = '{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}';
  const selector = `slipway.dev/version=${version},slipway.dev/inference-service=iris`;
  const child = spawn('kubectl', ['get', 'pods', '-n', namespace, '-l', selector, '-w', '-o', `jsonpath=${columns}`]);
  const ready = new Map<string, number>();
  child.stdout.on('data', (chunk) => {
    for (const [, pod] of String(chunk).matchAll(/(\S+) True/g))
      if (!ready.has(pod as string)) ready.set(pod as string, performance.now());
  });
  return { lastReady: () => Math.max(...ready.values()), stop: () => child.kill() };
}

async function switchOnce(version: number): Promise<{ total: number; afterReady: number }> {
  const watch = watchReady(version);
  const started = performance.now();
  patch(namespace, 'infsvc/iris', { spec: { version: String(version) } });
  await waitForVersion(namespace, 'iris', version);
  const done = performance.now();
  watch.stop();
  return { total: done - started, afterReady: done - watch.lastReady() };
}

const residentMiB = (deployment: string) =>
  Number(
    /VmRSS:\s+(\d+)/.exec(
      kubectl(['exec', '-n', RELEASE_NAMESPACE, `deploy/${deployment}`, '--', 'cat', '/proc/1/status']),
    )?.[1],
  ) / 1024;

makeNamespace(namespace);
try {
  const started = performance.now();
  apply(namespace, readFileSync('examples/iris.yaml', 'utf8'));
  await waitForTrainedVersion(namespace, 'iris');
  const trained = performance.now();
  await waitForVersion(namespace, 'iris', 1);
  await predict(namespace, 'iris', { samples: [setosa] });
  console.log(`apply → version published ${seconds(started, trained)}, → first prediction ${seconds(started)}`);

  patch(namespace, 'tj/iris', { spec: { parameters: { C: '0.1' } } });
  await waitForTrainedVersion(namespace, 'iris', 1);
  await waitForVersion(namespace, 'iris', 2);
  kubectl(['scale', 'infsvc/iris', '-n', namespace, '--replicas=2']);
  await waitForVersion(namespace, 'iris', 2);
  const switches: { total: number; afterReady: number }[] = [];
  for (const version of [1, 2, 1, 2, 1]) switches.push(await switchOnce(version));
  const total = median(switches.map((s) => s.total)) / 1000;
  const afterReady = switches.map((s) => Math.max(0, s.afterReady) / 1000);
  console.log(
    `switch by patch, 2 replicas: ${total.toFixed(1)} s in all (median of ${switches.length}); ` +
      `new version on all replicas ${median(afterReady).toFixed(1)} s after its pods were Ready (worst ${Math.max(...afterReady).toFixed(1)} s)`,
  );
  const [operator, registry] = [residentMiB('slipway-operator'), residentMiB('slipway-registry')];
  console.log(
    `resident memory: operator ${operator.toFixed(0)} MiB + registry ${registry.toFixed(0)} MiB = ${(operator + registry).toFixed(0)} MiB`,
  );
  const server = Number(
    /VmRSS:\s+(\d+)/.exec(kubectl(['exec', '-n', namespace, 'deploy/iris', '--', 'cat', '/proc/1/status']))?.[1],
  );
  console.log(`resident memory: one model server ${(server / 1024).toFixed(0)} MiB`);
} finally {
  dropNamespace(namespace);
}
