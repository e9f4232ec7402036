/** Every prediction leaves a line: in the pod's log, and in the object storage, whatever becomes of the pod. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service, setosa } from '../support/manifests.ts';
import { withObjectStore } from '../support/object-storage.ts';
import { withPortForward } from '../support/port-forward.ts';

const KEYS = [
  ...['timestamp', 'level', 'message', 'module', 'endpoint', 'status', 'latency_ms', 'request_id'],
  ...['input', 'prediction', 'input_stats', 'model_version', 'artifact_sha256', 'trace_id'],
];
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const namespace = uniqueNamespace('e2e-predictions');
before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  const predictionLog = { store: { retention: '1d' }, redact: ['petal_width'], hash: ['sepal_width'] };
  apply(namespace, service('iris', { version: 1, predictionLog }));
  await waitForVersion(namespace, 'iris', 1);
});
after(() => dropNamespace(namespace));

interface Pods {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly deletionTimestamp?: string } }[];
}
/** The one pod that is to stay. */
function podNow(): string {
  const { items } = kubectlJson<Pods>('get', 'pods', '-n', namespace, '-l', 'slipway.dev/inference-service=iris');
  const [pod, another] = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  if (!pod || another) throw new Error(`${items.length} pods`);
  return pod.metadata.name;
}

/** Predictions with the request ids `r-<from>` and so on, each answered. */
const predictAll = (pod: string, from: number, count: number): Promise<void> =>
  withPortForward(namespace, `pod/${pod}`, 8080, async (url) => {
    for (let i = from; i < from + count; i++) {
      const response = await fetch(`${url}/predict`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-request-id': `r-${i}`,
          traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
        },
        body: JSON.stringify({ samples: [setosa] }),
      });
      assert.equal(response.status, 200, await response.text());
    }
  });

// biome-ignore lint/suspicious/noExplicitAny: lines are looked at field by field
const parsed = (text: string): any[] =>
  text
    .split('\n')
    .filter((line) => line.includes('"request_id":"r-'))
    .map((line) => JSON.parse(line));

const stored = () =>
  withObjectStore(async (store) => {
    const objects = await store.list(`${namespace}/predictions/`);
    const texts = await Promise.all(objects.map(async ({ key }) => (await buffer(await store.get(key))).toString()));
    return { keys: objects.map(({ key }) => key), lines: parsed(texts.join('')) };
  });

test('200 predictions are 200 lines in the object storage, though the pod is deleted in between; its log shows them too', async () => {
  const first = podNow();
  await predictAll(first, 0, 100);
  const printed = await eventually(() => {
    const lines = parsed(kubectl(['logs', first, '-n', namespace, '-c', 'server']));
    assert.equal(lines.length, 100);
    return lines;
  }, 20_000);
  assert.deepEqual(Object.keys(printed[0]), KEYS);
  kubectl(['delete', 'pod', first, '-n', namespace, '--wait=false']);
  const second = await eventually(() => {
    const name = podNow();
    assert.notEqual(name, first);
    return name;
  });
  kubectl(['wait', '--for=condition=Ready', `pod/${second}`, '-n', namespace, '--timeout=60s']);
  await predictAll(second, 100, 100);

  const { keys, lines } = await eventually(async () => {
    const found = await stored();
    assert.ok(found.lines.length >= 200, `${found.lines.length} lines`);
    return found;
  }, 90_000);
  const ids = lines.map(({ request_id }) => Number(request_id.slice(2))).sort((a, b) => a - b);
  assert.deepEqual(ids, [...Array(200).keys()], 'each once');
  const day = /^[^/]+\/predictions\/iris\/\d{4}-\d{2}-\d{2}\/(iris-[a-z0-9-]+)-\d{13}-\d{6}\.jsonl$/;
  const pods = new Set(keys.map((key) => day.exec(key)?.[1]));
  assert.deepEqual([...pods].sort(), [first, second].sort());

  for (const line of lines) {
    assert.deepEqual(Object.keys(line), KEYS);
    const [input] = line.input;
    assert.deepEqual(Object.keys(input), ['sepal_length', 'sepal_width', 'petal_length']);
    assert.match(input.sepal_width, /^[0-9a-f]{32}$/);
    assert.deepEqual(Object.keys(line.input_stats), ['sepal_length', 'petal_length']);
    assert.deepEqual([line.prediction[0].label, line.model_version, line.trace_id], ['setosa', '1', TRACE]);
  }
  const digests = new Set(lines.map(({ input }) => input[0].sepal_width));
  assert.equal(digests.size, 1, 'equal values stay equal over pods');
});
