/** A tenant's role tries to reach what is not its own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PostgresAccess, PublishRequest } from '@slipway/contract';
import pg from 'pg';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { publication, startRun } from '../testing/rows.ts';
import {
  connect,
  DatabaseUnavailableError,
  findPublished,
  migrate,
  openStores,
  PublishRefusedError,
  publishRun,
  RoleDeniedError,
  type Run,
  type Stores,
} from './index.ts';

const [mine, theirs] = ['tenant-a', 'tenant-b'];
let postgres: TestPostgres;
let main: PostgresAccess;
let pool: pg.Pool;
let stores: Stores;
let tenant: pg.Pool;
let myRun: Run;
let theirRun: Run;

before(async () => {
  postgres = await startPostgres();
  main = await postgres.freshDatabase();
  pool = connect(main, { applicationName: 'tenancy-test' });
  await migrate(pool);
  stores = openStores(pool, { epoch: () => undefined });
  for (const namespace of [mine, theirs]) {
    await stores.tenants.claim(namespace, `uid-${namespace}`);
    await stores.tenants.ensureRole(namespace, `password-of-${namespace}`);
  }
  const { username } = await stores.tenants.ensureRole(mine, 'password-of-mine');
  tenant = connect({ ...main, username, password: 'password-of-mine' }, { applicationName: 'tenant' });
  myRun = await stores.runs.start(startRun({ namespace: mine, ownerUid: 'uid-mine' }));
  theirRun = await stores.runs.start(startRun({ namespace: theirs, ownerUid: 'uid-theirs' }));
});
after(async () => {
  await tenant.end();
  await pool.end();
  await postgres.stop();
});

const code = (sql: string) =>
  tenant.query(sql).then(
    () => 'allowed',
    (error) => error.code as string,
  );

test('the role has a hashed name, no attribute beyond login, and no membership', async () => {
  const { rows } = await pool.query(
    `SELECT r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls, r.rolinherit,
       (SELECT count(*)::int FROM pg_auth_members m WHERE m.member = r.oid) AS memberships
     FROM pg_roles r JOIN slipway.tenants t ON t.role_name = r.rolname WHERE t.namespace = $1`,
    [mine],
  );
  const no = { rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolreplication: false, rolbypassrls: false };
  assert.deepEqual(rows, [{ ...no, rolinherit: false, memberships: 0 }]);
  const { username } = await stores.tenants.ensureRole(mine, 'password-of-mine');
  assert.match(username, /^slipway_t_[0-9a-f]{32}$/);
});

const denied = '42501';
for (const [attack, sql] of [
  ['read runs', 'SELECT * FROM slipway.runs'],
  ['read tenants', 'SELECT * FROM slipway.tenants'],
  ['insert a run', `INSERT INTO slipway.experiments VALUES ('tenant-b', 9, 'x')`],
  ['change a version', `UPDATE slipway.model_versions SET status = 'READY'`],
  ['raise the leader epoch', 'SELECT slipway.fence(999)'],
  ['allocate a version', `SELECT slipway.allocate_version('tenant-b', 'iris')`],
  ['log metrics around the door', `SELECT slipway.log_metrics('tenant-b', 'x', '[]')`],
  ['append an event', `SELECT slipway.append_event('tenant-b', 'iris', 1, 'x', null, null, 'x')`],
  ['ask who may publish', `SELECT slipway.may_publish('tenant-b')`],
  ['create a table in the schema', 'CREATE TABLE slipway.mine (x int)'],
  ['create a table in public', 'CREATE TABLE public.mine (x int)'],
  ['create a temporary table', 'CREATE TEMPORARY TABLE mine (x int)'],
  ['create a schema', 'CREATE SCHEMA mine'],
  [
    'replace the door',
    `CREATE OR REPLACE FUNCTION slipway.may_publish(tenant text) RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
  ],
  ['create a role', 'CREATE ROLE intruder'],
  ['run a program', `COPY (SELECT 1) TO PROGRAM 'id'`],
  ['read a file', `SELECT pg_read_file('/etc/passwd')`],
] as const)
  test(`the role cannot ${attack}`, async () => assert.equal(await code(sql), denied));

test('the role cannot become the main user or another tenant', async () => {
  const { rows } = await pool.query('SELECT role_name FROM slipway.tenants WHERE namespace = $1', [theirs]);
  for (const role of [main.username, 'postgres', rows[0].role_name]) {
    assert.equal(await code(`SET ROLE ${role}`), denied, role);
    assert.equal(await code(`SET SESSION AUTHORIZATION ${role}`), denied, role);
  }
});

test('no lock the role can take holds anybody else up', async () => {
  const client = await tenant.connect();
  try {
    await client.query('BEGIN');
    await client.query(
      `SELECT pg_advisory_lock(hashtextextended(x, 0)) FROM unnest(ARRAY['slipway/migrate', 'slipway/run/uid-mine']) x`,
    );
    await assert.rejects(client.query('LOCK TABLE slipway.migrations'), { code: denied });
    assert.deepEqual(await migrate(pool), []);
    await stores.tenants.ensureRole(theirs, 'unhindered');
  } finally {
    client.release(true);
  }
});

test('a function of the same name in front of the search path does not get in', async () => {
  await assert.rejects(tenant.query('SET search_path = pg_temp, slipway; SELECT slipway.refuse($$x$$)'), {
    code: denied,
  });
});

test('even with tables granted by mistake the role reads its own rows only and writes none', async () => {
  const { rows } = await pool.query('SELECT role_name FROM slipway.tenants WHERE namespace = $1', [mine]);
  const role = pg.escapeIdentifier(rows[0].role_name);
  await pool.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA slipway TO ${role}`);
  try {
    for (const table of ['tenants', 'experiments', 'runs', 'params']) {
      const seen = await tenant.query(`SELECT DISTINCT namespace FROM slipway.${table}`);
      assert.deepEqual(seen.rows, [{ namespace: mine }], table);
    }
    assert.equal((await tenant.query('SELECT * FROM slipway.leader_epoch')).rowCount, 0);
    assert.equal((await tenant.query(`UPDATE slipway.runs SET cause = 'x'`)).rowCount, 0);
    assert.equal((await tenant.query('DELETE FROM slipway.runs')).rowCount, 0);
    assert.equal(await code(`INSERT INTO slipway.experiments VALUES ('${mine}', 9, 'x')`), denied);
  } finally {
    await pool.query(`REVOKE ALL ON ALL TABLES IN SCHEMA slipway FROM ${role}`);
  }
});

const refusal = async (request: PublishRequest): Promise<string> => {
  const error = await publishRun(tenant, request).catch((e) => e);
  assert.ok(error instanceof PublishRefusedError, `expected a refusal, got ${error}`);
  return error.message;
};

test('another tenant’s run cannot be published, and looks exactly like one that does not exist', async () => {
  const unknown = await refusal(publication({ ...theirRun, runKey: 'no-such/g1' }));
  assert.equal(await refusal(publication(theirRun)), unknown);
  assert.equal(await refusal(publication({ ...myRun, runKey: theirRun.runKey })), unknown);
  assert.equal((await stores.runs.find(theirs, theirRun.runKey))?.status, 'RUNNING');
  await publishRun(pool, publication(theirRun));
  assert.equal(await findPublished(tenant, theirRun.runKey), undefined);
});

const model = (uri: string) => {
  const request = publication(myRun);
  const published = request.model as NonNullable<typeof request.model>;
  return { ...request, model: { ...published, artifact: { ...published.artifact, uri } } };
};
const root = () => `${mine}/${myRun.experimentId}/${myRun.runId}/artifacts`;
for (const [name, uri] of [
  ['another tenant’s prefix', () => `s3://slipway/${theirs}/1/x/artifacts/a/model`],
  ['another run’s prefix', () => `s3://slipway/${mine}/1/${'0'.repeat(32)}/artifacts/a/model`],
  ['a way out by ..', () => `s3://slipway/${root()}/../../../../${theirs}/model`],
  ['a way out by . and //', () => `s3://slipway/${root()}/./a//model`],
  ['a query', () => `s3://slipway/${root()}/a/model?x=1`],
  ['another scheme', () => `file:///${root()}/a/model`],
  ['a bucket with a slash', () => `s3://slipway/x/${root()}/a/model`],
  ['nothing below the root', () => `s3://slipway/${root()}`],
] as const)
  test(`a model cannot lie at ${name}`, async () =>
    assert.match(await refusal(model(uri())), /artifact\.uri must lie under s3:\/\/<bucket>\/tenant-a\//));

test('what is too large or ill-formed is refused by name, also when it does not come through our client', async () => {
  const raw = async (change: object) => {
    const body = JSON.stringify({ ...publication(myRun), ...change });
    const error = await tenant.query('SELECT slipway.publish_run($1::jsonb)', [body]).catch((e) => e);
    assert.equal(error.code, 'SL002', `${error}`);
    return error.message as string;
  };
  const point = { key: 'a', value: 1, step: 0, timestamp: 0 };
  assert.match(await raw({ metrics: Array(50_001).fill(point) }), /50001 metric points are more than 50000/);
  assert.match(await raw({ metrics: [{ ...point, key: 'k'.repeat(251) }] }), /metric k+: expected/);
  assert.match(await raw({ metrics: [{ ...point, value: 'high' }] }), /metric a: expected/);
  assert.match(await raw({ metrics: [{ ...point, step: 1.5e300 }] }), /a value does not fit/);
  assert.match(await raw({ params: { C: 'x'.repeat(6001) } }), /parameter C: expected/);
  assert.match(await raw({ params: { C: 1 } }), /parameter C: expected/);
  assert.match(await raw({ endTime: 'now' }), /endTime must be/);
  assert.match(await raw({ runKey: null }), /runKey must be/);
  assert.match(
    await raw({ model: { ...publication(myRun).model, model: 'a/b' } }),
    /model must be what spec\.model of/,
  );
  assert.match(await raw({ padding: 'x'.repeat(9_000_000) }), /larger than 8 MiB/);
  assert.equal((await stores.runs.find(mine, myRun.runKey))?.status, 'RUNNING', 'nothing was half done');
  assert.deepEqual((await stores.runs.find(mine, myRun.runKey))?.metrics, {});
});

test('its own run is published, once, and found again', async () => {
  assert.deepEqual(await publishRun(tenant, publication(myRun)), { version: 1, alreadyPublished: false });
  assert.deepEqual(await publishRun(tenant, publication(myRun)), { version: 1, alreadyPublished: true });
  assert.deepEqual(await findPublished(tenant, myRun.runKey), { version: 1, alreadyPublished: true });
  const [row] = await stores.versions.list(mine);
  assert.equal(row?.sourceUri, `s3://slipway/${root()}/abcdef012345/model`);
  assert.deepEqual(row?.lineage, { trainingJob: 'iris', runKey: myRun.runKey });
});

test('a new password shuts the old one out', async () => {
  const { username } = await stores.tenants.ensureRole(theirs, 'first');
  const login = async (password: string) => {
    const attempt = connect({ ...main, username, password }, { applicationName: 'login' });
    try {
      return await findPublished(attempt, 'x');
    } finally {
      await attempt.end();
    }
  };
  assert.equal(await login('first'), undefined);
  await stores.tenants.ensureRole(theirs, 'second');
  await assert.rejects(login('first'), DatabaseUnavailableError);
  assert.equal(await login('second'), undefined);
});

test('a main user that may not create roles is told what it lacks', async () => {
  const admin = connect({ ...postgres.admin, database: main.database }, { applicationName: 'admin' });
  try {
    await admin.query(`ALTER ROLE ${main.username} NOCREATEROLE`);
    await stores.tenants.claim('no-role', 'uid-no-role');
    await assert.rejects(stores.tenants.ensureRole('no-role', 'x'), (error) => {
      assert.ok(error instanceof RoleDeniedError);
      return /CREATEROLE/.test(error.message);
    });
  } finally {
    await admin.query(`ALTER ROLE ${main.username} CREATEROLE`);
    await admin.end();
  }
});
