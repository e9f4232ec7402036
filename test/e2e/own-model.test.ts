/** Any container can be a trainer, and any model can be brought: the examples of the README, as they stand. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { apply, dropNamespace, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { service } from '../support/manifests.ts';
import { withObjectStore } from '../support/object-storage.ts';
import { predict } from '../support/predict.ts';

const namespace = uniqueNamespace('e2e-own-model');
before(() => makeNamespace(namespace));
after(() => dropNamespace(namespace));

test('a shell script trains a model that is served', async () => {
  apply(namespace, readFileSync('examples/shell-trainer.yaml', 'utf8'));
  assert.equal(await waitForTrainedVersion(namespace, 'line'), 1);
  apply(namespace, service('line', { model: 'line' }));
  await waitForVersion(namespace, 'line', 1);
  const input = get(namespace, 'mv/line-v1').status.signature.inputs[0].name as string;
  const answer = await predict(namespace, 'line', { samples: [{ [input]: 3 }] });
  assert.deepEqual(JSON.parse(answer.body), { prediction: [7] });
});

test('a model somebody brings gets the next number, is proven, and is served by `latest`', async () => {
  const source = get(namespace, 'mv/line-v1').spec['source'] as { uri: string };
  const key = `${source.uri.replace(/^s3:\/\/[^/]+\//, '')}/model.onnx`;
  await withObjectStore(async (store) => {
    const bytes = await buffer(await store.get(key));
    await store.put(`${namespace}/brought/line/model.onnx`, bytes, bytes.length);
  });
  const example = readFileSync('examples/model-version.yaml', 'utf8');
  apply(namespace, example.replaceAll('/default/', `/${namespace}/`));
  await waitForCondition(namespace, 'mv/line-brought', { type: 'Ready', status: 'True' });
  const brought = get(namespace, 'mv/line-brought').status;
  assert.equal(brought.version, 2);
  assert.equal(brought.artifact.files.length, 1);
  await waitForVersion(namespace, 'line', 2);
});

test('a source outside the namespace is refused with the prefix that is allowed', async () => {
  const example = readFileSync('examples/model-version.yaml', 'utf8').replace('line-brought', 'line-stolen');
  apply(namespace, example);
  const ready = await waitForCondition(namespace, 'mv/line-stolen', {
    type: 'Ready',
    status: 'False',
    reason: 'SourceNotAllowed',
  });
  assert.match(ready.message, new RegExp(`s3://slipway/${namespace}/`));
});
