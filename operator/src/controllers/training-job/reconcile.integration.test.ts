/** The controller with the rows of a real Postgres: what the fakes promise is what the stores do. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { PublishRequest } from '@slipway/contract';
import { connect, migrate, openStores, publishRun, type Run, type Stores } from '@slipway/database';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../../../../database/testing/postgres.ts';
import { publication } from '../../../../database/testing/rows.ts';
import { START, world } from './testing/world.ts';

const HOUR = 3_600_000;
const namespace = 'team-a';
let postgres: TestPostgres;
let pool: pg.Pool;
let tenant: pg.Pool;
let stores: Stores;
before(async () => {
  postgres = await startPostgres();
  const access = await postgres.freshDatabase();
  pool = connect(access, { applicationName: 'training-job-test', max: 4 });
  await migrate(pool);
  stores = openStores(pool, { epoch: () => undefined });
  await stores.tenants.claim(namespace, 'uid-of-the-namespace');
  const { username } = await stores.tenants.ensureRole(namespace, 'p');
  tenant = connect({ ...access, username, password: 'p' }, { applicationName: 'tenant' });
});
after(async () => {
  await tenant.end();
  await pool.end();
  await postgres.stop();
});

let counter = 0;
function start(spec: object) {
  const uid = `uid-${++counter}`;
  const { runs, requests, dataSets, versions } = stores;
  const w = world(spec, { uid, runs, requests, dataSets, versions });
  const rows = () => runs.list(namespace, uid, 100);
  const publish = (run: Run, value: number, over: Partial<PublishRequest> = {}) => {
    const metrics = [{ key: 'accuracy', value, step: 0, timestamp: 1 }];
    return publishRun(tenant, publication(run, { metrics, endTime: w.clock.now, ...over }));
  };
  return { ...w, uid, rows, publish };
}
const newest = async (rows: () => Promise<readonly Run[]>) => (await rows())[0] as Run;

test('a tick is one row, found again after the status was lost; its Job is made from the spec it was started with', async () => {
  const w = start({ schedule: '0 * * * *', sla: '10m', parameters: { C: '0.5' } });
  await w.turn();
  w.clock.now = START + HOUR + 1;
  await w.turn();
  await w.turn();
  const run = await newest(w.rows);
  assert.deepEqual(
    [(await w.rows()).length, run.scheduledTime, run.parameters],
    [1, '2026-01-01T01:00:00.000Z', { C: '0.5' }],
  );
  const job = w.kube.objects.get(`Job/team-a/${w.jobs()[0]}`);
  w.change({ parameters: { C: '9' }, retries: 9 });
  w.kube.objects.delete(`Job/team-a/${w.jobs()[0]}`);
  await w.turn();
  assert.deepEqual(w.kube.objects.get(`Job/team-a/${w.jobs()[0]}`)?.['spec'], job?.['spec']);

  await w.publish(run, 0.9);
  const { status: _, ...bare } = w.read();
  w.kube.put(bare);
  await w.turn();
  assert.deepEqual([(await w.rows()).length, w.succeeded()?.status, w.read().status?.score], [1, 'True', '0.9']);
});

test('requests are answered in the transaction that starts their run, and run one after another', async () => {
  const w = start({ schedule: '0 3 * * *', sla: '10m' });
  const ids = [randomUUID(), randomUUID(), randomUUID()] as const;
  for (const [index, requestId] of ids.entries()) {
    const parameters: Record<string, string> = index === 1 ? { C: 'much' } : {};
    await stores.requests.add({ namespace, requestId, trainingJob: 'iris', requestedBy: 'me', parameters });
  }
  await w.turn();
  const first = await newest(w.rows);
  assert.equal(first.runKey, `${w.uid}/r${ids[0]}`);
  assert.equal((await stores.requests.find(namespace, ids[0]))?.runId, first.runId);
  assert.match((await stores.requests.find(namespace, ids[1]))?.refused ?? '', /parameter C/);
  await w.publish(first, 0.9);
  await w.turn();
  assert.equal((await newest(w.rows)).runKey, `${w.uid}/r${ids[2]}`);
  assert.deepEqual(await stores.requests.waiting(), []);
});

test('a search has one row, its trials theirs, and the best one becomes its version', async () => {
  const search = { method: 'grid', space: { C: { values: ['1', '2'] } }, maxTrials: 5, parallelism: 2, seed: 1 };
  const w = start({ search: { ...search, objective: { metric: 'accuracy', goal: 'maximize' } } });
  await w.turn();
  const parent = await newest(w.rows);
  const trials = await stores.runs.trials(namespace, parent.runKey);
  assert.deepEqual(
    trials.map(({ parameters }) => parameters),
    [{ C: '1' }, { C: '2' }],
  );
  for (const [index, trial] of trials.entries()) await w.publish(trial, 0.5 + index / 10, { isCandidate: true });
  await w.turn();
  const ended = await newest(w.rows);
  assert.deepEqual([(await w.rows()).length, ended.status, ended.model], [1, 'FINISHED', 'iris']);
  assert.equal(w.read().status?.runs?.[0]?.version, ended.version);
  assert.equal(w.read().status?.runs?.[0]?.trials?.best, 'trial 1: accuracy 0.6 (C=2)');
});

test('a deleted job leaves no row open, trials among them, and no request waiting', async () => {
  const search = { method: 'grid', space: { C: { values: ['1', '2'] } }, maxTrials: 5, parallelism: 2, seed: 1 };
  const w = start({ search: { ...search, objective: { metric: 'accuracy', goal: 'maximize' } } });
  await w.turn();
  await stores.requests.add({
    namespace,
    requestId: randomUUID(),
    trainingJob: 'iris',
    requestedBy: 'me',
    parameters: {},
  });
  w.change({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  assert.equal(await w.turn(), 'finalized');
  const parent = await newest(w.rows);
  const all = [parent, ...(await stores.runs.trials(namespace, parent.runKey))];
  assert.deepEqual(
    all.map(({ status, failure }) => `${status} ${failure?.reason}`),
    ['KILLED Deleted', 'KILLED Deleted', 'KILLED Deleted'],
  );
  assert.deepEqual(await stores.requests.waiting(), []);
});
