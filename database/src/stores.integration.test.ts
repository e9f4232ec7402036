import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { publication, startRun } from '../testing/rows.ts';
import {
  connect,
  DatabaseUnavailableError,
  findPublished,
  migrate,
  openStores,
  publishRun,
  query,
  StaleLeaderError,
  type Stores,
  TenantConflictError,
  transaction,
  UnclaimedNamespaceError,
} from './index.ts';

let postgres: TestPostgres;
let pool: pg.Pool;
let stores: Stores;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'stores-test', max: 16 });
  await migrate(pool);
  stores = openStores(pool, { epoch: () => undefined });
});
after(async () => {
  await pool.end();
  await postgres.stop();
});

let counter = 0;
/** A claimed namespace nobody else uses. */
const freshTenant = async (): Promise<string> => {
  const namespace = `team-${++counter}`;
  await stores.tenants.claim(namespace, `uid-of-${namespace}`);
  return namespace;
};
const brought = (namespace: string, n: number | string) => ({
  namespace,
  model: 'iris',
  sourceUri: `s3://slipway/${namespace}/mine`,
  objectUid: `object-${n}`,
  creationTime: '2026-01-01T00:00:00.000Z',
});
const events = async (namespace: string) =>
  (
    await pool.query(
      `SELECT version, event, from_value AS "from", to_value AS "to", actor FROM slipway.model_events WHERE namespace = $1 ORDER BY id`,
      [namespace],
    )
  ).rows;

test('a run is started once, however often and however concurrently the operator asks', async () => {
  const namespace = await freshTenant();
  const runs = await Promise.all(Array.from({ length: 8 }, () => stores.runs.start(startRun({ namespace }))));
  assert.equal(new Set(runs.map(({ runId }) => runId)).size, 1);
  assert.deepEqual(runs[0], {
    namespace,
    runKey: 'uid-1/g1',
    runId: runs[0]?.runId,
    experimentId: '1',
    generation: 1,
    specDigest: 'digest-1',
    status: 'RUNNING',
    startTime: '2026-01-01T00:00:00.000Z',
    metrics: {},
    cause: 'Created',
    spec: { model: 'iris' },
    parameters: { C: '1.0' },
  });
  const { rows } = await pool.query('SELECT count(*)::int AS n FROM slipway.runs WHERE namespace = $1', [namespace]);
  assert.equal(rows[0].n, 1);
});

test('experiments are numbered per namespace after Default, which has 0', async () => {
  const [a, b] = [await freshTenant(), await freshTenant()];
  const idOf = async (namespace: string, experiment: string, generation: number) =>
    (
      await stores.runs.start(
        startRun({ namespace, experiment, generation, specDigest: `${generation}`, ownerUid: `uid-exp-${namespace}` }),
      )
    ).experimentId;
  assert.equal(await idOf(a, 'Default', 1), '0');
  assert.equal(await idOf(a, 'iris', 2), '1');
  assert.equal(await idOf(a, 'abalone', 3), '2');
  assert.equal(await idOf(a, 'iris', 4), '1');
  assert.equal(await idOf(b, 'abalone', 1), '1');
});

test('nothing is stored for a namespace that was not claimed', async () => {
  await assert.rejects(stores.runs.start(startRun({ namespace: 'stranger' })), UnclaimedNamespaceError);
});

test('only a running run can fail; what was published wins, also when it comes late', async () => {
  const namespace = await freshTenant();
  const failure = { status: 'FAILED', reason: 'DeadlineExceeded', message: 'took too long' } as const;
  const at = { ...failure, endTime: '2026-01-01T00:00:30.000Z' };
  const run = await stores.runs.start(startRun({ namespace, ownerUid: 'uid-late' }));
  assert.equal((await stores.runs.fail(namespace, run.runKey, at))?.status, 'FAILED');
  assert.deepEqual(await publishRun(pool, publication(run)), { version: 1, alreadyPublished: false });
  const after = await stores.runs.fail(namespace, run.runKey, at);
  assert.equal(after?.status, 'FINISHED');
  assert.equal(after?.version, 1);
  assert.equal(after?.endTime, '2026-01-01T00:01:00.000Z');
  assert.deepEqual(after?.metrics, { accuracy: 0.95 });
  assert.equal(await stores.runs.fail(namespace, 'no/g1', at), undefined);
});

