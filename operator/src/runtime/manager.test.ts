import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeKube } from '../../../test/fake-kube.ts';
import { eventually } from '../../../test/support/eventually.ts';
import type { CustomResource, Kind, KubeObject } from '../api/meta.ts';
import type { Change, InformerState } from '../kube/informer.ts';
import { type Election, noElection } from './election.ts';
import { createManager, type ManagerOptions } from './manager.ts';
import type { ControllerDefinition } from './reconcile.ts';

const kindOf = (kind: string): Kind<CustomResource> => ({
  apiVersion: 'slipway.dev/v1alpha1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  parse: (raw) => raw as CustomResource,
});
const [Parent, Child, Reference] = [kindOf('Parent'), kindOf('Child'), kindOf('Reference')];
const object = (kind: Kind<KubeObject>, name: string, more: object = {}): CustomResource => ({
  apiVersion: kind.apiVersion,
  kind: kind.kind,
  metadata: { namespace: 'ns', name, uid: `${kind.kind}-${name}`, ...more },
  spec: {},
});
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** A manager over a cluster in memory; `change` is what an informer would tell. */
function world(reconcile: ControllerDefinition['reconcile'], options: Partial<ManagerOptions> = {}) {
  const kube = new FakeKube();
  const state: { -readonly [K in keyof InformerState]: InformerState[K] } = {
    kind: 'Parent',
    namespace: undefined,
    synced: true,
    running: true,
    secondsSinceContact: 0,
    problem: undefined,
    relists: 0,
    watches: 1,
  };
  let tell: (kind: Kind<KubeObject>, change: Change) => void = () => {};
  let watched: readonly string[] = [];
  const reconciled: string[] = [];
  const definition: ControllerDefinition = {
    for: Parent,
    owns: [Child],
    watches: [{ kind: Reference, keys: ({ metadata }) => [{ namespace: metadata.namespace, name: metadata.name }] }],
    warnings: new Set(),
    reconcile(ctx, it) {
      reconciled.push(it.metadata.name);
      return reconcile(ctx, it);
    },
  };
  const manager = createManager({
    definitions: [definition],
    openCluster(kinds, onChange) {
      tell = onChange;
      watched = kinds.map(({ kind }) => kind);
      return { kube, start() {}, stop: async () => {}, informers: () => [state] };
    },
    election: noElection(),
    maxConcurrent: 2,
    log: quiet,
    now: () => new Date(0),
    ...options,
  });
  const stop = new AbortController();
  const change = (kind: Kind<KubeObject>, after: KubeObject, before?: KubeObject) => tell(kind, { before, after });
  return { kube, state, manager, reconciled, watched, stop, change };
}

const until = (check: () => void) => eventually(check, 5_000, 5);

test('a change is looked at by its own key, its owner and whoever refers to it, and every kind is watched', async () => {
  const w = world(async () => ({ status: {} }));
  for (const name of ['self', 'owner', 'referrer']) w.kube.put(object(Parent, name));
  const ended = w.manager.run(w.stop.signal);
  w.change(Parent, object(Parent, 'self'));
  await until(() => assert.deepEqual(w.reconciled, ['self']));
  const owner = { apiVersion: 'slipway.dev/v1', kind: 'Parent', name: 'owner', uid: 'u', controller: true };
  w.change(Child, object(Child, 'any', { ownerReferences: [owner] }));
  await until(() => assert.deepEqual(w.reconciled, ['self', 'owner']));
  w.change(Child, object(Child, 'any', { ownerReferences: [{ ...owner, kind: 'Stranger' }] }));
  w.change(Child, object(Child, 'orphan'));
  w.change(Reference, object(Reference, 'referrer'));
  await until(() => assert.deepEqual(w.reconciled, ['self', 'owner', 'referrer']));
  assert.deepEqual(w.watched, ['Parent', 'Child', 'Reference']);
  w.stop.abort();
  assert.deepEqual(await ended, { stopped: true });
});

test('a child that changes hands wakes both owners', async () => {
  const w = world(async () => ({ status: {} }));
  for (const name of ['one', 'two']) w.kube.put(object(Parent, name));
  const ended = w.manager.run(w.stop.signal);
  const owned = (name: string) =>
    object(Child, 'c', {
      ownerReferences: [{ apiVersion: Parent.apiVersion, kind: 'Parent', name, uid: name, controller: true }],
    });
  w.change(Child, owned('two'), owned('one'));
  await until(() => assert.deepEqual([...w.reconciled].sort(), ['one', 'two']));
  w.stop.abort();
  await ended;
});

