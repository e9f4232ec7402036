/** Against the API server of the cluster in use, and a real Postgres. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, migrate, openAdmission, openStores } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { startRun } from '../../../database/testing/rows.ts';
import { dropNamespace, kubectl, makeNamespace } from '../../../test/support/kubectl.ts';
import { clusterConfig } from '../auth/cluster.ts';
import { namespaceReader } from './kubernetes-namespaces.ts';
import { kubernetesTenants } from './tenants.ts';

const namespace = 'registry-tenants';
let postgres: TestPostgres;
let pool: ReturnType<typeof connect>;
before(async () => {
  makeNamespace(namespace);
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tenants-test' });
  await migrate(pool);
});
after(async () => {
  await pool.end();
  await postgres.stop();
  dropNamespace(namespace);
});

test('a namespace of the cluster is bound to its uid; one that is not there is 404; an earlier one’s data is a conflict', async () => {
  const { tenants: store } = openStores(pool, { epoch: () => undefined });
  const { ownerOf } = openAdmission(pool);
  const read = namespaceReader(clusterConfig());
  let now = 0;
  const tenants = kubernetesTenants({ read, store, ownerOf, now: () => now, onUnanswered: () => {} });
  await tenants.ensure(namespace);
  const uid = kubectl(['get', 'namespace', namespace, '-o', 'jsonpath={.metadata.uid}']);
  assert.equal(await ownerOf(namespace), uid);
  await assert.rejects(tenants.ensure('registry-tenants-none'), { code: 'RESOURCE_DOES_NOT_EXIST' });

  await pool.query('UPDATE slipway.tenants SET namespace_uid = $1 WHERE namespace = $2', ['earlier', namespace]);
  now = 30_000;
  await assert.rejects(tenants.ensure(namespace), { code: 'RESOURCE_CONFLICT' });
  kubectl(['annotate', 'namespace', namespace, 'slipway.dev/adopt-data=earlier']);
  await tenants.ensure(namespace);
  assert.equal(await ownerOf(namespace), uid);
});

test('the token of a run is good while its row says RUNNING', async () => {
  const stores = openStores(pool, { epoch: () => undefined });
  const { isRunOpen } = openAdmission(pool);
  await stores.tenants.claim('team-a', 'uid-team-a');
  const { runId, runKey } = await stores.runs.start(startRun());
  assert.equal(await isRunOpen('team-a', runId), true);
  assert.equal(await isRunOpen('team-b', runId), false);
  assert.equal(await isRunOpen('team-a', 'f'.repeat(32)), false);
  const failure = { status: 'FAILED', reason: 'x', message: 'x', endTime: '2026-01-01T00:00:05.000Z' } as const;
  await stores.runs.fail('team-a', runKey, failure);
  assert.equal(await isRunOpen('team-a', runId), false);
});
