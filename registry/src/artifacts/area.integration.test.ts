import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import type { ObjectStorageAccess } from '@slipway/contract';
import { connect, type Database, openArtifactRows } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { startMinio, type TestMinio } from '../../../object-store/testing/minio.ts';
import { startTcpProxy, type TcpProxy } from '../../../object-store/testing/tcp-proxy.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { storedArtifacts } from './stored-artifacts.ts';
import { type ServedArtifacts, serveArtifacts } from './testing/serve.ts';

const RUN = '0/0123456789abcdef0123456789abcdef/artifacts';
const PROXY = '/api/2.0/mlflow-artifacts';

let postgres: TestPostgres;
let minio: TestMinio;
let pool: Database;
let access: ObjectStorageAccess;
let proxy: TcpProxy;
let served: ServedArtifacts;
/** The same bucket behind a door that tests shut. */
let behind: ServedArtifacts;

before(async () => {
  [postgres, minio] = await Promise.all([startPostgres(), startMinio()]);
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests', max: 10 });
  access = await minio.freshBucket();
  const { hostname, port } = new URL(access.endpoint);
  proxy = await startTcpProxy(hostname, Number(port));
  served = await serveArtifacts(pool, access);
  const endpoint = `http://${proxy.host}:${proxy.port}`;
  const patience = { idleMs: 300, bytesPerSecond: 1 };
  behind = await serveArtifacts(pool, { ...access, endpoint }, { timeoutMs: 500, patience });
});
after(async () => {
  await served?.close();
  await behind?.close();
  await proxy?.stop();
  await pool?.end();
  await Promise.all([postgres?.stop(), minio?.stop()]);
});

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

interface Sent {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Buffer | string;
}

