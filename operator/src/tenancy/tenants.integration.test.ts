/** What lands in the Secrets of two namespaces, tried on a real object store and a real Postgres: none of it crosses. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { ObjectStorageAccess, PostgresAccess } from '@slipway/contract';
import { connect, migrate, openStores, PublishRefusedError, publishRun, type Run } from '@slipway/database';
import { type ObjectStore, ObjectStoreError, openObjectStore } from '@slipway/object-store';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { publication, startRun } from '../../../database/testing/rows.ts';
import { startMinio, type TestMinio } from '../../../object-store/testing/minio.ts';
import { assumeWith } from './assume.ts';
import type { TenantSecret } from './ports.ts';
import { createTenants } from './tenants.ts';

const [mine, theirs] = ['team-a', 'team-b'];
let minio: TestMinio;
let postgres: TestPostgres;
let objectStorage: ObjectStorageAccess;
let main: PostgresAccess;
let pool: ReturnType<typeof connect>;
const secrets = new Map<string, TenantSecret>();
const runs = new Map<string, Run>();

before(async () => {
  [minio, postgres] = await Promise.all([startMinio(), startPostgres()]);
  objectStorage = await minio.freshBucket();
  main = await postgres.freshDatabase();
  pool = connect(main, { applicationName: 'tenants-test' });
  await migrate(pool);
  const stores = openStores(pool, { epoch: () => 1 });
  const tenants = createTenants({
    kube: {
      readNamespace: async (name) => ({ uid: `uid-${name}`, annotations: {} }),
      applySecret: async (secret) => void secrets.set(`${secret.metadata.namespace}/${secret.metadata.name}`, secret),
      deleteSecret: async () => {},
    },
    store: stores.tenants,
    objectStorage,
    postgres: main,
    assume: assumeWith(objectStorage, 900),
    settings: { mode: 'isolated', installKey: 'k'.repeat(32), stsDurationSeconds: 900, resyncMs: 600_000 },
    now: () => new Date(),
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const everything = openObjectStore(objectStorage);
  for (const namespace of [mine, theirs]) {
    await tenants.ensure(namespace);
    await everything.put(`${namespace}/data.csv`, Buffer.from(namespace), namespace.length);
    runs.set(namespace, await stores.runs.start(startRun({ namespace, ownerUid: `owner-${namespace}` })));
  }
});
after(async () => {
  await pool?.end();
  await Promise.all([minio?.stop(), postgres?.stop()]);
});

const file = (namespace: string, name: string, key: string): unknown =>
  JSON.parse(Buffer.from(secrets.get(`${namespace}/${name}`)?.data[key] ?? '', 'base64').toString());
const storeOf = (name: string): ObjectStore =>
  openObjectStore(ObjectStorageAccess.parse(file(mine, name, 'object-storage.json')));
const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'allowed',
    (error) => (error instanceof ObjectStoreError ? error.reason : String(error)),
  );

for (const [name, mayPut] of [
  ['slipway-tenant-fetch', 'Denied'],
  ['slipway-tenant-publish', 'allowed'],
] as const)
  test(`${name} reaches the namespace’s own objects only (putting is ${mayPut})`, async () => {
    const store = storeOf(name);
    assert.equal((await buffer(await store.get(`${mine}/data.csv`))).toString(), mine);
    assert.equal(await outcome(store.put(`${mine}/new-${name}`, Buffer.from('x'), 1)), mayPut);
    assert.equal(await outcome(store.list(`${mine}/`)), 'allowed');
    const crossing = await Promise.all(
      [
        store.get(`${theirs}/data.csv`),
        store.put(`${theirs}/intruder`, Buffer.from('x'), 1),
        store.put(`${mine}-evil/x`, Buffer.from('x'), 1),
        store.list(`${theirs}/`),
        store.list(''),
      ].map(outcome),
    );
    assert.deepEqual(crossing, Array(5).fill('Denied'));
  });

test('slipway-tenant-predictions writes, lists and deletes predictions of the namespace, and reads nothing', async () => {
  const store = openObjectStore(
    ObjectStorageAccess.parse(file(mine, 'slipway-tenant-predictions', 'object-storage.json')),
  );
  const key = `${mine}/predictions/iris/2026-01-01/a.jsonl`;
  assert.equal(await outcome(store.put(key, Buffer.from('x'), 1)), 'allowed');
  assert.deepEqual(await store.list(`${mine}/predictions/iris/`), [{ key, size: 1 }]);
  const beyond = await Promise.all(
    [
      store.get(key),
      store.get(`${mine}/data.csv`),
      store.put(`${mine}/intruder`, Buffer.from('x'), 1),
      store.put(`${theirs}/predictions/x`, Buffer.from('x'), 1),
      store.remove([`${mine}/data.csv`]),
      store.remove([`${theirs}/predictions/iris/a.jsonl`]),
      store.list(`${mine}/`),
      store.list(`${theirs}/predictions/`),
    ].map(outcome),
  );
  assert.deepEqual(beyond, Array(8).fill('Denied'));
  assert.equal(await outcome(store.remove([key])), 'allowed');
  assert.deepEqual(await store.list(`${mine}/predictions/`), []);
});

test('the database credentials publish the namespace’s own run and no other, and see no row', async () => {
  const access = PostgresAccess.parse(file(mine, 'slipway-tenant-publish', 'postgres.json'));
  assert.notEqual(access.username, main.username);
  const tenant = connect(access, { applicationName: 'tenant' });
  try {
    const [own, other] = [runs.get(mine) as Run, runs.get(theirs) as Run];
    await assert.rejects(publishRun(tenant, publication(other)), PublishRefusedError);
    await assert.rejects(tenant.query('SELECT * FROM slipway.runs'), { code: '42501' });
    assert.equal((await publishRun(tenant, publication(own))).version, 1);
  } finally {
    await tenant.end();
  }
});

test('the credentials of one namespace are no other’s, and none is the release’s', () => {
  const texts = [...secrets.values()].flatMap(({ data }) => Object.values(data));
  const all = texts.map((text) => Buffer.from(text, 'base64').toString()).join('\n');
  for (const secret of [objectStorage.secretKey, main.password]) assert.ok(!all.includes(secret));
  const password = (namespace: string) =>
    PostgresAccess.parse(file(namespace, 'slipway-tenant-publish', 'postgres.json')).password;
  assert.notEqual(password(mine), password(theirs));
});

test('a store that refuses to hand out credentials is an error that names both cures', async () => {
  const wrong = assumeWith({ ...objectStorage, secretKey: 'not-the-secret-key' }, 900);
  const error = await wrong(mine, 'fetch').catch((e) => e);
  assert.ok(error instanceof ObjectStoreError);
  assert.match(error.message, /AssumeRole.*operator\.tenantCredentials=shared/);
});
