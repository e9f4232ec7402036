import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { ObjectStorageAccess } from '@slipway/contract';
import { connect, type Database } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { startMinio, type TestMinio } from '../../../object-store/testing/minio.ts';
import { startTcpProxy, type TcpProxy } from '../../../object-store/testing/tcp-proxy.ts';
import { type ServedArtifacts, serveArtifacts } from '../artifacts/testing/serve.ts';

let postgres: TestPostgres;
let minio: TestMinio;
let pool: Database;
let access: ObjectStorageAccess;
let served: ServedArtifacts;

before(async () => {
  [postgres, minio] = await Promise.all([startPostgres(), startMinio()]);
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests', max: 10 });
  access = await minio.freshBucket();
  served = await serveArtifacts(pool, access);
});
after(async () => {
  await served?.close();
  await pool?.end();
  await Promise.all([postgres?.stop(), minio?.stop()]);
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const put = (name: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${served.url}/data/${name}`, { method: 'PUT', body, headers });
const get = (name: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${served.url}/data/${name}`, { headers });
const objects = async (name: string): Promise<number> =>
  (await served.store.list('default/data/')).filter(({ key }) => key.endsWith(`/${name}`)).length;

test('a data set is stored with its digest and got by its name', async () => {
  const answer = await put('a.csv', 'x,y\n1,2\n');
  assert.equal(answer.status, 200);
  const digest = sha256('x,y\n1,2\n');
  assert.deepEqual(await answer.json(), { name: 'a.csv', sha256: digest, size: 8 });
  const got = await get('a.csv');
  assert.equal(await got.text(), 'x,y\n1,2\n');
  assert.equal(got.headers.get('etag'), `"${digest}"`);
  assert.equal(got.headers.get('x-sha256'), digest);
  assert.equal((await get('a.csv', { range: 'bytes=0-2' })).status, 206);
  assert.equal((await get('a.csv', { 'if-none-match': `"${digest}"` })).status, 304);
  const head = await fetch(`${served.url}/data/a.csv`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length'), head.headers.get('x-sha256')], [200, '8', digest]);
});

test('the newest upload is what the name means; older ones are got by their digest', async () => {
  for (const text of ['one', 'two', 'one']) await put('b.csv', text);
  assert.equal(await (await get('b.csv')).text(), 'one');
  assert.equal(await (await get(`b.csv?sha256=${sha256('two')}`)).text(), 'two');
  assert.equal((await get(`b.csv?sha256=${sha256('three')}`)).status, 404);
  assert.equal((await get('b.csv?sha256=nonsense')).status, 400);
  assert.equal(await objects('b.csv'), 3);
});

test('uploading the same bytes again adds nothing, by many at once too', async () => {
  await Promise.all(Array.from({ length: 8 }, () => put('c.csv', 'same')));
  assert.equal((await put('c.csv', 'same')).status, 200);
  assert.equal(await objects('c.csv'), 1);
});

test('a digest that does not match stores nothing', async () => {
  const answer = await put('d.csv', 'bytes', { 'x-sha256': sha256('others') });
  assert.equal(answer.status, 400);
  assert.match(((await answer.json()) as { message: string }).message, /nothing was stored/);
  assert.equal((await get('d.csv')).status, 404);
  assert.equal(await objects('d.csv'), 0);
  const long = 'x'.repeat(20 * 1024 * 1024);
  assert.equal((await put(`d.csv?sha256=${sha256('others')}`, long)).status, 400);
  assert.equal(await objects('d.csv'), 0);
  for await (const { key } of served.store.unfinishedUploads('')) assert.fail(key);
  assert.equal((await put(`d.csv?sha256=${sha256('bytes')}`, 'bytes')).status, 200);
});

test('data sets are listed by name, a page at a time', async () => {
  const at = `${served.url}/n/team-l`;
  for (const name of ['ä.csv', 'b.csv', 'a.csv'])
    await fetch(`${at}/data/${encodeURIComponent(name)}`, { method: 'PUT', body: name });
  const names: string[] = [];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const query: string = new URLSearchParams({ limit: '2', after }).toString();
    const page = (await (await fetch(`${at}/data/?${query}`)).json()) as {
      data_sets: { name: string }[];
      next?: string;
    };
    names.push(...page.data_sets.map(({ name }) => name));
    after = page.next;
  }
  assert.deepEqual(names, ['a.csv', 'b.csv', 'ä.csv']);
  const [first] = ((await (await fetch(`${at}/data/`)).json()) as { data_sets: Record<string, unknown>[] }).data_sets;
  assert.deepEqual([first?.['sha256'], first?.['size']], [sha256('a.csv'), 5]);
  assert.equal(typeof first?.['stored_time'], 'number');
  assert.equal((await fetch(`${at}/data/?limit=0`)).status, 400);
});

test('a deleted data set is gone, bytes and all', async () => {
  for (const text of ['one', 'two']) await put('e.csv', text);
  assert.equal((await fetch(`${served.url}/data/e.csv`, { method: 'DELETE' })).status, 200);
  assert.equal((await get('e.csv')).status, 404);
  assert.equal(await objects('e.csv'), 0);
  assert.equal((await fetch(`${served.url}/data/e.csv`, { method: 'DELETE' })).status, 404);
});

for (const name of ['a%2fb', 'a/b', 'a%5cb', 'a%00b', 'a%0ab', '%252e%252e', 'x'.repeat(251), '%ff', '%ED%A0%80']) {
  test(`${name.slice(0, 20)} is no name`, async () => {
    assert.equal((await put(name, 'x')).status, 400);
    assert.equal((await get(name)).status, 400);
  });
}

test('another namespace has its own', async () => {
  await put('f.csv', 'x');
  assert.equal((await fetch(`${served.url}/n/team-b/data/f.csv`)).status, 404);
});

test('Postgres gone after the bytes were stored: an error, and nothing under the name', async () => {
  const own = await postgres.freshDatabase();
  const door: TcpProxy = await startTcpProxy(own.host, own.port);
  const behind = connect({ ...own, host: door.host, port: door.port }, { applicationName: 'tests' });
  const later = await serveArtifacts(behind, access);
  try {
    await fetch(`${later.url}/data/before.csv`, { method: 'PUT', body: 'x' });
    // The last bytes are sent when Postgres is gone: the caller was let in before.
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('x'));
        door.shut();
        controller.close();
      },
    });
    const answer = await fetch(`${later.url}/data/g.csv`, { method: 'PUT', body, duplex: 'half' } as RequestInit);
    assert.equal(answer.status, 503);
    door.open();
    assert.equal((await fetch(`${later.url}/data/g.csv`)).status, 404);
    assert.equal(((await (await fetch(`${later.url}/data/`)).json()) as { data_sets: unknown[] }).data_sets.length, 1);
  } finally {
    await later.close();
    await behind.end();
    await door.stop();
  }
});
