import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type TestPostgres } from '../../testing/postgres.ts';
import { connect, migrate, openStores, transaction } from '../index.ts';
import type { Database } from '../pool.ts';
import { deleteVersion, setAliases, setDescription, setStage, setTags } from './changes.ts';
import { type ModelRegistry, openModelRegistry } from './index.ts';

let postgres: TestPostgres;
let pool: Database;
let registry: ModelRegistry;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests' });
  await migrate(pool);
  await openStores(pool, { epoch: () => undefined }).tenants.claim('team-a', 'uid');
  registry = openModelRegistry(pool);
  await registry.createModel('team-a', { name: 'iris', description: '', tags: {} });
});
after(async () => {
  await pool?.end();
  await postgres?.stop();
});

const change = (version: number) => ({ namespace: 'team-a', model: 'iris', version, actor: 'kubectl' });
const newVersion = async () => {
  const made = await registry.createVersion(
    'team-a',
    {
      model: 'iris',
      sourceUri: 's3://x/y',
      clientSource: 's3://x/y',
      format: 'mlflow',
      status: 'READY',
      runLink: '',
      description: '',
      tags: {},
    },
    'me',
  );
  return made?.version as number;
};

test('changes of one transaction are made together or not at all', async () => {
  const version = await newVersion();
  const edit = (fails: boolean) =>
    transaction(pool, async (client) => {
      await setStage(client, change(version), { stage: 'Staging' });
      await setAliases(client, change(version), ['b', 'a']);
      await setTags(client, change(version), { set: [{ key: 'k', value: 'v' }], remove: ['gone'] });
      await setDescription(client, change(version), 'text');
      if (fails) throw new Error('no');
    });
  await assert.rejects(edit(true), /^Error: no$/);
  const untouched = await registry.version('team-a', { model: 'iris', version });
  assert.deepEqual([untouched?.stage, untouched?.aliases, untouched?.tags], ['None', [], []]);
  await edit(false);
  const changed = await registry.version('team-a', { model: 'iris', version });
  assert.deepEqual(
    [changed?.stage, changed?.aliases, changed?.tags, changed?.description],
    ['Staging', ['a', 'b'], [{ key: 'k', value: 'v' }], 'text'],
  );
});

test('the aliases of a version become exactly those named, taken from whatever version has them', async () => {
  const [one, two] = [await newVersion(), await newVersion()];
  await setAliases(pool, change(one), ['x', 'y']);
  await setAliases(pool, change(two), ['y', 'z']);
  await setAliases(pool, change(two), ['y']);
  const aliases = async (version: number) => (await registry.version('team-a', { model: 'iris', version }))?.aliases;
  assert.deepEqual([await aliases(one), await aliases(two)], [['x'], ['y']]);
});

test('who must may delete what is used; others are told by whom it is', async () => {
  const version = await newVersion();
  await pool.query(
    "INSERT INTO slipway.version_uses (namespace, model, version, service) VALUES ('team-a', 'iris', $1, 'svc')",
    [version],
  );
  assert.deepEqual(await deleteVersion(pool, change(version), { unlessUsed: true }), {
    used: [{ version, services: ['svc'] }],
  });
  assert.deepEqual(await deleteVersion(pool, change(version), { unlessUsed: false }), { done: true });
  assert.deepEqual(await deleteVersion(pool, change(version), { unlessUsed: false }), { missing: true });
});

test('nothing is changed of a version that is not there', async () => {
  assert.equal(await setStage(pool, change(999), { stage: 'Staging', archiveOthers: true }), undefined);
  assert.equal(await setAliases(pool, change(999), ['never']), false);
  assert.equal(await setTags(pool, change(999), { set: [{ key: 'k', value: 'v' }] }), false);
  assert.equal(await setDescription(pool, change(999), 'x'), undefined);
  const { rows } = await pool.query('SELECT 1 FROM slipway.model_events WHERE version = 999');
  assert.equal(rows.length, 0);
});

test('many who move one alias at once leave it at one version, and each move is told with where it came from', async () => {
  const versions = await Promise.all(Array.from({ length: 8 }, newVersion));
  await Promise.all(versions.map((version) => registry.setAlias(change(version), 'champion')));
  const { rows } = await pool.query(
    "SELECT version, from_value FROM slipway.model_events WHERE event = 'AliasSet' AND to_value = 'champion' ORDER BY id",
  );
  const held = await registry.versionByAlias('team-a', 'iris', 'champion');
  assert.ok('version' in held);
  assert.equal(rows.length, 8);
  const cameFrom = new Set(rows.map(({ from_value }) => from_value));
  assert.deepEqual(
    cameFrom,
    new Set([null, ...versions.filter((version) => version !== held.version.version).map(String)]),
  );
});
