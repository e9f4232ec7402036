/** A stored file predicted by the Job of the examples, killed on the way. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service } from '../support/manifests.ts';
import { withObjectStore } from '../support/object-storage.ts';

const namespace = uniqueNamespace('e2e-batch');
const ROWS = 20_000;
const CHUNK = 500;

before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  apply(namespace, service('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  await waitForVersion(namespace, 'iris', 1);
});
after(() => dropNamespace(namespace));

const setosa = '5.1,3.5,1.4,0.2';
const virginica = '6.9,3.1,5.4,2.1';
const input = Buffer.from(
  [
    'id,sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)',
    ...Array.from({ length: ROWS }, (_, i) => `${i},${i % 3 === 0 ? setosa : virginica}`),
  ].join('\n'),
);

const job = (): string =>
  readFileSync('examples/batch-prediction.yaml', 'utf8')
    .replaceAll('team-a', namespace)
    .replace('--chunk-rows=1024', `--chunk-rows=${CHUNK}`);
const stored = (prefix: string) => withObjectStore((store) => store.list(`${namespace}/batch/flowers/${prefix}`));

async function textOf(key: string): Promise<string> {
  return withObjectStore(async (store) => {
    const chunks: Buffer[] = [];
    for await (const chunk of await store.get(key)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  });
}

test('the example Job predicts every row of a stored file once, though its pod is killed on the way', async () => {
  await withObjectStore((store) => store.put(`${namespace}/data/flowers.csv`, input, input.length));
  apply(namespace, job());
  await eventually(async () => assert.ok((await stored('part-')).length >= 1, 'no part is stored yet'), 90_000);
  kubectl([
    ...['delete', 'pod', '-n', namespace, '-l', 'batch.kubernetes.io/job-name=flowers'],
    ...['--force', '--grace-period=0'],
  ]);
  kubectl(['wait', '--for=condition=Complete', 'job/flowers', '-n', namespace, '--timeout=180s']);

  const summary = JSON.parse(await textOf(`${namespace}/batch/flowers/_SUCCESS.json`));
  assert.deepEqual([summary.rows, summary.refused, summary.version, summary.model], [ROWS, 0, '1', 'iris']);
  const parts = await stored('part-');
  assert.equal(parts.length, ROWS / CHUNK);
  const lines = (await Promise.all(parts.map(({ key }) => textOf(key)))).join('').trimEnd().split('\n');
  assert.equal(lines.length, ROWS);
  lines.forEach((line, i) => {
    const { id, label } = JSON.parse(line);
    assert.deepEqual([id, label], [String(i), i % 3 === 0 ? 'setosa' : 'virginica']);
  });
});

test('the pod of a batch holds no way into Postgres, and no token of the API server', () => {
  const [pod] = kubectlJson<{ items: { spec: { volumes: { secret?: { items?: { key: string }[] } }[] } }[] }>(
    ...['get', 'pods', '-n', namespace, '-l', 'batch.kubernetes.io/job-name=flowers'],
  ).items;
  const volumes = pod?.spec.volumes ?? [];
  assert.deepEqual(
    volumes.map(({ secret }) => secret?.items?.map(({ key }) => key)),
    [['object-storage.json']],
  );
});
