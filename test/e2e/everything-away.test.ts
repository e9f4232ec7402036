/** A running model server needs nothing but itself: everything else of Slipway, and the API server, may be away. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { pathsFor } from '../cluster/paths.ts';
import { waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { RELEASE_NAMESPACE } from '../support/install.ts';
import { apply, dropNamespace, kubectl, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { loadFromInside } from '../support/load-pod.ts';
import { irisTraining, service, setosa } from '../support/manifests.ts';

const namespace = uniqueNamespace('e2e-away');
/** Longer than clients of the API server wait for one answer, shorter than its own leaders' leases last. */
const FROZEN_MS = 6_000;

const parts = [
  'deployment/slipway-operator',
  'deployment/slipway-registry',
  'statefulset/slipway-postgres',
  'statefulset/slipway-minio',
];
const scaleAll = (replicas: 0 | 1): void => {
  kubectl(['scale', ...parts, '-n', RELEASE_NAMESPACE, `--replicas=${replicas}`]);
  if (replicas === 0) {
    for (const part of ['operator', 'registry', 'postgres', 'object-storage'])
      kubectl(
        [
          ...['wait', '--for=delete', 'pod', '-n', RELEASE_NAMESPACE, '--timeout=90s'],
          ...['-l', `app.kubernetes.io/component=${part}`],
        ],
        { timeoutMs: 100_000 },
      );
    return;
  }
  // Data first: the others wait for it.
  for (const part of parts.toReversed())
    kubectl(['rollout', 'status', part, '-n', RELEASE_NAMESPACE, '--timeout=150s'], { timeoutMs: 160_000 });
};

before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  apply(namespace, service('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  await waitForVersion(namespace, 'iris', 1);
});
after(() => {
  scaleAll(1);
  dropNamespace(namespace);
});

test('operator, registry, Postgres and object storage away at once: not one prediction fails', async () => {
  const load = await loadFromInside(namespace, 'iris', { samples: [setosa] });
  scaleAll(0);
  await load.warm(2_000);
  const { requests, failures, reasons, versions } = await load.finish();
  assert.deepEqual([failures, reasons], [0, {}]);
  assert.deepEqual(versions, { 1: requests });
});

/** The API server of a cluster we run ourselves; elsewhere there is none to stop. */
async function apiServerPid(): Promise<number | undefined> {
  const record = await readFile(`${pathsFor(process.env).records}/kube-apiserver.json`, 'utf8').catch(() => undefined);
  return record === undefined ? undefined : (JSON.parse(record) as { pid: number }).pid;
}

test('the API server does not answer for a while: predictions go on as before', async (t) => {
  const pid = await apiServerPid();
  if (pid === undefined) return t.skip('the API server is not ours to stop in this cluster');
  const load = await loadFromInside(namespace, 'iris', { samples: [setosa] });
  process.kill(pid, 'SIGSTOP');
  try {
    await new Promise((resolve) => setTimeout(resolve, FROZEN_MS));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await eventually(() => kubectl(['get', '--raw', '/readyz']), 60_000);
  const { failures, reasons, requests } = await load.finish();
  assert.deepEqual([failures, reasons], [0, {}]);
  assert.ok(requests > 200, `${requests} requests while the API server stood still`);
});
