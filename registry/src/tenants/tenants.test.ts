import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantConflictError } from '@slipway/database';
import { ApiError } from '../errors.ts';
import { anyTenants, checkName, kubernetesTenants, type NamespaceFacts, type Tenants, watchedOnly } from './tenants.ts';

/** A cluster and a database that can be changed under the tenants' feet. */
function world() {
  const cluster = new Map<string, NamespaceFacts>();
  const claimed = new Map<string, string>();
  const state = { now: 0, away: false, asked: 0, warned: 0, cluster, claimed };
  const store = {
    async claim(namespace: string, uid: string, adoptUid?: string) {
      const owner = claimed.get(namespace);
      if (owner !== undefined && owner !== uid && owner !== adoptUid) throw new TenantConflictError(namespace, owner);
      claimed.set(namespace, uid);
    },
  };
  const tenants = kubernetesTenants({
    async read(namespace) {
      state.asked++;
      if (state.away) throw new Error('connect ECONNREFUSED');
      return cluster.get(namespace);
    },
    store,
    ownerOf: async (namespace) => claimed.get(namespace),
    now: () => state.now,
    onUnanswered: () => {
      state.warned++;
    },
  });
  return { ...state, state, store, tenants };
}

const namespace = (uid: string, over: Partial<NamespaceFacts> = {}): NamespaceFacts => ({
  uid,
  terminating: false,
  ...over,
});

async function refusal(tenants: Tenants, name: string): Promise<ApiError> {
  const error = await tenants.ensure(name).then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.ok(error instanceof ApiError, `expected a refusal, got ${error}`);
  return error;
}

test('a namespace is bound to its uid at first use, and looked at again after thirty seconds', async () => {
  const { cluster, claimed, state, tenants } = world();
  cluster.set('team-a', namespace('uid-1'));
  await Promise.all([tenants.ensure('team-a'), tenants.ensure('team-a'), tenants.ensure('team-a')]);
  assert.equal(claimed.get('team-a'), 'uid-1');
  assert.equal(state.asked, 1, 'many requests at once ask once');
  state.now = 29_999;
  await tenants.ensure('team-a');
  assert.equal(state.asked, 1);
  state.now = 30_000;
  await tenants.ensure('team-a');
  assert.equal(state.asked, 2);
});

test('a namespace that does not exist is 404 with the command, and is found once it is made', async () => {
  const { cluster, claimed, tenants } = world();
  const error = await refusal(tenants, 'team-x');
  assert.deepEqual([error.status, error.code], [404, 'RESOURCE_DOES_NOT_EXIST']);
  assert.match(error.message, /kubectl create namespace team-x/);
  assert.equal(claimed.size, 0);
  cluster.set('team-x', namespace('uid-1'));
  await tenants.ensure('team-x');
});

test('a namespace made anew under the old name inherits nothing unless its administrator says so', async () => {
  const { cluster, claimed, state, tenants } = world();
  cluster.set('team-a', namespace('uid-1'));
  await tenants.ensure('team-a');
  cluster.set('team-a', namespace('uid-2'));
  state.now = 30_000;
  const error = await refusal(tenants, 'team-a');
  assert.deepEqual([error.status, error.code], [409, 'RESOURCE_CONFLICT']);
  assert.match(error.message, /kubectl annotate namespace team-a --overwrite slipway\.dev\/adopt-data=uid-1/);
  cluster.set('team-a', namespace('uid-2', { adoptUid: 'uid-1' }));
  await tenants.ensure('team-a');
  assert.equal(claimed.get('team-a'), 'uid-2');
});

test('a namespace that goes away: what it holds is answered, nothing begins', async () => {
  const { cluster, claimed, tenants } = world();
  cluster.set('old', namespace('uid-1', { terminating: true }));
  cluster.set('new', namespace('uid-2', { terminating: true }));
  claimed.set('old', 'uid-1');
  await tenants.ensure('old');
  assert.equal((await refusal(tenants, 'new')).status, 404);
});

test('while the API server is away, namespaces that are bound go on and others wait', async () => {
  const { claimed, state, tenants } = world();
  state.away = true;
  claimed.set('team-a', 'uid-1');
  await tenants.ensure('team-a');
  assert.equal(state.warned, 1);
  const error = await refusal(tenants, 'team-b');
  assert.deepEqual([error.status, error.code], [503, 'TEMPORARILY_UNAVAILABLE']);
  assert.doesNotMatch(error.message, /ECONN/);
});

test('a database that is away is not taken for an answer', async () => {
  const { cluster, store, tenants } = world();
  cluster.set('team-a', namespace('uid-1'));
  const claim = store.claim;
  store.claim = async () => {
    throw new Error('away');
  };
  await assert.rejects(tenants.ensure('team-a'), /away/);
  store.claim = claim;
  await tenants.ensure('team-a');
});

test('a registry for some namespaces knows no others', async () => {
  const { cluster, tenants } = world();
  cluster.set('team-a', namespace('uid-1'));
  cluster.set('team-b', namespace('uid-2'));
  const watched = watchedOnly(['team-a'], tenants);
  await watched.ensure('team-a');
  const error = await refusal(watched, 'team-b');
  assert.equal(error.status, 404);
  assert.match(error.message, /watchNamespaces/);
});

test('without Kubernetes every name is a namespace, also one that Kubernetes bound before', async () => {
  const { claimed, store } = world();
  claimed.set('team-a', 'uid-1');
  const tenants = anyTenants(store);
  await tenants.ensure('team-a');
  await tenants.ensure('team-b');
  assert.deepEqual(
    [...claimed],
    [
      ['team-a', 'uid-1'],
      ['team-b', 'local'],
    ],
  );
});

for (const name of ['', 'Team-A', 'team_a', '-a', '..', 'a/b', '%2e%2e', 'a'.repeat(64), 'team-a\n'])
  test(`${JSON.stringify(name.slice(0, 10))} is no namespace`, () => {
    assert.throws(() => checkName(name), { code: 'RESOURCE_DOES_NOT_EXIST' });
  });
