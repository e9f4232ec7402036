/** Rows of a real Postgres, changed as a tracking client changes them, against a cluster in memory. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { connect, migrate, openModelRegistry, openStores, type Stores } from '@slipway/database';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { startRun } from '../../../database/testing/rows.ts';
import { FakeKube } from '../../../test/fake-kube.ts';
import { FakeStores } from '../../../test/fake-stores.ts';
import { eventually } from '../../../test/support/eventually.ts';
import type { KubeObject } from '../api/meta.ts';
import { InferenceService } from '../controllers/inference-service/api.ts';
import { ModelVersion, UNPROJECT_ANNOTATION } from '../controllers/model-version/api.ts';
import { modelVersionController } from '../controllers/model-version/index.ts';
import { processKey } from '../runtime/process-key.ts';
import { WorkQueue } from '../runtime/work-queue.ts';
import { createProjection } from './projection.ts';

const NAME = 'projection-test';
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let postgres: TestPostgres;
let pool: pg.Pool;
let stores: Stores;
let registry: ReturnType<typeof openModelRegistry>;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: NAME, max: 8 });
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
let kube: FakeKube;
let stop: AbortController;
let running: Promise<void>;
let looked: string[];
beforeEach(async () => {
  counter += 1;
  namespace = `team-${counter}`;
  kube = new FakeKube();
  looked = [];
  stop = new AbortController();
  await stores.tenants.claim(namespace, `uid-${counter}`);
});
afterEach(async () => {
  stop.abort();
  await running;
});

interface Over {
  readonly uidOf?: (name: string) => Promise<string | undefined>;
  readonly watched?: readonly string[];
  readonly compareEveryMs?: number;
}

/** The projection runs, and what it wants looked at is reconciled as the operator does. */
function start(over: Over = {}) {
  const definition = modelVersionController({ ...new FakeStores().deps, versions: stores.versions, uses: stores.uses });
  const ctx = { kube, log: silent, now: () => new Date(), signal: stop.signal };
  const projection = createProjection({
    feed: stores.mirror,
    ...{ versions: stores.versions, uses: stores.uses, runs: stores.runs, log: silent },
    namespaces: { uidOf: over.uidOf ?? (async (name) => `uid-${name.slice('team-'.length)}`) },
    watched: over.watched ?? [namespace],
    look(key) {
      looked.push(key.name);
      const queue = new WorkQueue();
      void processKey(definition, ctx, queue, key).finally(() => queue.close());
    },
    compareEveryMs: over.compareEveryMs ?? 60_000,
  });
  running = projection.run(ctx);
  return { projection, ctx, definition };
}

const actor = 'mlflow';
const register = async (model: string, over: object = {}) => {
  await registry.createModel(namespace, { name: model, description: '', tags: {} });
  const made = await registry.createVersion(
    namespace,
    {
      model,
      sourceUri: `s3://slipway/${namespace}/0/models/m/artifacts`,
      clientSource: 'models:/m',
      ...{ format: 'onnx', status: 'READY', runLink: '', description: '', tags: {} },
      ...over,
    } as Parameters<typeof registry.createVersion>[1],
    actor,
  );
  return made?.version as number;
};
const change = (model: string, version: number) => ({ namespace, model, version, actor });
const object = (name: string) => kube.get(ModelVersion, { namespace, name });
const soon = <T>(attempt: () => T | Promise<T>, ms = 5_000) => eventually(attempt, ms, 5);
const appears = (name: string) =>
  soon(() => {
    const found = object(name);
    assert.ok(found, `${name} is not there`);
    return found;
  });
const listening = () =>
  soon(async () => {
    const { rows } = await pool.query(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()
         AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')`,
      [NAME],
    );
    assert.ok(rows.length > 0, 'nobody listens');
    return rows.map(({ pid }) => pid as number);
  });

test('a registered version is an object within a second', async () => {
  start();
  await listening();
  const began = performance.now();
  await register('iris', { tags: { a: '1' }, description: 'first' });
  const { spec } = await appears('iris-v1');
  const took = performance.now() - began;
  assert.ok(took < 1_000, `it took ${Math.round(took)} ms`);
  assert.deepEqual([spec.model, spec.version, spec.tags, spec.description], ['iris', 1, { a: '1' }, 'first']);
});

test('what was registered while nobody listened is found at the start', async () => {
  await register('iris');
  start();
  await appears('iris-v1');
});

