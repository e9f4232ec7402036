/** The registry as a process: Postgres comes late, SIGTERM comes at any time. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
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

async function startRegistry() {
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
  };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${response.status} ${await response.text()}`;
  };
  return { child, get, output: () => output };
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