/** Sends the path as it is: no client tidies it on the way. */
function send(to: ServedArtifacts, path: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Answer> {
  const { hostname, port } = new URL(to.url);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

const at = (path: string): string => `${PROXY}/artifacts/${path}`;
const put = (path: string, body: Buffer | string, to = served): Promise<Answer> =>
  send(to, at(path), { method: 'PUT', body, headers: { 'content-length': Buffer.byteLength(body) } });
const listed = async (path: string) => JSON.parse((await send(served, `${PROXY}/artifacts?path=${path}`)).text);
const errorOf = ({ status, text }: Answer) => ({
  status,
  ...(JSON.parse(text) as { error_code: string; message: string }),
});
const unfinished = async (): Promise<string[]> => {
  const found = [];
  for await (const { key } of served.store.unfinishedUploads('')) found.push(key);
  return found;
};
const sha256 = (body: Buffer | string) => createHash('sha256').update(body).digest('hex');

test('what is put is listed, got and deleted', async () => {
  const stored = await put(`${RUN}/dir/a.txt`, 'hello\n');
  assert.deepEqual([stored.status, stored.text], [200, '']);
  await put(`${RUN}/empty.txt`, '');
  assert.deepEqual(await listed(RUN), {
    files: [
      { path: 'dir', is_dir: true },
      { path: 'empty.txt', is_dir: false },
    ],
  });
  assert.deepEqual(await listed(`${RUN}/dir/`), { files: [{ path: 'a.txt', is_dir: false, file_size: 6 }] });
  assert.deepEqual(await listed(`${RUN}/dir/a.txt`), {});
  assert.deepEqual(await listed(''), { files: [{ path: '0', is_dir: true }] });
  const got = await send(served, at(`${RUN}/dir/a.txt`));
  assert.deepEqual([got.status, got.text], [200, 'hello\n']);
  assert.equal(got.headers['content-type'], 'text/plain');
  assert.equal(got.headers['content-disposition'], 'attachment; filename=a.txt');
  assert.equal(got.headers['x-content-type-options'], 'nosniff');
  assert.equal(got.headers['accept-ranges'], 'bytes');
  assert.deepEqual((await send(served, at(`${RUN}/dir`), { method: 'DELETE' })).text, '{}');
  assert.deepEqual(await listed(`${RUN}/dir`), {});
  assert.equal((await send(served, at(`${RUN}/nope`), { method: 'DELETE' })).status, 200);
});

test('a missing file is a JSON 404, a folder a 400', async () => {
  await put(`${RUN}/folder/x`, 'x');
  assert.deepEqual(errorOf(await send(served, at(`${RUN}/nope`))), {
    status: 404,
    error_code: 'RESOURCE_DOES_NOT_EXIST',
    message: `No such artifact: '${RUN}/nope'`,
  });
  const folder = errorOf(await send(served, at(`${RUN}/folder`)));
  assert.deepEqual([folder.status, folder.error_code], [400, 'INVALID_PARAMETER_VALUE']);
  assert.equal((await send(served, at(`${RUN}/nope`), { headers: { range: 'bytes=0-1' } })).status, 404);
});

test('ranges, conditions and HEAD', async () => {
  const path = `${RUN}/digits.bin`;
  await put(path, '0123456789');
  const whole = await send(served, at(path));
  const etag = String(whole.headers.etag);
  const range = async (value: string, more = {}) => send(served, at(path), { headers: { range: value, ...more } });
  const part = await range('bytes=2-4');
  assert.deepEqual([part.status, part.text, part.headers['content-range']], [206, '234', 'bytes 2-4/10']);
  assert.deepEqual((await range('bytes=-3')).text, '789');
  assert.deepEqual((await range('bytes=0-0')).text, '0');
  const beyond = await range('bytes=10-');
  assert.deepEqual([beyond.status, beyond.headers['content-range'], beyond.text], [416, 'bytes */10', '']);
  assert.deepEqual((await range('bytes=0-1', { 'if-range': '"other"' })).text, '0123456789');
  assert.deepEqual((await range('bytes=0-1', { 'if-range': etag })).text, '01');
  assert.equal((await send(served, at(path), { headers: { 'if-none-match': etag } })).status, 304);
  assert.equal((await send(served, at(path), { headers: { 'if-none-match': '"other"' } })).text, '0123456789');
  const head = await send(served, at(path), { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers['content-length'], head.headers.etag], [200, '10', etag]);
});

test('names in any script come back as they were', async () => {
  for (const name of ['größe 日本 (1).txt', '100%.txt', "it's+&=;,@.txt"]) {
    await put(`${RUN}/names/${encodeURIComponent(name)}`, name);
    assert.equal((await send(served, at(`${RUN}/names/${encodeURIComponent(name)}`))).text, name);
    const { files } = await listed(encodeURIComponent(`${RUN}/names`));
    assert.ok(files.some((file: { path: string }) => file.path === name));
  }
});

for (const path of [
  '1/%2e%2e/x',
  '1/%252e%252e/x',
  '1/../../x',
  'data/a/b',
  'predictions/x',
  '1//x',
  '1/x%00',
  '1/..%5cx',
]) {
  test(`${path} is refused, whatever is asked`, async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD'])
      assert.equal((await send(served, at(path), { method, headers: { 'content-length': 0 } })).status, 400, method);
    assert.equal((await send(served, `${PROXY}/artifacts?path=${path}`)).status, 400);
  });
}

test('one namespace does not see another', async () => {
  await put(`${RUN}/secret`, 'x');
  assert.equal((await send(served, `/n/team-b${at(`${RUN}/secret`)}`)).status, 404);
  assert.equal((await send(served, `/n/team-b${PROXY}/artifacts?path=${RUN}`)).text, '{}');
});

test('digests are counted on the way, and forgotten when they are no longer true', async () => {
  const artifacts = storedArtifacts({ store: served.store, rows: openArtifactRows(pool), presigned: false });
  const body = Buffer.alloc(20 * 1024 * 1024, 'slipway');
  assert.equal((await put(`${RUN}/model/large.bin`, body)).status, 200);
  await put(`${RUN}/model/MLmodel`, 'flavors:\n');
  assert.deepEqual(await artifacts.files('default', `${RUN}/model`), [
    { path: 'MLmodel', size: 9, sha256: sha256('flavors:\n') },
    { path: 'large.bin', size: body.length, sha256: sha256(body) },
  ]);
  assert.deepEqual(await artifacts.files('default', `${RUN}/model/MLmodel`), [
    { path: '', size: 9, sha256: sha256('flavors:\n') },
  ]);
  assert.equal((await artifacts.readSmall('default', `${RUN}/model/MLmodel`, 100))?.toString(), 'flavors:\n');
  assert.equal(await artifacts.readSmall('default', `${RUN}/model/large.bin`, 100), undefined);
  assert.equal(await artifacts.readSmall('default', `${RUN}/model/nothing`, 100), undefined);
  await served.store.put(`default/${RUN}/model/MLmodel`, Buffer.from('flavours\n'), 9);
  assert.deepEqual((await artifacts.files('default', `${RUN}/model/MLmodel`))[0], { path: '', size: 9 });
});

test('a body of unknown length arrives whole', async () => {
  const piece = Buffer.alloc(1024 * 1024, 'x');
  const { hostname, port } = new URL(served.url);
  const status = await new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path: at(`${RUN}/chunked.bin`), method: 'PUT' }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    for (let i = 0; i < 18; i++) request.write(piece);
    request.end();
  });
  assert.equal(status, 200);
  assert.equal((await served.store.stat(`default/${RUN}/chunked.bin`))?.size, 18 * piece.length);
  assert.deepEqual(await unfinished(), []);
});