test('one object that always fails keeps nobody else waiting', async () => {
  const w = world(async (_, { metadata }) => {
    if (metadata.name === 'poison') throw new Error('always');
    return { status: {} };
  });
  const ended = w.manager.run(w.stop.signal);
  w.kube.put(object(Parent, 'poison'));
  w.change(Parent, object(Parent, 'poison'));
  const others = Array.from({ length: 20 }, (_, i) => `other-${i}`);
  for (const name of others) {
    w.kube.put(object(Parent, name));
    w.change(Parent, object(Parent, name));
  }
  await until(() => assert.ok(others.every((name) => w.reconciled.includes(name))));
  w.stop.abort();
  await ended;
});

test('nothing is reconciled before every kind has been listed, and what is missing is named', async () => {
  const w = world(async () => ({ status: {} }));
  w.state.synced = false;
  w.state.problem = 'parents are unknown to the API server: install the CRDs';
  w.kube.put(object(Parent, 'early'));
  const ended = w.manager.run(w.stop.signal);
  w.change(Parent, object(Parent, 'early'));
  assert.deepEqual(w.manager.missing(), ['Parent: parents are unknown to the API server: install the CRDs']);
  assert.deepEqual(w.reconciled, []);
  w.state.synced = true;
  await until(() => assert.deepEqual(w.reconciled, ['early']));
  w.stop.abort();
  await ended;
});

/** An election that a test decides. */
function decided() {
  const [won, lost] = [Promise.withResolvers<boolean>(), Promise.withResolvers<string>()];
  const calls: string[] = [];
  const election: Election = {
    ...noElection(),
    acquire: () => won.promise,
    lost: lost.promise,
    lose: (reason) => lost.resolve(reason),
    release: async () => void calls.push('release'),
  };
  return { election, win: () => won.resolve(true), calls };
}

test('a standby collects keys and works on them the moment it leads', async () => {
  const { election, win } = decided();
  const w = world(async () => ({ status: {} }), { election });
  w.kube.put(object(Parent, 'waiting'));
  const ended = w.manager.run(w.stop.signal);
  w.change(Parent, object(Parent, 'waiting'));
  assert.equal(w.manager.queues.get('Parent')?.depth, 1);
  win();
  await until(() => assert.deepEqual(w.reconciled, ['waiting']));
  w.stop.abort();
  await ended;
});

test('asked to stop, it finishes what it began, begins nothing new, and then releases the lease', async () => {
  const { election, win, calls } = decided();
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const w = world(
    async () => {
      begun.resolve();
      await finish.promise;
      calls.push('finished');
      return { status: {} };
    },
    { election, maxConcurrent: 1 },
  );
  win();
  for (const name of ['active', 'next']) w.kube.put(object(Parent, name));
  const ended = w.manager.run(w.stop.signal);
  w.change(Parent, object(Parent, 'active'));
  w.change(Parent, object(Parent, 'next'));
  await begun.promise;
  w.stop.abort();
  finish.resolve();
  assert.deepEqual(await ended, { stopped: true });
  assert.deepEqual(calls, ['finished', 'release']);
  assert.deepEqual(w.reconciled, ['active']);
});

test('work that does not come to an end does not hold up the hand-over', async () => {
  const { election, win, calls } = decided();
  const begun = Promise.withResolvers<AbortSignal>();
  const w = world(
    (ctx) => {
      begun.resolve(ctx.signal);
      return new Promise(() => {});
    },
    { election, drainMs: 20 },
  );
  win();
  w.kube.put(object(Parent, 'stuck'));
  const ended = w.manager.run(w.stop.signal);
  w.change(Parent, object(Parent, 'stuck'));
  const signal = await begun.promise;
  w.stop.abort();
  assert.deepEqual(await ended, { stopped: true });
  assert.deepEqual([calls, signal.aborted], [['release'], true]);
});

test('a write that a newer leader refused ends the run with a reason', async () => {
  const { election, win } = decided();
  const w = world(
    async () => {
      throw Object.assign(new Error('epoch 4 has written'), { name: 'StaleLeaderError' });
    },
    { election },
  );
  win();
  w.kube.put(object(Parent, 'late'));
  const ended = w.manager.run(w.stop.signal);
  w.change(Parent, object(Parent, 'late'));
  assert.deepEqual(await ended, { stopped: false, reason: 'a write was refused: another process leads' });
});

test('what makes a start impossible is thrown to the caller, and nothing is left running', async () => {
  const beforeLeading = async () => {
    throw new Error('the schema is newer than this program');
  };
  const w = world(async () => ({ status: {} }), { beforeLeading });
  await assert.rejects(w.manager.run(w.stop.signal), /newer than this program/);
});
