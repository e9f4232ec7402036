/** A version that cannot start is turned down, and the one before keeps answering. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { conditionOf, get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { apply, dropNamespace, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import { loadFromInside } from '../support/load-pod.ts';
import { irisTraining, service, setosa } from '../support/manifests.ts';
import { overwriteObject } from '../support/object-storage.ts';
import { predict } from '../support/predict.ts';

const namespace = uniqueNamespace('e2e-rejection');
before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  apply(namespace, service('iris', { version: 1 }));
  await waitForVersion(namespace, 'iris', 1);
  patch(namespace, 'tj/iris', { spec: { parameters: { C: '0.5' } } });
  await waitForTrainedVersion(namespace, 'iris', 1);
  await waitForCondition(namespace, 'mv/iris-v2', { type: 'Ready', status: 'True' });
});
after(() => dropNamespace(namespace));

test('bytes that changed after they were proven never answer: the version is rejected with the reason', async () => {
  const { uri } = get(namespace, 'mv/iris-v2').status.artifact;
  await overwriteObject(`${uri}/model.onnx`, Buffer.from('these are not the bytes that were proven'));

  const load = await loadFromInside(namespace, 'iris', { samples: [setosa] });
  await load.warm(50);
  patch(namespace, 'infsvc/iris', { spec: { version: '2' } });
  const ready = await waitForCondition(namespace, 'infsvc/iris', {
    type: 'Ready',
    status: 'False',
    reason: 'VersionRejected',
  });
  assert.match(ready.message, /version 2/);
  assert.match(ready.message, /DigestMismatch|sha256/);
  const now = get(namespace, 'infsvc/iris');
  assert.equal(conditionOf(now, 'Available')?.status, 'True');
  assert.equal(now.status.version, 1);
  assert.deepEqual(
    now.status.rejected.map(({ version, reason }: { version: number; reason: string }) => ({ version, reason })),
    [{ version: 2, reason: 'DigestMismatch' }],
  );

  const result = await load.finish();
  assert.equal(result.failures, 0, JSON.stringify(result));
  assert.deepEqual(Object.keys(result.versions), ['1'], 'only the proven version may have answered');
  assert.equal((await predict(namespace, 'iris', { samples: [setosa] })).version, '1');
});

test('with `latest` the rejected version is skipped and the service is Ready on the one before', async () => {
  patch(namespace, 'infsvc/iris', { spec: { version: 'latest' } });
  await waitForVersion(namespace, 'iris', 1, 180_000);
});

test('naming a model or a version that does not exist says what does', async () => {
  patch(namespace, 'infsvc/iris', { spec: { version: '77' } });
  const missing = await waitForCondition(namespace, 'infsvc/iris', {
    type: 'Ready',
    status: 'False',
    reason: 'VersionNotFound',
  });
  assert.match(missing.message, /77/);
  assert.equal(conditionOf(get(namespace, 'infsvc/iris'), 'Available')?.status, 'True');

  apply(namespace, service('nobody', { model: 'no-such-model' }));
  const nobody = await waitForCondition(namespace, 'infsvc/nobody', {
    type: 'Ready',
    status: 'False',
    reason: 'ModelNotFound',
  });
  assert.match(nobody.message, /no-such-model/);
});
