import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { connect, DatabaseUnavailableError, migrate, schemaReady, waitForSchema } from './index.ts';
import { migrations } from './migrations.generated.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.stop());

const open = async (t: { after(fn: () => Promise<void>): void }) => {
  const pool = connect(await postgres.freshDatabase(), { applicationName: 'migrate-test' });
  t.after(() => pool.end());
  return pool;
};

test('an empty database is brought up to date once, however many start at the same time', async (t) => {
  const pool = await open(t);
  assert.equal(await schemaReady(pool), false);
  const applied = await Promise.all([migrate(pool), migrate(pool), migrate(pool)]);
  assert.deepEqual(
    applied.flat().sort(),
    migrations.map(({ name }) => name),
  );
  assert.equal(await schemaReady(pool), true);
  assert.deepEqual(await migrate(pool), []);
});

test('a migration that was changed after it was applied is refused by name, and nothing else runs', async (t) => {
  const pool = await open(t);
  const one = { name: '0001_one.sql', sql: 'CREATE TABLE slipway.one (x int)' };
  const two = { name: '0002_two.sql', sql: 'CREATE TABLE slipway.two (x int)' };
  await migrate(pool, [one]);
  await assert.rejects(migrate(pool, [{ ...one, sql: `${one.sql} -- edited` }, two]), {
    name: 'MigrationChangedError',
    message: /0001_one\.sql was changed after it had been applied/,
  });
  assert.equal((await pool.query(`SELECT to_regclass('slipway.two') AS two`)).rows[0].two, null);
});

test('a migration that fails leaves nothing behind, and the next try starts with it', async (t) => {
  const pool = await open(t);
  const bad = { name: '0001_bad.sql', sql: 'CREATE TABLE slipway.half (x int); SELECT 1 / 0' };
  await assert.rejects(migrate(pool, [bad]), /division by zero/);
  assert.equal((await pool.query(`SELECT to_regclass('slipway.half') AS half`)).rows[0].half, null);
  const good = { name: '0001_bad.sql', sql: 'CREATE TABLE slipway.half (x int)' };
  assert.deepEqual(await migrate(pool, [good]), ['0001_bad.sql']);
});

test('who only waits sees the schema when it is there, and says why it waits', async (t) => {
  const pool = await open(t);
  const reasons: string[] = [];
  let migrated: Promise<unknown> | undefined;
  await waitForSchema(pool, {
    signal: AbortSignal.timeout(20_000),
    everyMs: 20,
    onWaiting: (why) => {
      reasons.push(why);
      migrated ??= migrate(pool);
    },
  });
  await migrated;
  assert.match(reasons[0] ?? '', /the registry migrates it/);
});

test('nobody answering is an error of its own, that says so without any credential', async (t) => {
  const pool = connect(
    { ...postgres.admin, host: '127.0.0.1', port: 1, password: 'canary' },
    { applicationName: 'nobody' },
  );
  t.after(() => pool.end());
  const error = await schemaReady(pool).catch((e) => e);
  assert.ok(error instanceof DatabaseUnavailableError);
  assert.equal(error.message, 'Postgres is unavailable: ECONNREFUSED');
});

test('no function and no table is open to everybody', async (t) => {
  const pool = await open(t);
  await migrate(pool);
  const { rows } = await pool.query(`
    SELECT proname AS open FROM pg_proc WHERE pronamespace = 'slipway'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')
    UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'slipway'::regnamespace AND relkind IN ('r', 'S')
      AND has_table_privilege('public', oid, 'SELECT, INSERT, UPDATE, DELETE')
    UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'slipway'::regnamespace AND relkind = 'r'
      AND relname <> 'migrations' AND NOT relrowsecurity`);
  assert.deepEqual(rows, []);
});
