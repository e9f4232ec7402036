import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { Readable as NodeReadable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { ObjectStorageAccess } from '@slipway/contract';
import { startMinio, type TestMinio } from '../testing/minio.ts';
import { startTcpProxy, type TcpProxy } from '../testing/tcp-proxy.ts';
import {
  assumeTenantRole,
  type ObjectStore,
  type ObjectStoreReason,
  openObjectStore,
  publishPolicy,
  readonlyPolicy,
} from './index.ts';

let minio: TestMinio;
let access: ObjectStorageAccess;
let store: ObjectStore;
let proxy: TcpProxy;

before(async () => {
  minio = await startMinio();
  access = await minio.freshBucket();
  store = openObjectStore(access);
  const { hostname, port } = new URL(access.endpoint);
  proxy = await startTcpProxy(hostname, Number(port));
});
after(async () => {
  await proxy?.stop();
  await minio?.stop();
});

const fails = (work: Promise<unknown>, reason: ObjectStoreReason) =>
  assert.rejects(work, (error: Error & { reason?: string }) => {
    assert.equal(error.name, 'ObjectStoreError');
    assert.equal(error.reason, reason, error.message);
    assert.ok(!error.message.includes(access.secretKey));
    return true;
  });

const text = async (body: Promise<Readable>) => (await buffer(await body)).toString();
const put = (to: ObjectStore, key: string, body: string) => to.put(key, Buffer.from(body), Buffer.byteLength(body));

test('what is put can be measured, listed in key order and got back, byte for byte', async () => {
  await put(store, 'team-a/b ü+%.txt', 'two');
  await put(store, 'team-a/a/deep/file', 'one');
  await put(store, 'team-b/other', 'x');
  assert.equal(await text(store.get('team-a/b ü+%.txt')), 'two');
  assert.deepEqual(await store.stat('team-a/a/deep/file'), { key: 'team-a/a/deep/file', size: 3 });
  assert.deepEqual(await store.list('team-a/'), [
    { key: 'team-a/a/deep/file', size: 3 },
    { key: 'team-a/b ü+%.txt', size: 3 },
  ]);
  await store.put('team-a/empty', Buffer.alloc(0), 0);
  assert.equal((await store.stat('team-a/empty'))?.size, 0);
});

test('a body larger than one part arrives whole', async () => {
  const piece = Buffer.alloc(1024 * 1024, 'slipway');
  await store.put('team-a/large', NodeReadable.from(Array.from({ length: 20 }, () => piece)), 20 * piece.length);
  const back = await buffer(await store.get('team-a/large'));
  assert.ok(back.equals(Buffer.concat(Array.from({ length: 20 }, () => piece))));
});

for (const [got, size] of [
  ['shorter', 100],
  ['longer', 2],
] as const) {
  test(`a body ${got} than announced stores nothing`, async () => {
    await assert.rejects(store.put(`team-a/${got}`, NodeReadable.from([Buffer.from('12345')]), size), /expected/);
    assert.equal(await store.stat(`team-a/${got}`), undefined);
  });
}

test('a missing object is undefined to stat and NotFound to get', async () => {
  assert.equal(await store.stat('team-a/nothing'), undefined);
  await fails(store.get('team-a/nothing'), 'NotFound');
});

test('wrong credentials are Denied, whatever is asked', async () => {
  for (const wrong of [{ secretKey: 'wrong-wrong' }, { accessKey: 'nobody' }, { sessionToken: 'forged' }]) {
    const stranger = openObjectStore({ ...access, ...wrong });
    await fails(stranger.check(), 'Denied');
    await fails(stranger.get('team-a/a/deep/file'), 'Denied');
    await fails(put(stranger, 'team-a/x', 'x'), 'Denied');
    await fails(stranger.list('team-a/'), 'Denied');
  }
});

test('a bucket that does not exist is BucketMissing, whatever is asked', async () => {
  const lost = openObjectStore({ ...access, bucket: 'slipway-test-nowhere' });
  await fails(lost.check(), 'BucketMissing');
  await fails(lost.stat('team-a/x'), 'BucketMissing');
  await fails(lost.get('team-a/x'), 'BucketMissing');
  await fails(put(lost, 'team-a/x', 'x'), 'BucketMissing');
  await fails(lost.list('team-a/'), 'BucketMissing');
  await fails(openObjectStore({ ...access, bucket: 'No_Bucket' }).check(), 'BucketMissing');
});

test('a store that accepts and says nothing is Unavailable within the time given', async () => {
  const away = openObjectStore({ ...access, endpoint: `http://${proxy.host}:${proxy.port}` }, { timeoutMs: 300 });
  proxy.swallow();
  const started = Date.now();
  await fails(away.check(), 'Unavailable');
  await fails(away.get('team-a/a/deep/file'), 'Unavailable');
  await fails(put(away, 'team-a/x', 'x'), 'Unavailable');
  await fails(assumeAt(`http://${proxy.host}:${proxy.port}`, 300), 'Unavailable');
  assert.ok(Date.now() - started < 5_000);
  proxy.open();
  await away.check();
});

test('a store that refuses connections is Unavailable, and answers again once it is back', async () => {
  const away = openObjectStore({ ...access, endpoint: `http://${proxy.host}:${proxy.port}` });
  proxy.shut();
  await fails(away.list('team-a/'), 'Unavailable');
  proxy.open();
  assert.ok((await away.list('team-a/')).length > 0);
});

test('a stream that is cut fails; it does not end', async () => {
  const away = openObjectStore({ ...access, endpoint: `http://${proxy.host}:${proxy.port}` });
  const body = await away.get('team-a/large');
  body.once('data', () => proxy.shut());
  await fails(buffer(body), 'Unavailable');
  proxy.open();
});

const assumeAt = (endpoint: string, timeoutMs: number) =>
  assumeTenantRole(
    { ...access, endpoint },
    { policy: readonlyPolicy(access.bucket, 'team-a'), durationSeconds: 900, timeoutMs },
  );

const tenantStore = async (namespace: string, policyFor: typeof readonlyPolicy) => {
  const policy = policyFor(access.bucket, namespace);
  const assumed = await assumeTenantRole(access, { policy, durationSeconds: 3600 });
  const left = assumed.expiration.getTime() - Date.now();
  assert.ok(left > 3_500_000 && left < 3_700_000, `expires in ${left} ms`);
  return openObjectStore(assumed);
};

test('a tenant that fetches reads below its own prefix and writes nowhere', async () => {
  const tenant = await tenantStore('team-a', readonlyPolicy);
  assert.equal(await text(tenant.get('team-a/a/deep/file')), 'one');
  assert.ok((await tenant.list('team-a/')).length > 0);
  assert.equal(await tenant.stat('team-a/nothing'), undefined);
  await fails(put(tenant, 'team-a/x', 'x'), 'Denied');
  await fails(tenant.get('team-b/other'), 'Denied');
  await fails(tenant.stat('team-b/other'), 'Denied');
  await fails(tenant.list('team-b/'), 'Denied');
  await fails(tenant.list(''), 'Denied');
});

test('a tenant that publishes writes below its own prefix, in parts too, and nowhere else', async () => {
  const tenant = await tenantStore('team-a', publishPolicy);
  await put(tenant, 'team-a/published', 'yes');
  const piece = Buffer.alloc(1024 * 1024);
  await tenant.put('team-a/published-large', NodeReadable.from(Array.from({ length: 17 }, () => piece)), 17 * 2 ** 20);
  assert.equal((await tenant.stat('team-a/published-large'))?.size, 17 * 2 ** 20);
  await fails(put(tenant, 'team-b/stolen', 'x'), 'Denied');
  await fails(put(tenant, 'team-a2/stolen', 'x'), 'Denied');
  await fails(tenant.get('team-b/other'), 'Denied');
  await fails(tenant.list('team-b/'), 'Denied');
});

test('whoever may not sign in may not assume a tenant role either', async () => {
  const policy = readonlyPolicy(access.bucket, 'team-a');
  await fails(assumeTenantRole({ ...access, secretKey: 'wrong-wrong' }, { policy, durationSeconds: 900 }), 'Denied');
});