test('publishing is repeatable: the second call gets the first one’s version and changes nothing', async () => {
  const namespace = await freshTenant();
  const run = await stores.runs.start(startRun({ namespace, ownerUid: 'uid-twice' }));
  assert.equal(await findPublished(pool, run.runKey), undefined);
  const results = await Promise.all(Array.from({ length: 4 }, () => publishRun(pool, publication(run))));
  assert.deepEqual(
    results.map(({ version }) => version),
    [1, 1, 1, 1],
  );
  assert.equal(results.filter(({ alreadyPublished }) => !alreadyPublished).length, 1);
  assert.deepEqual(await findPublished(pool, run.runKey), { version: 1, alreadyPublished: true });
  assert.equal((await stores.versions.list(namespace)).length, 1);
  assert.deepEqual(await events(namespace), [
    { version: 1, event: 'Registered', from: null, to: 'PENDING_REGISTRATION', actor: 'trainingjob/iris' },
  ]);
});

test('a run that registers nothing is finished without a version', async () => {
  const namespace = await freshTenant();
  const run = await stores.runs.start(startRun({ namespace, ownerUid: 'uid-track' }));
  const { model: _, ...request } = publication(run);
  assert.deepEqual(await publishRun(pool, request), { version: null, alreadyPublished: false });
  assert.equal((await stores.runs.find(namespace, run.runKey))?.status, 'FINISHED');
});

test('sixteen at once get the versions 1 to 16, and one that fails leaves no gap', async () => {
  const namespace = await freshTenant();
  const creators = Array.from({ length: 16 }, (_, n) => stores.versions.registerBrought(brought(namespace, n)));
  const [failed, rows] = await Promise.all([
    transactionThatFails(namespace).then(
      () => false,
      () => true,
    ),
    Promise.all(creators),
  ]);
  assert.equal(failed, true);
  const numbers = rows.map(({ version }) => version).sort((a, b) => a - b);
  assert.deepEqual(
    numbers,
    Array.from({ length: 16 }, (_, n) => n + 1),
  );
});