test('a stage, an alias, a tag and a description set by a client arrive on the object, and a moved alias leaves the other', async () => {
  start();
  await listening();
  for (const _ of [1, 2]) await register('iris');
  await appears('iris-v2');
  await registry.setAlias(change('iris', 1), 'champion');
  await soon(() => assert.deepEqual(object('iris-v1')?.spec.aliases, ['champion']));
  await registry.setAlias(change('iris', 2), 'champion');
  await registry.setStage(change('iris', 2), { stage: 'Production', archiveOthers: false });
  await registry.setVersionTag(change('iris', 2), { key: 'k', value: 'v' });
  await registry.describeVersion(change('iris', 2), 'words');
  await soon(() => {
    assert.deepEqual(object('iris-v1')?.spec.aliases, undefined);
    const { stage, aliases, tags, description } = object('iris-v2')?.spec ?? {};
    assert.deepEqual([stage, aliases, tags, description], ['Production', ['champion'], { k: 'v' }, 'words']);
  });
});

test('a connection that is killed is made again, and what was missed meanwhile is found', async () => {
  start();
  await listening();
  await register('iris');
  await appears('iris-v1');
  const pids = await listening();
  await pool.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [pids]);
  await register('iris');
  await registry.setStage(change('iris', 1), { stage: 'Staging', archiveOthers: false });
  await appears('iris-v2');
  await soon(() => assert.equal(object('iris-v1')?.spec.stage, 'Staging'));
  // And notifications are heard again.
  await listening();
  await register('iris');
  await appears('iris-v3');
});

test('a version that is deleted in the registry takes its object with it; a renamed model has its objects under the new name', async () => {
  start();
  await listening();
  for (const _ of [1, 2]) await register('iris');
  await appears('iris-v2');
  await registry.deleteVersion(change('iris', 1));
  await soon(() => assert.equal(object('iris-v1'), undefined));
  await registry.renameModel(namespace, { from: 'iris', to: 'flowers' }, actor);
  await appears('flowers-v2');
});

test('of many versions the newest fifty are objects, and older ones while they are staged, aliased or used', async () => {
  await register('iris');
  await pool.query(
    `SELECT slipway.create_version($1, jsonb_build_object('model', 'iris', 'status', 'READY', 'format', 'onnx', 'runLink', '',
       'sourceUri', 's3://slipway/x/y', 'tags', '{}'::jsonb), 'test') FROM generate_series(1, 79)`,
    [namespace],
  );
  await registry.setStage(change('iris', 3), { stage: 'Production', archiveOthers: false });
  await registry.setAlias(change('iris', 4), 'old');
  await stores.uses.hold({ namespace, service: 'shop' }, 'iris', [5]);
  kube.put({
    ...{ apiVersion: InferenceService.apiVersion, kind: 'InferenceService', metadata: { namespace, name: 'shop' } },
    spec: { model: 'iris', version: 5 },
  } as KubeObject);
  start({ compareEveryMs: 100 });
  await listening();
  const there = () => kube.list(ModelVersion, { namespace }).map(({ spec }) => spec.version);
  const newest = Array.from({ length: 50 }, (_, i) => 31 + i);
  await soon(
    () =>
      assert.deepEqual(
        there().sort((a, b) => (a ?? 0) - (b ?? 0)),
        [3, 4, 5, ...newest],
      ),
    20_000,
  );
  // Not staged any more: the object goes, the version stays.
  await registry.setStage(change('iris', 3), { stage: 'None', archiveOthers: false });
  await soon(() => assert.equal(object('iris-v3'), undefined), 20_000);
  assert.equal((await stores.versions.find(namespace, 'iris', 3))?.status, 'READY');
  // A use of a version that has no object brings it.
  await stores.uses.hold({ namespace, service: 'shop' }, 'iris', [5, 9]);
  await appears('iris-v9');
});

test('an object that is taken away and wanted again meanwhile stays', async () => {
  await register('iris');
  start({ compareEveryMs: 50 });
  await appears('iris-v1');
  await kube.patch(object('iris-v1') as ModelVersion, {
    metadata: { annotations: { [UNPROJECT_ANNOTATION]: 'true' } },
  });
  await soon(() => assert.equal(object('iris-v1')?.metadata.annotations?.[UNPROJECT_ANNOTATION], undefined));
});

test('prompts, namespaces that are not watched, gone, or another than the data belongs to, have no objects', async () => {
  await registry.createModel(namespace, {
    name: 'prompt',
    description: '',
    tags: { 'mlflow.prompt.is_prompt': 'true' },
  });
  await register('prompt');
  await register('iris');
  const elsewhere = `${namespace}-else`;
  await stores.tenants.claim(elsewhere, 'uid-of-an-earlier-one');
  await registry.createModel(elsewhere, { name: 'iris', description: '', tags: {} });
  await pool.query(
    `SELECT slipway.create_version($1, '{"model":"iris","status":"READY","format":"onnx","runLink":"","sourceUri":"s3://x/y","tags":{}}', 'x')`,
    [elsewhere],
  );
  const { rows } = await pool.query('SELECT count(*)::int AS n FROM slipway.model_versions WHERE namespace = $1', [
    elsewhere,
  ]);
  assert.equal(rows[0].n, 1);
  start({ watched: [namespace, elsewhere] });
  await appears('iris-v1');
  await listening();
  await registry.setAlias(change('prompt', 1), 'x');
  await registry.setAlias(change('iris', 1), 'x');
  await soon(() => assert.deepEqual(object('iris-v1')?.spec.aliases, ['x']));
  assert.deepEqual(
    kube.list(ModelVersion).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    [`${namespace}/iris-v1`],
  );
});

