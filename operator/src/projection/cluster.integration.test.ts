/** Rows of a real Postgres against objects of a real API server: as users of the registry and of kubectl meet them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connect, migrate, openModelRegistry, openStores, type Stores } from '@slipway/database';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { FakeStores } from '../../../test/fake-stores.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../../../test/support/kubectl.ts';
import { installOwnGroup, type OwnGroup } from '../../../test/support/own-group.ts';
import { createControllers } from '../controllers/index.ts';
import { ModelVersion } from '../controllers/model-version/api.ts';
import type { ControllerDeps } from '../controllers/ports.ts';
import { openCluster } from '../kube/cluster.ts';
import { loadKubeConfig } from '../kube/kubeconfig.ts';
import { keyOf } from '../kube/object-cache.ts';
import { tenantAccess } from '../kube/tenant.ts';
import { openTransport, type Transport } from '../kube/transport.ts';
import { noElection } from '../runtime/election.ts';
import { createManager } from '../runtime/manager.ts';
import { createProjection } from './projection.ts';

const namespace = uniqueNamespace('mirror');
const log = { debug() {}, info() {}, warn() {}, error() {} };
const stop = new AbortController();
let postgres: TestPostgres;
let pool: pg.Pool;
let stores: Stores;
let registry: ReturnType<typeof openModelRegistry>;
let plain: Transport;
let group: OwnGroup;
let running: Promise<unknown>;
let writes = 0;

/** The operator as operator.ts puts it together, without tenants' Secrets. */
function runOperator(transport: Transport): Promise<unknown> {
  const namespaces = tenantAccess(transport, () => {});
  const deps: ControllerDeps = {
    ...new FakeStores().deps,
    ...{ runs: stores.runs, versions: stores.versions, uses: stores.uses, namespaces },
  };
  const projection = createProjection({
    ...{ feed: stores.mirror, versions: stores.versions, uses: stores.uses, runs: stores.runs, namespaces, log },
    watched: [namespace],
    look: (key) => manager.queues.get(ModelVersion.kind)?.add(keyOf(key)),
  });
  const manager = createManager({
    definitions: createControllers(deps),
    openCluster: (kinds, onChange) =>
      openCluster({
        ...{ transport, kinds, log, namespaces: [namespace], instance: 'test', now: () => new Date() },
        assertLeading: () => {},
        onChange(kind, change) {
          onChange(kind, change);
          projection.onChange(kind, change);
        },
      }),
    ...{ election: noElection(), maxConcurrent: 2, log, now: () => new Date() },
    alongside: projection.run,
  });
  return manager.run(stop.signal);
}

before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'mirror-test', max: 8 });
  await migrate(pool);
  stores = openStores(pool, { epoch: () => undefined });
  registry = openModelRegistry(pool);
  plain = openTransport(loadKubeConfig(), { userAgent: 'slipway-test' });
  group = await installOwnGroup(plain, `t${randomBytes(4).toString('hex')}`);
  makeNamespace(namespace);
  const { metadata } = kubectlJson<{ metadata: { uid: string } }>('get', 'namespace', namespace);
  await stores.tenants.claim(namespace, metadata.uid);
  const { json } = group.transport;
  const counting: Transport['json'] = (request) => {
    if (request.method !== 'GET') writes += 1;
    return json(request);
  };
  running = runOperator({ ...group.transport, json: counting });
});
after(async () => {
  // The operator lets its objects go with their namespace.
  dropNamespace(namespace);
  const path = `/apis/slipway.dev/v1alpha1/namespaces/${namespace}/modelversions`;
  await soon(async () => {
    const { items } = (await group.transport.json({ method: 'GET', path })) as { items: unknown[] };
    assert.deepEqual(items, []);
  });
  stop.abort();
  await running;
  await group.remove();
  plain.close();
  await pool.end();
  await postgres.stop();
});

/** A model folder without ONNX: its object is judged without a Job. */
async function register(model: string): Promise<number> {
  await registry.createModel(namespace, { name: model, description: '', tags: {} });
  const version = {
    model,
    sourceUri: `s3://slipway/${namespace}/m`,
    clientSource: 'models:/m',
    format: 'mlflow',
    status: 'READY',
    runLink: '',
    description: '',
    tags: {},
  } as const;
  return (await registry.createVersion(namespace, version, 'mlflow'))?.version as number;
}
const change = (model: string, version: number) => ({ namespace, model, version, actor: 'mlflow' });
const mv = (name: string) => `${group.resource('modelversions')}/${name}`;
const read = (name: string) => kubectlJson<ReturnType<typeof ModelVersion.parse>>('get', mv(name), '-n', namespace);
const soon = <T>(attempt: () => T | Promise<T>) => eventually(attempt, 20_000, 100);
const patch = (name: string, spec: object) =>
  kubectl(['patch', mv(name), '-n', namespace, '--type=merge', '-p', JSON.stringify({ spec })]);
const row = (version: number, model = 'iris') => stores.versions.find(namespace, model, version);

