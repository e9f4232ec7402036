/** What the registry asks beyond the plain store: ranges, folders, streams of any length, deleting, presigned access. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { ObjectStorageAccess } from '@slipway/contract';
import { startMinio, type TestMinio } from '../testing/minio.ts';
import { startTcpProxy, type TcpProxy } from '../testing/tcp-proxy.ts';
import { openObjectStore, type StreamingObjectStore, UploadRefusedError } from './index.ts';

const MIB = 1024 * 1024;
let minio: TestMinio;
let access: ObjectStorageAccess;
let store: StreamingObjectStore;
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

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
};
const put = (key: string, body = 'x') => store.put(key, Buffer.from(body), body.length);

test('a range is got with the size of the whole', async () => {
  await put('t/digits', '0123456789');
  const { body, size, etag } = await store.open('t/digits', { start: 2, end: 4 });
  assert.deepEqual([(await buffer(body)).toString(), size], ['234', 10]);
  const info = await store.info('t/digits');
  assert.deepEqual([info?.size, info?.etag], [10, etag]);
  assert.ok(Math.abs((info?.lastModified.getTime() ?? 0) - Date.now()) < 60_000);
  assert.equal(await store.info('t/nothing'), undefined);
});

test('a folder is listed one level deep, everything below it by walking, from where one left off', async () => {
  for (const key of ['l/b', 'l/a/1', 'l/a/2', 'l/c ü/3']) await put(key);
  const folder = await all(store.folder('l/'));
  assert.deepEqual(folder.map((entry) => ('key' in entry ? entry.key : entry.prefix)).sort(), [
    'l/a/',
    'l/b',
    'l/c ü/',
  ]);
  const keys = (await all(store.walk('l/'))).map(({ key }) => key);
  assert.deepEqual(keys, ['l/a/1', 'l/a/2', 'l/b', 'l/c ü/3']);
  assert.deepEqual(
    (await all(store.walk('l/', 'l/a/2'))).map(({ key }) => key),
    ['l/b', 'l/c ü/3'],
  );
});

test('more than a page is listed, and deleted', async () => {
  const keys = Array.from({ length: 1_005 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
  for (let i = 0; i < keys.length; i += 50) await Promise.all(keys.slice(i, i + 50).map((key) => put(key)));
  assert.deepEqual(
    (await all(store.walk('many/'))).map(({ key }) => key),
    keys,
  );
  await store.remove([...keys, 'many/not-there']);
  assert.deepEqual(await store.list('many/'), []);
  await store.remove(['many/not-there']);
  await store.remove([]);
});

test('a stream of unknown length is stored whole', async () => {
  const pieces = Array.from({ length: 19 }, (_, index) => Buffer.alloc(MIB, index));
  const { size, etag } = await store.upload('t/unknown', Readable.from(pieces), { contentType: 'text/plain' });
  assert.equal(size, 19 * MIB);
  const back = await store.open('t/unknown');
  assert.equal(back.etag, etag);
  assert.ok((await buffer(back.body)).equals(Buffer.concat(pieces)));
});

test('of many that store a new object at once one does', async () => {
  const told = await Promise.all([...'abcdefgh'].map((text) => store.putNew('n/plan', Buffer.from(text))));
  assert.equal(told.filter(Boolean).length, 1);
  const kept = (await buffer(await store.get('n/plan'))).toString();
  assert.equal(kept, 'abcdefgh'[told.indexOf(true)]);
  assert.equal(await store.putNew('n/plan', Buffer.from('z')), false);
  assert.equal((await buffer(await store.get('n/plan'))).toString(), kept);
});

test('a body that fails in the middle is told as it failed, and leaves nothing', async () => {
  async function* failing(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 20; i++) yield Buffer.alloc(MIB);
    throw new Error('the body broke');
  }
  await assert.rejects(store.upload('t/failing', failing()), /the body broke/);
  assert.equal(await store.info('t/failing'), undefined);
  assert.deepEqual(await all(store.unfinishedUploads('t/')), []);
});

test('a reader that pauses longer than the store may is not cut off', async () => {
  const patientless = openObjectStore(access, { timeoutMs: 300 });
  await store.upload('t/long', Readable.from(Array.from({ length: 24 }, () => Buffer.alloc(MIB))));
  const { body } = await patientless.open('t/long');
  let seen = 0;
  for await (const chunk of body) {
    // Longer than the connection may stand still: the pause is what this test is about.
    if (seen === 0) await new Promise((resolve) => setTimeout(resolve, 900));
    seen += chunk.length;
  }
  assert.equal(seen, 24 * MIB);
});

test('parts that were not sent complete nothing', async () => {
  const uploadId = await store.startMultipart('t/parts');
  const [pending] = await all(store.unfinishedUploads('t/'));
  assert.deepEqual([pending?.key, pending?.uploadId], ['t/parts', uploadId]);
  await assert.rejects(
    store.completeMultipart('t/parts', uploadId, [{ partNumber: 1, etag: 'x' }]),
    UploadRefusedError,
  );
  await store.abortMultipart('t/parts', uploadId);
  await store.abortMultipart('t/parts', uploadId);
  await assert.rejects(
    store.completeMultipart('t/parts', uploadId, [{ partNumber: 1, etag: 'x' }]),
    UploadRefusedError,
  );
  assert.deepEqual(await all(store.unfinishedUploads('t/')), []);
});

test('presigned URLs work at the address clients reach the store by', async () => {
  const publicEndpoint = `http://${proxy.host}:${proxy.port}`;
  const signing = openObjectStore(access, { publicEndpoint });
  await put('t/public ü+.txt', 'hello');
  const url = await signing.presignGet('t/public ü+.txt', 60, 'attachment; filename=x.txt');
  assert.ok(url.startsWith(publicEndpoint));
  const got = await fetch(url);
  assert.deepEqual([got.status, await got.text()], [200, 'hello']);
  assert.equal(got.headers.get('content-disposition'), 'attachment; filename=x.txt');
  assert.equal((await fetch(url.replace('public', 'secret'))).status, 403);
  const uploadId = await signing.startMultipart('t/direct');
  const part = await fetch(await signing.presignPart('t/direct', uploadId, 1, 60), { method: 'PUT', body: 'direct' });
  await signing.completeMultipart('t/direct', uploadId, [{ partNumber: 1, etag: part.headers.get('etag') ?? '' }]);
  assert.equal((await buffer(await store.get('t/direct'))).toString(), 'direct');
});

test('the bucket is part of the path, or of the host where a store asks for that', async () => {
  const hosted = openObjectStore({ ...access, endpoint: 'https://s3.example.com', pathStyle: false });
  assert.equal(new URL(await hosted.presignGet('k', 60)).host, `${access.bucket}.s3.example.com`);
  const pathed = openObjectStore({ ...access, endpoint: 'https://s3.example.com' });
  assert.equal(new URL(await pathed.presignGet('k', 60)).pathname, `/${access.bucket}/k`);
});
