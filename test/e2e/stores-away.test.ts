/** S3 or Postgres away: what serves goes on serving, what trains waits and says for what, and nothing is lost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { RELEASE_NAMESPACE } from '../support/install.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service, setosa } from '../support/manifests.ts';
import { predict } from '../support/predict.ts';

const namespace = uniqueNamespace('e2e-stores-away');
const scale = (store: 'postgres' | 'minio', replicas: 0 | 1) => {
  const name = `statefulset/slipway-${store}`;
  kubectl(['scale', name, '-n', RELEASE_NAMESPACE, `--replicas=${replicas}`]);
  kubectl(['rollout', 'status', name, '-n', RELEASE_NAMESPACE, '--timeout=120s'], { timeoutMs: 130_000 });
};

before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  apply(namespace, service('iris'));
  await waitForVersion(namespace, 'iris', 1);
});
after(() => {
  scale('postgres', 1);
  scale('minio', 1);
  dropNamespace(namespace);
});

const stores = [
  { store: 'minio', reason: 'ObjectStorageUnavailable', strength: '0.2' },
  { store: 'postgres', reason: 'PostgresUnavailable', strength: '0.3' },
] as const;

for (const { store, reason, strength } of stores) {
  test(`${store} away: a run waits, says so and since when, and finishes when it is back; predictions never stop`, async () => {
    const runs = get(namespace, 'tj/iris').status.runs.length as number;
    scale(store, 0);
    try {
      patch(namespace, 'tj/iris', { spec: { parameters: { C: strength } } });
      const waiting = await waitForCondition(
        namespace,
        'tj/iris',
        { type: 'Succeeded', status: 'Unknown', reason },
        90_000,
      );
      assert.match(waiting.message, /since \d{4}-\d{2}-\d{2}T/);
      assert.equal((await predict(namespace, 'iris', { samples: [setosa] })).status, 200);
    } finally {
      scale(store, 1);
    }
    const version = await waitForTrainedVersion(namespace, 'iris', runs, 240_000);
    assert.equal(version, runs + 1);
    await waitForVersion(namespace, 'iris', version, 180_000);
    assert.equal(get(namespace, 'tj/iris').status.runs.length, runs + 1);
  });
}

test('the bucket missing: the run waits and names the bucket, and finishes when it is there again', async () => {
  const move = (from: string, to: string) =>
    kubectl(['exec', '-n', RELEASE_NAMESPACE, 'slipway-minio-0', '--', 'mv', `/data/${from}`, `/data/${to}`]);
  const runs = get(namespace, 'tj/iris').status.runs.length as number;
  move('slipway', 'moved-away');
  try {
    patch(namespace, 'tj/iris', { spec: { parameters: { C: '0.4' } } });
    const wanted = { type: 'Succeeded', status: 'Unknown', reason: 'BucketMissing' };
    const waiting = await waitForCondition(namespace, 'tj/iris', wanted, 90_000);
    assert.match(waiting.message, /bucket slipway/);
  } finally {
    move('moved-away', 'slipway');
  }
  await waitForTrainedVersion(namespace, 'iris', runs, 240_000);
});