test('what a client registers appears in the cluster within a second, and says what it is', async (t) => {
  // The first one warms up connections and caches, as in an operator that has been running.
  await register('warm-up');
  await soon(() => read('warm-up-v1'));
  const path = `/apis/slipway.dev/v1alpha1/namespaces/${namespace}/modelversions/iris-v1`;
  const began = performance.now();
  await register('iris');
  await eventually(() => group.transport.json({ method: 'GET', path }), 20_000, 10);
  const took = Math.round(performance.now() - began);
  t.diagnostic(`${took} ms from the row to the object`);
  assert.ok(took < 1_000, `it took ${took} ms`);
  await soon(() => {
    const ready = read('iris-v1').status?.conditions?.find(({ type }) => type === 'Ready');
    assert.deepEqual([ready?.status, ready?.reason], ['False', 'FormatNotServable']);
  });
});

test('kubectl edits reach the registry with the name of who made them; a client sees them', async () => {
  patch('iris-v1', { stage: 'Production', aliases: ['champion'], tags: { team: 'a' }, description: 'words' });
  await soon(async () => {
    const { stage, aliases, tags, description } = (await row(1)) ?? {};
    assert.deepEqual([stage, aliases, tags, description], ['Production', ['champion'], { team: 'a' }, 'words']);
  });
  const { rows } = await pool.query(
    `SELECT actor FROM slipway.model_events WHERE namespace = $1 AND event = 'StageChanged'`,
    [namespace],
  );
  assert.deepEqual(rows, [{ actor: 'kubernetes/kubectl-patch' }]);
});

test('what a client changes arrives on the object, over what kubectl had written there', async () => {
  await registry.setStage(change('iris', 1), { stage: 'Archived', archiveOthers: false });
  await registry.setVersionTag(change('iris', 1), { key: 'more', value: '1' });
  await registry.deleteVersionTag(change('iris', 1), 'team');
  await registry.describeVersion(change('iris', 1), undefined);
  await registry.deleteAlias(namespace, 'iris', 'champion', 'mlflow');
  await soon(() => {
    const { stage, aliases, tags, description } = read('iris-v1').spec;
    assert.deepEqual([stage, aliases, tags, description], ['Archived', undefined, { more: '1' }, undefined]);
  });
});

test('an alias moved by kubectl leaves the other object, and the other row', async () => {
  await register('iris');
  await soon(() => read('iris-v2'));
  await registry.setAlias(change('iris', 1), 'champion');
  await soon(() => assert.deepEqual(read('iris-v1').spec.aliases, ['champion']));
  patch('iris-v2', { aliases: ['champion'] });
  await soon(async () => {
    assert.deepEqual([(await row(1))?.aliases, (await row(2))?.aliases], [[], ['champion']]);
    assert.deepEqual([read('iris-v1').spec.aliases, read('iris-v2').spec.aliases], [undefined, ['champion']]);
  });
});

test('a steady state writes nothing', async () => {
  await soon(async () => {
    const before = writes;
    await registry.setVersionTag(change('iris', 2), { key: 'steady', value: String(before) });
    await soon(() => assert.equal(read('iris-v2').spec.tags?.['steady'], String(before)));
    // The patch, and the status of its generation.
    assert.ok(writes - before <= 2, `${writes - before} writes`);
  });
});

test('kubectl delete deletes the version; a version a client deletes goes from the cluster', async () => {
  // kubectl holds up this process, and with it the operator: it must not wait.
  kubectl(['delete', mv('iris-v1'), '-n', namespace, '--wait=false']);
  await soon(() => assert.throws(() => read('iris-v1'), /NotFound/));
  assert.equal((await row(1))?.status, 'DELETED');
  await registry.deleteVersion(change('iris', 2));
  await soon(() => assert.throws(() => read('iris-v2'), /NotFound/));
});

test('a version in use is deleted from neither side', async () => {
  const version = await register('served');
  await soon(() => read('served-v1'));
  const service = {
    ...{ apiVersion: 'slipway.dev/v1alpha1', kind: 'InferenceService', metadata: { namespace, name: 'shop' } },
    spec: { model: 'served', version: 1 },
  };
  const path = `/apis/slipway.dev/v1alpha1/namespaces/${namespace}/inferenceservices`;
  await group.transport.json({ method: 'POST', path, body: service });
  await soon(async () => assert.deepEqual(await stores.uses.services(namespace), ['shop']));
  assert.deepEqual(await registry.deleteVersion(change('served', version)), {
    used: [{ version, services: ['shop'] }],
  });
  kubectl(['delete', mv('served-v1'), '-n', namespace, '--wait=false']);
  await soon(() => {
    const blocked = read('served-v1').status?.conditions?.find(({ type }) => type === 'DeletionBlocked');
    assert.match(blocked?.message ?? '', /InferenceService shop/);
  });
  kubectl(['delete', `${group.resource('inferenceservices')}/shop`, '-n', namespace, '--wait=false']);
  await soon(() => assert.throws(() => read('served-v1'), /NotFound/));
  assert.equal((await row(1, 'served'))?.status, 'DELETED');
});
