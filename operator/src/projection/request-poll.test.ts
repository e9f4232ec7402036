import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeKube } from '../../../test/fake-kube.ts';
import { FakeStores } from '../../../test/fake-stores.ts';
import type { KubeObject, ObjectKey } from '../api/meta.ts';
import { UnreadableObjectError } from '../kube/object-cache.ts';
import { createRequestPoll, lookForRequests } from './request-poll.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

async function world(watched: readonly string[] = []) {
  const stores = new FakeStores();
  const kube = new FakeKube().put({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'TrainingJob',
    metadata: { namespace: 'team-a', name: 'iris' },
    spec: { algorithm: { name: 'ridge', target: 'y' } },
  } as KubeObject);
  for (const [requestId, trainingJob] of [
    ['r1', 'iris'],
    ['r2', 'gone'],
  ] as const) {
    await stores.requestStore.add({ namespace: 'team-a', requestId, trainingJob, requestedBy: 'x', parameters: {} });
  }
  const looked: ObjectKey[] = [];
  const poll = (now: number) =>
    lookForRequests(
      { requests: stores.requestStore, look: (key) => looked.push(key), watched },
      { kube, now: () => new Date(now) },
    );
  const refused = () => stores.requests.map((request) => request.refused);
  return { stores, poll, looked, refused };
}

test('a TrainingJob with a waiting request is looked at; a request for none is refused, but not while the cache may lag', async () => {
  const { poll, looked, refused } = await world();
  await poll(NOW + 1_000);
  assert.deepEqual(looked, [{ namespace: 'team-a', name: 'iris' }]);
  assert.deepEqual(refused(), [undefined, undefined]);
  await poll(NOW + 61_000);
  assert.deepEqual(refused(), [undefined, 'there is no TrainingJob gone in namespace team-a']);
});

test('a TrainingJob that cannot be read is left alone: looking at it would only fail again, and its request waits', async () => {
  const { stores, looked } = await world();
  const unreadable = new UnreadableObjectError({ kind: 'TrainingJob', metadata: {} } as KubeObject, new Error('spec'));
  const kube = {
    get: () => {
      throw unreadable;
    },
  } as unknown as FakeKube;
  const options = { requests: stores.requestStore, look: (key: ObjectKey) => looked.push(key), watched: [] };
  await lookForRequests(options, { kube, now: () => new Date(NOW + 61_000) });
  assert.deepEqual([looked, stores.requests.map(({ refused }) => refused)], [[], [undefined, undefined]]);
});

test('requests of a namespace that is not watched are left to whoever watches it', async () => {
  const { poll, looked, refused } = await world(['team-b']);
  await poll(NOW + 61_000);
  assert.deepEqual([looked, refused()], [[], [undefined, undefined]]);
});

test('a store that is away is told of once and asked again; it ends when the process does not lead any more', async () => {
  const leading = new AbortController();
  const warned: string[] = [];
  let asked = 0;
  const waiting = async () => {
    asked += 1;
    if (asked === 3) leading.abort();
    throw new Error('gone');
  };
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, message: string) => void warned.push(message) };
  const poll = createRequestPoll({ requests: { waiting } as never, look: () => {}, watched: [], everyMs: 1 });
  await poll({ kube: new FakeKube(), log, now: () => new Date(NOW), signal: leading.signal });
  assert.deepEqual([asked, warned.length], [3, 1]);
});
