/** The registry as a process that asks a real API server: rights, namespaces, and the tokens of runs. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runTokenFor } from '@slipway/contract';
import { connect, openStores } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../database/testing/postgres.ts';
import { startRun } from '../../database/testing/rows.ts';
import { freePort } from '../../scripts/registry/processes.ts';
import { eventually } from '../../test/support/eventually.ts';
import { dropNamespace, kubectl, makeNamespace } from '../../test/support/kubectl.ts';

const namespace = 'registry-process';
const key = 'the key of the runs of this test, long enough';
const tokens: Record<string, string> = {};
let postgres: TestPostgres;
let pool: ReturnType<typeof connect>;
let child: ChildProcess;
let url: string;

before(async () => {
  makeNamespace(namespace);
  for (const [account, verbs] of [
    ['reader', ['get']],
    ['writer', ['get', 'update']],
    ['stranger', undefined],
  ] as const) {
    kubectl(['create', 'serviceaccount', account, '-n', namespace]);
    tokens[account] = kubectl(['create', 'token', account, '-n', namespace]).trim();
    if (!verbs) continue;
    const rules = [{ apiGroups: ['slipway.dev'], resources: ['modelversions'], verbs }];
    kubectl(['create', 'role', account, '-n', namespace, '--verb=get', '--resource=pods']);
    kubectl(['patch', 'role', account, '-n', namespace, '--type=merge', '-p', JSON.stringify({ rules })]);
    const subject = `--serviceaccount=${namespace}:${account}`;
    kubectl(['create', 'rolebinding', account, '-n', namespace, `--role=${account}`, subject]);
  }
  postgres = await startPostgres();
  const access = await postgres.freshDatabase();
  pool = connect(access, { applicationName: 'tests' });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    KUBECONFIG: process.env['KUBECONFIG'],
    PORT: String(port),
    RUN_TOKEN_KEY: key,
    DRAIN_SECONDS: '0',
    POSTGRES_HOST: access.host,
    POSTGRES_PORT: String(access.port),
    POSTGRES_DATABASE: access.database,
    POSTGRES_USERNAME: access.username,
    POSTGRES_PASSWORD: access.password,
    OBJECT_STORAGE_ENDPOINT: 'http://127.0.0.1:9',
    OBJECT_STORAGE_BUCKET: 'slipway',
    OBJECT_STORAGE_ACCESS_KEY: 'none',
    OBJECT_STORAGE_SECRET_KEY: 'none',
  };
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  await eventually(async () => assert.equal((await fetch(`${url}/readyz`)).status, 200));
});
after(async () => {
  if (child?.exitCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await pool?.end();
  await postgres?.stop();
  dropNamespace(namespace);
});

const bearer = (token: string) => `Bearer ${token}`;
const ask = async (authorization: string, method: string, path: string, body?: object, tenant = namespace) => {
  const response = await fetch(`${url}/n/${tenant}/api/2.0/mlflow/${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as { message?: string } };
};
const reads = (authorization: string, tenant = namespace) =>
  ask(authorization, 'GET', 'experiments/get?experiment_id=0', undefined, tenant);
const writes = (authorization: string, name: string) => ask(authorization, 'POST', 'experiments/create', { name });

test('who may get reads, who may update writes, and a refusal holds the command', async () => {
  const [reader, writer] = [bearer(tokens['reader'] ?? ''), bearer(tokens['writer'] ?? '')];
  assert.deepEqual([(await reads(reader)).status, (await reads(writer)).status], [200, 200]);
  assert.equal((await writes(writer, 'by-token')).status, 200);
  const refused = await writes(reader, 'refused');
  assert.equal(refused.status, 403);
  assert.match(refused.body.message ?? '', /kubectl create rolebinding .* --clusterrole=slipway-edit --user=system:/);
  assert.equal((await reads(bearer(tokens['stranger'] ?? ''))).status, 403);
  assert.equal((await reads(writer, 'default')).status, 403, 'and only in its namespace');
});

test('a client that knows only passwords sends the token as one', async () => {
  const authorization = `Basic ${Buffer.from(`token:${tokens['writer']}`).toString('base64')}`;
  assert.equal((await writes(authorization, 'by-password')).status, 200);
});

test('the token of a run reads its namespace until the run ends', async () => {
  const { runs } = openStores(pool, { epoch: () => undefined });
  const { runId, runKey } = await runs.start(startRun({ namespace }));
  const token = bearer(runTokenFor(key, { namespace, runId }));
  assert.equal((await reads(token)).status, 200);
  const failure = { status: 'FAILED', reason: 'x', message: 'x', endTime: '2026-01-01T00:00:05.000Z' } as const;
  await runs.fail(namespace, runKey, failure);
  // It is believed for five seconds that a run goes on.
  await eventually(async () => assert.equal((await reads(token)).status, 401), 20_000);
});