async function transactionThatFails(namespace: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT slipway.allocate_version($1, $2)', [namespace, 'iris']);
    throw new Error('crashed');
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

test('an object that is brought twice keeps its number', async () => {
  const namespace = await freshTenant();
  const rows = await Promise.all([1, 1, 1].map((n) => stores.versions.registerBrought(brought(namespace, n))));
  assert.deepEqual(
    rows.map(({ version }) => version),
    [1, 1, 1],
  );
  assert.equal((await stores.versions.registerBrought(brought(namespace, 2))).version, 2);
  const { objectUid } = brought(namespace, 2);
  assert.equal((await stores.versions.findBrought(namespace, objectUid))?.version, 2);
  assert.equal(await stores.versions.findBrought('elsewhere', objectUid), undefined);
});

test('verification fills in what a brought version lacks, and never changes a digest that is there', async () => {
  const namespace = await freshTenant();
  await stores.versions.registerBrought(brought(namespace, 'v'));
  const artifact = (digit: string) => ({
    uri: `s3://slipway/${namespace}/mine`,
    files: [{ path: 'model.onnx', sha256: digit.repeat(64), size: 1 }],
    digest: digit.repeat(64),
  });
  const record = (status: 'READY' | 'FAILED_REGISTRATION', digit: string) =>
    stores.versions.recordVerification(namespace, 'iris', 1, { status, message: status, artifact: artifact(digit) });
  await record('READY', '1');
  await record('READY', '1');
  await record('FAILED_REGISTRATION', '2');
  const row = await stores.versions.find(namespace, 'iris', 1);
  assert.equal(row?.status, 'FAILED_REGISTRATION');
  assert.deepEqual(row?.artifact, artifact('1'));
  assert.deepEqual(
    (await events(namespace)).map(({ event, from, to }) => ({ event, from, to })),
    [
      { event: 'Registered', from: null, to: 'PENDING_REGISTRATION' },
      { event: 'StatusChanged', from: 'PENDING_REGISTRATION', to: 'READY' },
      { event: 'StatusChanged', from: 'READY', to: 'FAILED_REGISTRATION' },
    ],
  );
});

test('a deleted version is gone from the list, its number is not given again, and deleting twice is one event', async () => {
  const namespace = await freshTenant();
  await stores.versions.registerBrought(brought(namespace, 1));
  await stores.versions.delete({ namespace, model: 'iris', version: 1 }, { actor: 'operator', services: [] });
  await stores.versions.delete({ namespace, model: 'iris', version: 1 }, { actor: 'operator', services: [] });
  await stores.versions.recordVerification(namespace, 'iris', 1, { status: 'READY', message: '' });
  assert.deepEqual(await stores.versions.list(namespace), []);
  assert.equal((await stores.versions.find(namespace, 'iris', 1))?.status, 'DELETED');
  assert.equal((await stores.versions.registerBrought(brought(namespace, 2))).version, 2);
  assert.equal((await events(namespace)).filter(({ event }) => event === 'Deleted').length, 1);
});

test('the history cannot be changed, not even by its owner', async () => {
  const namespace = await freshTenant();
  await stores.versions.registerBrought(brought(namespace, 1));
  for (const statement of [
    `UPDATE slipway.model_events SET actor = 'x'`,
    'DELETE FROM slipway.model_events',
    'TRUNCATE slipway.model_events',
  ])
    await assert.rejects(pool.query(statement), /append-only/, statement);
});

test('a namespace made again under the same name inherits nothing, unless it names the earlier one', async () => {
  const { tenants } = stores;
  await tenants.claim('reborn', 'first');
  await tenants.claim('reborn', 'first');
  const conflict = await tenants.claim('reborn', 'second').catch((error) => error);
  assert.ok(conflict instanceof TenantConflictError);
  assert.equal(conflict.earlierUid, 'first');
  await assert.rejects(tenants.claim('reborn', 'second', 'some-other'), TenantConflictError);
  await tenants.claim('reborn', 'second', 'first');
  await tenants.claim('reborn', 'second', 'first');
  await assert.rejects(tenants.claim('reborn', 'first'), TenantConflictError);
});

test('a write of an overtaken leader is refused and changes nothing; reading it may go on', async () => {
  const namespace = await freshTenant();
  const asLeader = (epoch: number) => openStores(pool, { epoch: () => epoch });
  const run = await asLeader(7).runs.start(startRun({ namespace, ownerUid: 'uid-epoch' }));
  await asLeader(8).versions.registerBrought(brought(namespace, 1));
  const late = asLeader(7);
  const failure = { status: 'KILLED', reason: 'r', message: 'm', endTime: '2026-01-01T00:00:30.000Z' } as const;
  const writes = [
    late.runs.start(startRun({ namespace, ownerUid: 'uid-epoch', generation: 2, specDigest: 'other' })),
    late.runs.fail(namespace, run.runKey, failure),
    late.versions.registerBrought(brought(namespace, 'late')),
    late.versions.delete({ namespace, model: 'iris', version: 1 }, { actor: 'late', services: [] }),
    late.versions.recordVerification(namespace, 'iris', 1, { status: 'READY', message: '' }),
    late.tenants.claim('late', 'late'),
    late.tenants.ensureRole(namespace, 'x'),
  ];
  const outcomes = await Promise.allSettled(writes);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason instanceof StaleLeaderError),
    writes.map(() => true),
  );
  assert.equal((await late.runs.find(namespace, run.runKey))?.status, 'RUNNING');
  assert.equal((await late.versions.find(namespace, 'iris', 1))?.status, 'PENDING_REGISTRATION');
  assert.equal((await asLeader(8).runs.fail(namespace, run.runKey, failure))?.status, 'KILLED');
});

test('a new leader waits for the write the old one has under way, so none of them commits after its first', async () => {
  const old = await pool.connect();
  const order: string[] = [];
  try {
    // Raised before, so that the transaction under way holds no more than what every write holds.
    await old.query('SELECT slipway.fence(20)');
    await old.query('BEGIN');
    await old.query('SELECT slipway.fence(20)');
    const next = openStores(pool, { epoch: () => 21 })
      .tenants.claim('next', 'next')
      .then(() => order.push('new leader wrote'));
    await blockedBy(old);
    order.push('old leader commits');
    await old.query('COMMIT');
    await next;
  } finally {
    old.release(true);
  }
  assert.deepEqual(order, ['old leader commits', 'new leader wrote']);
});

/** Resolves when somebody waits for a lock of the client's transaction. */
async function blockedBy(client: pg.PoolClient): Promise<void> {
  const until = performance.now() + 5_000;
  const blocked = 'SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))';
  while ((await client.query(blocked)).rows.length === 0) {
    if (performance.now() > until) throw new Error('nobody waited');
  }
}

test('a connection that is cut in the middle of a transaction is an outage, and the next call works', async () => {
  const namespace = await freshTenant();
  const cut = transaction(pool, async (client) => {
    await client.query('SELECT slipway.allocate_version($1, $2)', [namespace, 'iris']);
    const pid = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
    await pool.query('SELECT pg_terminate_backend($1)', [pid]);
    await query(client, 'SELECT 1');
  });
  await assert.rejects(cut, DatabaseUnavailableError);
  assert.equal((await stores.versions.registerBrought(brought(namespace, 'cut'))).version, 1);
});
