/** What only the operator asks of the database: edits, uses, adoption, runs left open. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { publication, startRun } from '../testing/rows.ts';
import {
  connect,
  migrate,
  NothingToAdoptError,
  openModelRegistry,
  openStores,
  publishRun,
  type Stores,
} from './index.ts';

let postgres: TestPostgres;
let pool: pg.Pool;
let stores: Stores;
let registry: ReturnType<typeof openModelRegistry>;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'operator-stores-test', max: 16 });
  await migrate(pool);
  stores = openStores(pool, { epoch: () => undefined });
  registry = openModelRegistry(pool);
});
after(async () => {
  await pool.end();
  await postgres.stop();
});

let counter = 0;
let namespace: string;
beforeEach(async () => {
  namespace = `team-${++counter}`;
  await stores.tenants.claim(namespace, `uid-of-${namespace}`);
});

const register = async (over: { runId?: string; model?: string } = {}): Promise<number> => {
  const { model = 'iris', runId } = over;
  await registry.createModel(namespace, { name: model, description: '', tags: {} });
  const made = await registry.createVersion(
    namespace,
    {
      ...{ model, sourceUri: `s3://slipway/${namespace}/m`, clientSource: 'models:/m', format: 'onnx', runId },
      ...{ status: 'PENDING_REGISTRATION', runLink: '', description: '', tags: {} },
    },
    'mlflow',
  );
  return made?.version as number;
};
const ref = (version: number, model = 'iris') => ({ namespace, model, version });
const started = (over: object = {}) =>
  stores.runs.start(startRun({ namespace, ownerUid: `owner-${counter}`, ...over }));
const events = async () =>
  (
    await pool.query(
      `SELECT version, event, from_value AS "from", to_value AS "to", actor FROM slipway.model_events
         WHERE namespace = $1 AND event <> 'Registered' ORDER BY id`,
      [namespace],
    )
  ).rows;

test('an edit changes the four fields in one transaction, each with its event', async () => {
  const version = await register();
  const row = await stores.versions.edit(ref(version), 'kubernetes/kubectl-edit', (before) => {
    assert.deepEqual([before.stage, before.aliases, before.tags, before.description], ['None', [], {}, '']);
    return {
      stage: 'Staging',
      aliases: { set: ['b', 'a'], delete: [] },
      tags: { set: { k: 'v' }, delete: [] },
      description: 'words',
    };
  });
  assert.deepEqual(
    [row?.stage, row?.aliases, row?.tags, row?.description],
    ['Staging', ['a', 'b'], { k: 'v' }, 'words'],
  );
  const actor = 'kubernetes/kubectl-edit';
  assert.deepEqual(await events(), [
    { version, event: 'StageChanged', from: 'None', to: 'Staging', actor },
    { version, event: 'AliasSet', from: null, to: 'a', actor },
    { version, event: 'AliasSet', from: null, to: 'b', actor },
  ]);
  const undone = await stores.versions.edit(ref(version), actor, () => ({
    aliases: { set: [], delete: ['a'] },
    tags: { set: {}, delete: ['k'] },
    description: '',
  }));
  assert.deepEqual([undone?.aliases, undone?.tags, undone?.description], [['b'], {}, '']);
});

test('an alias set on one version is taken from the other', async () => {
  const [one, two] = [await register(), await register()];
  const give = (version: number) =>
    stores.versions.edit(ref(version), 'a', () => ({ aliases: { set: ['champion'], delete: [] } }));
  await give(one);
  await give(two);
  assert.deepEqual((await stores.versions.find(namespace, 'iris', one))?.aliases, []);
  assert.deepEqual(await stores.versions.aliasHolders(namespace, 'iris', ['champion', 'none']), { champion: two });
});

test('an edit that cannot be decided changes nothing, and a deleted version is edited no more', async () => {
  const version = await register();
  const fails = stores.versions.edit(ref(version), 'a', () => {
    throw new Error('undecided');
  });
  await assert.rejects(fails, /undecided/);
  await stores.versions.delete(ref(version), { actor: 'a', services: [] });
  assert.equal(await stores.versions.edit(ref(version), 'a', () => ({ stage: 'Staging' })), undefined);
});

test('two who edit at the same time see each other: none is lost', async () => {
  const version = await register();
  await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      stores.versions.edit(ref(version), 'a', (row) => ({
        tags: { set: { [`t${i}`]: String(Object.keys(row.tags).length) }, delete: [] },
      })),
    ),
  );
  const row = await stores.versions.find(namespace, 'iris', version);
  assert.deepEqual(Object.values(row?.tags ?? {}).sort(), ['0', '1', '2', '3', '4', '5', '6', '7']);
});

test('a service holds what exists and nothing else; what it does not name is let go', async () => {
  const versions = [await register(), await register(), await register()];
  const service = { namespace, service: 'shop' };
  assert.deepEqual(await stores.uses.hold(service, 'iris', [versions[0] as number, 99]), [versions[0]]);
  assert.deepEqual(await stores.uses.hold(service, 'iris', versions.slice(1)), versions.slice(1));
  const { rows } = await pool.query('SELECT version FROM slipway.version_uses WHERE namespace = $1 ORDER BY version', [
    namespace,
  ]);
  assert.deepEqual(
    rows.map(({ version }) => version),
    versions.slice(1),
  );
  await stores.uses.release(service);
  assert.deepEqual(await stores.uses.services(namespace), []);
});

test('a steady service writes nothing: not even the leader epoch is asked', async () => {
  const version = await register();
  const service = { namespace, service: 'shop' };
  await stores.uses.hold(service, 'iris', [version]);
  const strict = openStores(pool, {
    epoch: () => {
      throw new Error('a write');
    },
  });
  assert.deepEqual(await strict.uses.hold(service, 'iris', [version, 99]), [version]);
});

test('a version in use is not deleted, whoever asks; a use by a service that is gone does not count', async () => {
  const version = await register();
  await stores.uses.hold({ namespace, service: 'shop' }, 'iris', [version]);
  const asked = (services: string[]) => stores.versions.delete(ref(version), { actor: 'a', services });
  assert.deepEqual(await asked(['shop', 'other']), ['shop']);
  assert.equal((await stores.versions.find(namespace, 'iris', version))?.status, 'PENDING_REGISTRATION');
  assert.deepEqual(await asked(['other']), []);
  assert.equal((await stores.versions.find(namespace, 'iris', version))?.status, 'DELETED');
});

test('the one version a script registered under its run belongs to the run', async () => {
  const run = await started();
  const { runId } = run;
  await register({ model: 'other', runId });
  const version = await register({ runId });
  const { model: _, ...request } = publication(run);
  assert.deepEqual(await publishRun(pool, { ...request, adopt: 'iris' }), { version, alreadyPublished: false });
  assert.deepEqual(await publishRun(pool, { ...request, adopt: 'iris' }), { version, alreadyPublished: true });
  const after = await stores.runs.find(namespace, run.runKey);
  assert.deepEqual([after?.status, after?.model, after?.version], ['FINISHED', 'iris', version]);
  const row = await stores.versions.find(namespace, 'iris', version);
  assert.deepEqual(row?.lineage, { trainingJob: 'iris', runKey: run.runKey });
});

for (const [name, count] of [
  ['none', 0],
  ['two', 2],
] as const) {
  test(`with ${name} registered under the run there is nothing to adopt, and the run stays open`, async () => {
    const run = await started();
    await register();
    for (let i = 0; i < count; i++) await register({ runId: run.runId });
    const { model: _, ...request } = publication(run);
    await assert.rejects(publishRun(pool, { ...request, adopt: 'iris' }), NothingToAdoptError);
    assert.equal((await stores.runs.find(namespace, run.runKey))?.status, 'RUNNING');
  });
}

test('with a run that failed the runs end that a script began inside it, and no others', async () => {
  const run = await started();
  const begin = (runId: string) =>
    pool.query(
      `INSERT INTO slipway.runs (namespace, run_id, experiment_id, status, start_time) VALUES ($1, $2, 0, 'RUNNING', now())`,
      [namespace, runId],
    );
  const [own, foreign] = ['a'.repeat(32), 'b'.repeat(32)];
  await begin(own);
  await begin(foreign);
  await pool.query(
    `INSERT INTO slipway.tags (namespace, run_id, key, value) VALUES ($1, $2, 'mlflow.parentRunId', $3)`,
    [namespace, own, run.runId],
  );
  const failure = { status: 'FAILED', reason: 'r', message: 'm', endTime: '2026-01-01T00:00:30.000Z' } as const;
  await stores.runs.fail(namespace, run.runKey, failure);
  const { rows } = await pool.query(
    'SELECT run_id, status FROM slipway.runs WHERE namespace = $1 AND run_key IS NULL ORDER BY run_id',
    [namespace],
  );
  assert.deepEqual(rows, [
    { run_id: own, status: 'FAILED' },
    { run_id: foreign, status: 'RUNNING' },
  ]);
});

const derivedModel = (digit: string) => ({
  artifact: {
    uri: `s3://slipway/${namespace}/derived/iris/1/${digit.repeat(64)}`,
    files: [{ path: 'model.onnx', sha256: digit.repeat(64), size: 10 }],
    digest: digit.repeat(64),
  },
  conversion: {
    from: { uri: `s3://slipway/${namespace}/m` },
    ...{
      image: 'slipway/converter:1',
      flavor: 'sklearn',
      format: 'pickle',
      estimator: 'SVC',
      libraries: {},
      opset: 17,
    },
    parity: { rows: 1000, tolerance: 1e-4, worst: null, labelsEqual: true },
    seconds: 2,
  },
  message: 'converted',
});

test('what a version was converted to is recorded once, beside the source, which stays; a deleted version has none', async () => {
  const version = await register();
  const first = await stores.versions.recordConversion(namespace, 'iris', version, derivedModel('a'));
  assert.deepEqual(first, derivedModel('a'));
  assert.deepEqual(await stores.versions.recordConversion(namespace, 'iris', version, derivedModel('b')), first);
  const row = await stores.versions.find(namespace, 'iris', version);
  assert.deepEqual([row?.derived, row?.sourceUri, row?.artifact], [first, `s3://slipway/${namespace}/m`, undefined]);
  assert.deepEqual(
    (await events()).map(({ event, to }) => [event, to]),
    [['Converted', first?.artifact.uri]],
  );
  await stores.versions.delete(ref(version), { actor: 'test', services: [] });
  assert.equal(await stores.versions.recordConversion(namespace, 'iris', version, derivedModel('a')), undefined);
  assert.equal(await stores.versions.recordConversion(namespace, 'iris', 99, derivedModel('a')), undefined);
});

test('a version that is brought as a Python model waits for nobody', async () => {
  const row = await stores.versions.registerBrought({
    ...{ namespace, model: 'svc', sourceUri: `s3://slipway/${namespace}/svc`, format: 'mlflow', objectUid: 'u-svc' },
    creationTime: '2026-01-01T00:00:00Z',
  });
  assert.deepEqual([row.version, row.format, row.status], [1, 'mlflow', 'READY']);
});