/** Begins an upload and leaves it, one part sent and more announced. */
function begin(to: ServedArtifacts, path: string, bytes: number): http.ClientRequest {
  const { hostname, port } = new URL(to.url);
  const headers = { 'content-length': 64 * 1024 * 1024 };
  const request = http.request({ hostname, port, path: at(path), method: 'PUT', headers, agent: false });
  request.on('error', () => {});
  request.write(Buffer.alloc(bytes));
  return request;
}
const answerTo = (request: http.ClientRequest): Promise<Answer> =>
  new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
  });

test('an upload that is broken off leaves nothing', async () => {
  const request = begin(served, `${RUN}/broken.bin`, 20 * 1024 * 1024);
  await eventually(async () => assert.deepEqual(await unfinished(), [`default/${RUN}/broken.bin`]));
  request.destroy();
  await eventually(async () => assert.deepEqual(await unfinished(), []));
  assert.equal(await served.store.stat(`default/${RUN}/broken.bin`), undefined);
});

test('an upload that stands still is given up', async () => {
  const request = begin(behind, `${RUN}/idle.bin`, 20 * 1024 * 1024);
  const answer = errorOf(await answerTo(request));
  assert.equal(answer.status, 408);
  assert.match(answer.message, /send it again/);
  request.destroy();
  await eventually(async () => assert.deepEqual(await unfinished(), []));
});

test('a store that fails in mid-upload is a 503, and nothing becomes visible', async () => {
  const request = begin(behind, `${RUN}/failed.bin`, 20 * 1024 * 1024);
  const answered = answerTo(request);
  await eventually(async () => assert.deepEqual(await unfinished(), [`default/${RUN}/failed.bin`]));
  proxy.shut();
  request.end(Buffer.alloc(44 * 1024 * 1024));
  const answer = errorOf(await answered);
  assert.deepEqual([answer.status, answer.error_code], [503, 'TEMPORARILY_UNAVAILABLE']);
  proxy.open();
  assert.equal(await served.store.stat(`default/${RUN}/failed.bin`), undefined);
  for await (const { key, uploadId } of served.store.unfinishedUploads(''))
    await served.store.abortMultipart(key, uploadId);
});

test('a store that says nothing is a 503, not a hang', async () => {
  await put(`${RUN}/there.txt`, 'x');
  proxy.swallow();
  for (const [path, sent] of [
    [at(`${RUN}/there.txt`), {}],
    [at(`${RUN}/new.txt`), { method: 'PUT', body: 'x' }],
    [at(`${RUN}/there.txt`), { method: 'DELETE' }],
    [`${PROXY}/artifacts?path=${RUN}`, {}],
  ] as const)
    assert.equal(errorOf(await send(behind, path, sent)).status, 503, path);
  proxy.open();
  assert.equal((await send(behind, at(`${RUN}/there.txt`))).status, 200);
});

test('a download whose store fails in mid-stream breaks off: it never looks complete', async () => {
  await served.store.put(`default/${RUN}/cut.bin`, Buffer.alloc(30 * 1024 * 1024), 30 * 1024 * 1024);
  const { hostname, port } = new URL(behind.url);
  await assert.rejects(
    new Promise((resolve, reject) => {
      http
        .get({ hostname, port, path: at(`${RUN}/cut.bin`), agent: false }, (response) => {
          response.once('data', () => proxy.shut());
          response.on('error', reject).on('end', resolve);
        })
        .on('error', reject);
    }),
  );
  proxy.open();
});