test('a row that somebody brought as an object is mirrored by that object alone', async () => {
  const brought = {
    apiVersion: ModelVersion.apiVersion,
    kind: 'ModelVersion',
    metadata: { namespace, name: 'mine', uid: 'u-mine' },
  };
  kube.put({ ...brought, spec: { model: 'iris', source: { uri: `s3://slipway/${namespace}/m` } } } as KubeObject);
  start();
  await listening();
  const creationTime = '2026-01-01T00:00:00Z';
  const sourceUri = `s3://slipway/${namespace}/m`;
  await stores.versions.registerBrought({ namespace, model: 'iris', sourceUri, objectUid: 'u-mine', creationTime });
  await soon(() => assert.ok(looked.includes('mine')));
  assert.equal(object('iris-v1'), undefined);
});

test('an edit of the object reaches the row and its history with the name of who made it', async () => {
  const { ctx, definition } = start();
  await listening();
  await register('iris');
  await register('iris');
  await registry.setAlias(change('iris', 1), 'champion');
  await appears('iris-v2');
  await soon(() => assert.deepEqual(object('iris-v1')?.spec.aliases, ['champion']));
  await kube.patch(object('iris-v2') as ModelVersion, {
    spec: { stage: 'Production', aliases: ['champion'], tags: { a: 'b' } },
  });
  const queue = new WorkQueue();
  await processKey(definition, ctx, queue, { namespace, name: 'iris-v2' });
  queue.close();
  const row = await stores.versions.find(namespace, 'iris', 2);
  assert.deepEqual([row?.stage, row?.aliases, row?.tags], ['Production', ['champion'], { a: 'b' }]);
  // Taken from the other version, in both.
  await soon(() => assert.equal(object('iris-v1')?.spec.aliases, undefined));
  const { rows } = await pool.query(
    `SELECT event, from_value, to_value FROM slipway.model_events WHERE namespace = $1 AND actor = 'kubernetes/kubectl-edit' ORDER BY id`,
    [namespace],
  );
  assert.deepEqual(rows, [
    { event: 'StageChanged', from_value: 'None', to_value: 'Production' },
    { event: 'AliasSet', from_value: '1', to_value: 'champion' },
  ]);
});

test('a run whose TrainingJob is gone is closed, and what a service that is gone used is free', async () => {
  await register('iris');
  const run = await stores.runs.start(startRun({ namespace, ownerUid: `owner-${counter}`, trainingJob: 'gone' }));
  await stores.uses.hold({ namespace, service: 'gone' }, 'iris', [1]);
  start({ compareEveryMs: 100 });
  await soon(async () => {
    const closed = await stores.runs.find(namespace, run.runKey);
    assert.deepEqual([closed?.status, closed?.failure?.reason], ['KILLED', 'Deleted']);
    assert.deepEqual(await stores.uses.services(namespace), []);
  });
});

test('a service that is deleted lets go of its version at once', async () => {
  await register('iris');
  await stores.uses.hold({ namespace, service: 'shop' }, 'iris', [1]);
  const service = {
    ...{ apiVersion: InferenceService.apiVersion, kind: 'InferenceService', metadata: { namespace, name: 'shop' } },
    spec: { model: 'iris' },
  } as KubeObject;
  kube.put(service);
  const { projection } = start();
  await listening();
  const used = await registry.deleteVersion(change('iris', 1));
  assert.deepEqual(used, { used: [{ version: 1, services: ['shop'] }] });
  projection.onChange(InferenceService as never, { before: service, after: undefined });
  await soon(async () => assert.deepEqual(await stores.uses.services(namespace), []));
  assert.deepEqual(await registry.deleteVersion(change('iris', 1)), { done: true });
});

test('of a rollout and a deletion at the same moment one wins', async () => {
  running = Promise.resolve();
  await register('iris');
  for (let i = 1; i <= 20; i++) {
    const version = i === 1 ? 1 : await register('iris');
    const service = { namespace, service: `s${i}` };
    const [held, deletion] = await Promise.all([
      stores.uses.hold(service, 'iris', [version]),
      registry.deleteVersion(change('iris', version)),
    ]);
    const deleted = 'done' in deletion;
    assert.deepEqual(held, deleted ? [] : [version], `try ${i}`);
  }
});
