/** The registry as a process: Postgres comes late, SIGTERM comes at any time. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { PostgresAccess } from '@slipway/contract';
import { startPostgres, type TestPostgres } from '../../database/testing/postgres.ts';
import { startTcpProxy, type TcpProxy } from '../../object-store/testing/tcp-proxy.ts';
import { eventually } from '../../test/support/eventually.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
let postgres: TestPostgres;
let access: PostgresAccess;
/** Between the registry and Postgres. */
let way: TcpProxy;
const processes: ChildProcess[] = [];
before(async () => {
  postgres = await startPostgres();
  access = await postgres.freshDatabase();
  way = await startTcpProxy(access.host, access.port);
});
beforeEach(() => way.shut());
after(async () => {
  for (const child of processes) child.kill('SIGKILL');
  await way.stop();
  await postgres.stop();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startRegistry(more: Record<string, string> = {}) {
  const port = await freePort();
  const env = {
    PATH: process.env['PATH'],
    PORT: String(port),
    AUTH: 'none',
    NAMESPACES: 'any',
    POSTGRES_HOST: way.host,
    POSTGRES_PORT: String(way.port),
    POSTGRES_DATABASE: access.database,
    POSTGRES_USERNAME: access.username,
    POSTGRES_PASSWORD: access.password,
    // Nothing here asks for bytes.
    OBJECT_STORAGE_ENDPOINT: 'http://127.0.0.1:9',
    OBJECT_STORAGE_BUCKET: 'slipway',
    OBJECT_STORAGE_ACCESS_KEY: 'none',
    OBJECT_STORAGE_SECRET_KEY: 'none',
    ...more,
  };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
  const get = async (path: string) => {
    const response = await ask(path);
    return `${response.status} ${await response.text()}`;
  };
  return { child, ask, get, output: () => output };
}

const ended = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
};

test('it lives without Postgres, gets ready when Postgres comes, and ends cleanly', async () => {
  const { child, get, output } = await startRegistry();
  await eventually(async () => assert.equal(await get('/livez'), '200 OK'));
  assert.match(await get('/readyz'), /^503 Postgres is unavailable: /);
  way.open();
  await eventually(async () => assert.equal(await get('/readyz'), '200 OK'));
  assert.equal(await get('/api/v1/namespaces/team-a/models'), '200 {"models":[]}');
  child.kill('SIGTERM');
  await eventually(async () => assert.equal(await get('/readyz'), '503 stopping'));
  assert.equal(await get('/api/v1/namespaces/team-a/models'), '200 {"models":[]}', 'it still answers while it drains');
  assert.equal(await ended(child), 0);
  assert.ok(!output().includes(access.password));
});

test('SIGTERM while it waits for Postgres ends it cleanly too', async () => {
  const { child, get } = await startRegistry();
  await eventually(async () => assert.equal(await get('/livez'), '200 OK'));
  child.kill('SIGTERM');
  assert.equal(await ended(child), 0);
});

const users = `
users:
  - {username: ada, password: ada-secret, role: editor, namespaces: [team-a]}
  - {username: bob, password: bob-secret, role: reader}
`;

test('AUTH=secret: readers read, editors write, in their namespaces; pages of other sites do not', async (t) => {
  way.open();
  const folder = mkdtempSync(join(tmpdir(), 'auth-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'users.yaml'), users);
  const { child, ask, get } = await startRegistry({
    AUTH: 'secret',
    AUTH_FILE: join(folder, 'users.yaml'),
    DRAIN_SECONDS: '0',
  });
  await eventually(async () => assert.equal(await get('/readyz'), '200 OK'));

  const basic = (user: string) => `Basic ${Buffer.from(`${user}:${user}-secret`).toString('base64')}`;
  const as = (user: string, more: Record<string, string> = {}) => ({
    headers: { ...(user && { authorization: basic(user) }), 'content-type': 'application/json', ...more },
  });
  const api = (namespace: string, path: string) => `/n/${namespace}/api/2.0/mlflow/${path}`;
  const reads = async (user: string, namespace: string) =>
    (await ask(api(namespace, 'experiments/get?experiment_id=0'), as(user))).status;
  const writes = async (user: string, namespace: string, more = {}) => {
    const body = JSON.stringify({ name: `${user}-${randomUUID()}` });
    return (await ask(api(namespace, 'experiments/create'), { ...as(user, more), method: 'POST', body })).status;
  };

  assert.deepEqual([await reads('ada', 'team-a'), await writes('ada', 'team-a')], [200, 200]);
  assert.deepEqual([await reads('ada', 'team-b'), await writes('ada', 'team-b')], [403, 403]);
  assert.deepEqual([await reads('bob', 'team-b'), await writes('bob', 'team-b')], [200, 403]);
  assert.deepEqual([await reads('', 'team-a'), await writes('', 'team-a')], [401, 401]);
  assert.equal(await writes('ada', 'team-a', { origin: 'https://evil.example' }), 403);
  assert.equal(await reads('bob', 'Team_A'), 404);

  for (const path of [api('team-a', 'experiments/get?experiment_id=0'), '/api/v1/namespaces/team-a/models']) {
    const refused = await ask(path);
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer, Basic realm="slipway"', path);
    assert.equal(((await refused.json()) as { error_code: string }).error_code, 'UNAUTHENTICATED', path);
  }
  const search = { ...as('bob'), method: 'POST', body: '{}' };
  assert.equal((await ask(api('team-a', 'experiments/search'), search)).status, 200, 'a search reads');
  assert.equal((await ask('/n/team-a/data/x.csv', { ...as('bob'), method: 'PUT', body: 'x' })).status, 403);
  assert.equal(await get('/n/team-a/health'), '200 OK', 'probes need no password');

  writeFileSync(join(folder, 'users.yaml'), users.replace('role: reader', 'role: editor'));
  await eventually(async () => assert.equal(await writes('bob', 'team-b'), 200));
  child.kill('SIGTERM');
  assert.equal(await ended(child), 0);
});

test('a file of users that cannot be used stops the start, and says what is wrong without a password', async () => {
  const { child, output } = await startRegistry({ AUTH: 'secret', AUTH_FILE: '/nowhere/users.yaml' });
  assert.equal(await ended(child), 1);
  assert.match(output(), /AUTH_FILE: ENOENT/);
});

test('a wrong setting stops the start with every problem in one line', async () => {
  const { child, output } = await startRegistry({ AUTH: 'basic', PORT: 'http', NAMESPACES: 'some' });
  assert.equal(await ended(child), 1);
  const [line = ''] = output().trim().split('\n');
  for (const name of ['AUTH', 'PORT', 'NAMESPACES']) assert.match(line, new RegExp(`${name}: `));
});
