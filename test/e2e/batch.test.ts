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
// Many small parts: there has to be time to kill the pod among them.
const ROWS = 30_000;
const CHUNK = 100;

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
    .replace('--chunk-rows=1024', `--chunk-rows=${CHUNK}\n            - --concurrency=1`);
const stored = (prefix: string) => withObjectStore((store) => store.list(`${namespace}/batch/flowers/${prefix}`));

/** The texts of these objects, in their order. */
const textsOf = (keys: readonly string[]): Promise<readonly string[]> =>
  withObjectStore(async (store) => {
    const texts: string[] = [];
    for (const key of keys) {
      const chunks: Buffer[] = [];
      for await (const chunk of await store.get(key)) chunks.push(chunk as Buffer);
      texts.push(Buffer.concat(chunks).toString());
    }
    return texts;
  });

test('the example Job predicts every row of a stored file once, though its pod is killed on the way', async () => {
  await withObjectStore((store) => store.put(`${namespace}/data/flowers.csv`, input, input.length));
  apply(namespace, job());
  await eventually(async () => assert.ok((await stored('part-')).length >= 1, 'no part is stored yet'), 90_000);
  kubectl([
    ...['delete', 'pod', '-n', namespace, '-l', 'batch.kubernetes.io/job-name=flowers'],
    ...['--force', '--grace-period=0'],
  ]);
  assert.deepEqual(await stored('_SUCCESS'), [], 'the batch was done before its pod could be killed');
  kubectl(['wait', '--for=condition=Complete', 'job/flowers', '-n', namespace, '--timeout=180s']);

  const [said = ''] = await textsOf([`${namespace}/batch/flowers/_SUCCESS.json`]);
  const summary = JSON.parse(said);
  assert.deepEqual([summary.rows, summary.refused, summary.version, summary.model], [ROWS, 0, '1', 'iris']);
  const parts = await stored('part-');
  assert.equal(parts.length, ROWS / CHUNK);
  const lines = (await textsOf(parts.map(({ key }) => key))).join('').trimEnd().split('\n');
  assert.equal(lines.length, ROWS);
  lines.forEach((line, i) => {
    const { id, label } = JSON.parse(line);
    assert.deepEqual([id, label], [String(i), i % 3 === 0 ? 'setosa' : 'virginica']);
  });
});

test('the pod of a batch holds no way into Postgres, and no token of the API server', () => {
  type Volumes = { secret?: { items?: { key: string }[] } }[];
  const { items } = kubectlJson<{ items: { spec: { volumes: Volumes } }[] }>(
    ...['get', 'pods', '-n', namespace, '-l', 'batch.kubernetes.io/job-name=flowers'],
  );
  assert.equal(items.length, 1, 'the pod that came after the killed one');
  assert.deepEqual(
    items[0]?.spec.volumes.map(({ secret }) => secret?.items?.map(({ key }) => key)),
    [['object-storage.json']],
  );
});
