import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKeyFor, trialKeyFor } from '@slipway/contract';
import { FakeKube } from '../../../test/fake-kube.ts';
import { FakeStores } from '../../../test/fake-stores.ts';
import type { KubeObject } from '../api/meta.ts';
import { sweep } from './sweep.ts';

const start = (stores: FakeStores, ownerUid: string, runKey: string, parentRunKey?: string) =>
  stores.runStore.start({
    ...{ namespace: 'team-a', experiment: 'e', trainingJob: 'iris', ownerUid, runKey, generation: 1, specDigest: 'd' },
    ...{ spec: {}, cause: 'Created', parameters: {}, startTime: '2026-01-01T00:00:00.000Z', isTracked: true },
    ...(parentRunKey !== undefined && { parentRunKey }),
  });

test('runs of a job that is gone are ended, whatever started them, trials too; those of its namesake are left alone', async () => {
  const stores = new FakeStores();
  const kube = new FakeKube().put({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'TrainingJob',
    metadata: { namespace: 'team-a', name: 'iris', uid: 'new' },
    spec: { algorithm: { name: 'ridge', target: 'y' } },
  } as KubeObject);
  const keysOf = (uid: string) => [
    runKeyFor(uid, { kind: 'spec', generation: 1 }),
    runKeyFor(uid, { kind: 'schedule', at: new Date(0) }),
    runKeyFor(uid, { kind: 'manual', token: 't' }),
    runKeyFor(uid, { kind: 'request', requestId: 'r' }),
  ];
  for (const uid of ['old', 'new']) {
    for (const runKey of keysOf(uid)) await start(stores, uid, runKey);
    const search = runKeyFor(uid, { kind: 'spec', generation: 1 });
    await start(stores, uid, trialKeyFor(search, 0), search);
  }
  const openRuns = async () =>
    [...stores.runs.values()]
      .filter(({ status }) => status === 'RUNNING')
      .map(({ runKey }) => ({ runKey, trainingJob: 'iris', ownerUid: runKey.split('/')[0] as string }));
  const now = () => new Date('2026-01-02T00:00:00Z');
  await sweep({ feed: { openRuns }, uses: stores.useStore, runs: stores.runStore, kube, now }, 'team-a');
  const statuses = (uid: string) =>
    [...stores.runs.values()].filter(({ runKey }) => runKey.startsWith(`${uid}/`)).map(({ status }) => status);
  assert.deepEqual(statuses('old'), ['KILLED', 'KILLED', 'KILLED', 'KILLED', 'KILLED']);
  assert.deepEqual(statuses('new'), ['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING', 'RUNNING']);
});
