import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeKube } from '../../../test/fake-kube.ts';
import type { KubeObject } from '../api/meta.ts';
import { createConvertible } from './convertible.ts';

const version = (namespace: string, name: string, { format = 'mlflow', ready = 'False' } = {}) =>
  ({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'ModelVersion',
    metadata: { namespace, name },
    spec: { model: 'iris', source: { uri: 's3://slipway/x' }, format },
    status: { conditions: [{ type: 'Ready', status: ready, reason: 'R', message: '', lastTransitionTime: 't' }] },
  }) as unknown as KubeObject;

function world() {
  const kube = new FakeKube()
    .put(version('team-a', 'one'))
    .put(version('team-a', 'two'))
    .put(version('team-a', 'onnx', { format: 'onnx' }))
    .put(version('team-a', 'proven', { ready: 'True' }))
    .put(version('team-b', 'other'));
  const labels: Record<string, Record<string, string>> = { 'team-a': {}, 'team-b': {} };
  const asked: string[] = [];
  const refused = new Set<string>();
  const looked: string[] = [];
  const clock = { now: 0 };
  const convertible = createConvertible({
    labelsOf: async (namespace) => {
      asked.push(namespace);
      if (refused.has(namespace)) throw new Error(`not ours to see: ${namespace}`);
      return labels[namespace] ?? {};
    },
    look: ({ namespace, name }) => looked.push(`${namespace}/${name}`),
    now: () => clock.now,
  });
  return { kube, labels, asked, refused, looked, clock, ...convertible };
}

test('the label that is given, and taken away, lets every version that waits be looked at, once', async () => {
  const w = world();
  await w.look(w);
  assert.deepEqual(w.looked.splice(0), ['team-a/one', 'team-a/two', 'team-b/other'], 'whatever was said before');
  await w.look(w);
  assert.deepEqual(w.looked, []);
  w.labels['team-a'] = { 'slipway.dev/convert': 'enabled' };
  await w.look(w);
  assert.deepEqual(w.looked.splice(0), ['team-a/one', 'team-a/two']);
  assert.equal(await w.mayConvert('team-a'), true);
  w.labels['team-a'] = { 'slipway.dev/convert': 'true' };
  await w.look(w);
  assert.deepEqual(w.looked.splice(0), ['team-a/one', 'team-a/two']);
  assert.equal(await w.mayConvert('team-a'), false, 'only the one value counts');
});

test('a namespace that may not be asked for keeps no other from being converted', async () => {
  const w = world();
  w.refused.add('team-a');
  w.labels['team-b'] = { 'slipway.dev/convert': 'enabled' };
  await assert.rejects(w.look(w), /team-a/);
  assert.deepEqual(w.looked, ['team-b/other']);
});

test('a version that noticed the label by itself takes no notice from the others', async () => {
  const w = world();
  await w.look(w);
  w.looked.length = 0;
  w.clock.now += 60_000;
  w.labels['team-a'] = { 'slipway.dev/convert': 'enabled' };
  assert.equal(await w.mayConvert('team-a'), true);
  await w.look(w);
  assert.deepEqual(w.looked, ['team-a/one', 'team-a/two']);
});

test('a namespace is asked seldom, and one without such versions not at all', async () => {
  const w = world();
  for (let i = 0; i < 100; i++) await w.mayConvert('team-a');
  assert.equal(w.asked.length, 1);
  w.clock.now += 5_000;
  await w.mayConvert('team-a');
  assert.equal(w.asked.length, 2);
  for (const name of ['one', 'two']) w.kube.put(version('team-a', name, { ready: 'True' }));
  w.asked.length = 0;
  await w.look(w);
  assert.deepEqual(w.asked, ['team-b']);
});

test('the API server is away: it goes on when it is back', async () => {
  const w = world();
  let calls = 0;
  const stop = new AbortController();
  const warned: string[] = [];
  const poll = createConvertible({
    labelsOf: async () => {
      calls += 1;
      if (calls < 4) throw new Error('away');
      stop.abort();
      return {};
    },
    look: () => {},
    now: () => 0,
    everyMs: 1,
  });
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => void warned.push(text) };
  await poll.run({ kube: w.kube, log, now: () => new Date(), signal: stop.signal });
  assert.ok(calls >= 4);
  assert.equal(warned.length, 1, 'said once');
});
