/** The read API over loopback HTTP on the real schema. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { connect, migrate, openReader, openStores, publishRun } from '@slipway/database';
import pino from 'pino';
import { startPostgres, type TestPostgres } from '../../database/testing/postgres.ts';
import { publication, startRun } from '../../database/testing/rows.ts';
import { createApp } from './app.ts';
import { ApiError } from './errors.ts';
import type { Admit } from './http/exchange.ts';
import { createMetrics } from './metrics.ts';
import { migrateWhenThere, readinessOf } from './readiness.ts';
import { VERSION } from './version.ts';

const namespace = 'team-a';
const api = `/api/v1/namespaces/${namespace}`;
let postgres: TestPostgres;
let pool: ReturnType<typeof connect>;
let url: string;
const state = { migrated: false, stopping: false };
const servers: Server[] = [];
const logged: string[] = [];

/** As in a cluster where the token `viewer` may read team-a and nobody may read more. */
const admit: Admit = async ({ request, namespace: asked }) => {
  if (request.headers.authorization !== 'Bearer viewer') throw new ApiError('UNAUTHENTICATED', 'who?');
  if (asked !== namespace) throw new ApiError('PERMISSION_DENIED', 'not yours');
  return { name: 'viewer' };
};

async function serve(on: ReturnType<typeof connect>): Promise<string> {
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const app = createApp({
    reader: openReader(on),
    admit,
    readiness: readinessOf(on, state),
    metrics: createMetrics(),
    log,
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function get(path: string, token = 'viewer', base = url) {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(`${base}${path}`, { headers });
  const text = await response.text();
  const json = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, body: json ? JSON.parse(text) : text, headers: response.headers };
}

before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'registry-test' });
  url = await serve(pool);
});
after(async () => {
  for (const server of servers) server.close();
  await pool.end();
  await postgres.stop();
});

test('before the schema is there the process lives, is not ready, and says why', async () => {
  assert.deepEqual([(await get('/livez')).status, (await get('/health')).body], [200, 'OK']);
  const { status, body } = await get('/readyz');
  assert.deepEqual([status, body], [503, 'Postgres answers, the schema is being migrated']);
  const early = await get(`${api}/models`);
  assert.equal(early.status, 503);
  assert.equal(early.body.error_code, 'TEMPORARILY_UNAVAILABLE');
});

test('an empty registry answers with empty lists', async () => {
  await migrateWhenThere(pool, { signal: AbortSignal.timeout(20_000), onWaiting: () => {} });
  state.migrated = true;
  assert.equal((await get('/readyz')).status, 200);
  assert.deepEqual((await get(`${api}/experiments`)).body, { experiments: [] });
  assert.deepEqual((await get(`${api}/models`)).body, { models: [] });
});

test('what was trained and published can be read: experiment, run, model, version, history', async () => {
  const stores = openStores(pool, { epoch: () => 1 });
  await stores.tenants.claim(namespace, 'uid-team-a');
  const run = await stores.runs.start(startRun({ namespace }));
  await publishRun(pool, publication(run));
  await stores.versions.recordVerification(namespace, 'iris', 1, { status: 'READY', message: 'verified' });

  const experiments = (await get(`${api}/experiments`)).body.experiments;
  assert.deepEqual(
    experiments.map((e: { experimentId: string; name: string }) => [e.experimentId, e.name]),
    [
      ['0', 'Default'],
      ['1', 'iris'],
    ],
  );
  const { body: single } = await get(`${api}/runs/${run.runId}`);
  assert.deepEqual(single, {
    runId: run.runId,
    experimentId: '1',
    runName: 'iris',
    status: 'FINISHED',
    startTime: '2026-01-01T00:00:00.000Z',
    endTime: '2026-01-01T00:01:00.000Z',
    trainingJob: 'iris',
    cause: 'Created',
    failure: null,
    model: 'iris',
    version: 1,
    params: { C: '1.0' },
    metrics: { accuracy: 0.95 },
  });
  assert.deepEqual((await get(`${api}/experiments/1/runs`)).body, { runs: [single] });
  assert.equal((await get(`${api}/models/iris`)).body.latestVersion, 1);
  const { body: version } = await get(`${api}/models/iris/versions/1`);
  assert.deepEqual([version.status, version.runId, version.artifact.digest], ['READY', run.runId, 'a'.repeat(64)]);
  assert.deepEqual((await get(`${api}/models/iris/versions`)).body, { versions: [version] });
  const { events } = (await get(`${api}/models/iris/history`)).body;
  assert.deepEqual(
    events.map(({ time: _, ...event }: { time: string }) => event),
    [
      { version: 1, event: 'Registered', from: null, to: 'PENDING_REGISTRATION', actor: 'trainingjob/iris' },
      { version: 1, event: 'StatusChanged', from: 'PENDING_REGISTRATION', to: 'READY', actor: 'verify' },
    ],
  );
  assert.deepEqual(Object.keys(events[0]).sort(), ['actor', 'event', 'from', 'time', 'to', 'version']);
});

test('a failed run says why', async () => {
  const stores = openStores(pool, { epoch: () => 1 });
  const run = await stores.runs.start(startRun({ namespace, ownerUid: 'uid-failing' }));
  const endTime = '2026-01-01T00:00:05.000Z';
  const failure = { status: 'FAILED', reason: 'TargetNotFound', message: 'no column "species"', endTime } as const;
  await stores.runs.fail(namespace, run.runKey, failure);
  const { body } = await get(`${api}/runs/${run.runId}`);
  assert.deepEqual([body.status, body.failure], ['FAILED', { reason: failure.reason, message: failure.message }]);
});

test('pages follow one another without a gap or a repeat, whatever they list', async () => {
  const stores = openStores(pool, { epoch: () => 1 });
  for (let n = 0; n < 7; n++) {
    // Equal start times, so that the run id decides.
    const startTime = `2026-02-0${1 + (n % 3)}T00:00:00.000Z`;
    const run = startRun({ namespace, experiment: 'many', ownerUid: `uid-page-${n}`, startTime });
    await stores.runs.start(run);
    const brought = { namespace, sourceUri: 's3://slipway/team-a/x', objectUid: `o-${n}`, creationTime: startTime };
    await stores.versions.registerBrought({ ...brought, model: 'paged' });
    await stores.versions.registerBrought({ ...brought, model: `model-${n}`, objectUid: `m-${n}` });
  }
  const id = (await get(`${api}/experiments`)).body.experiments.find(
    (e: { name: string }) => e.name === 'many',
  ).experimentId;
  for (const [path, list, total] of [
    [`experiments/${id}/runs`, 'runs', 7],
    ['models', 'models', 9],
    ['models/paged/versions', 'versions', 7],
    ['models/paged/history', 'events', 7],
    ['experiments', 'experiments', 3],
  ] as const) {
    const all = (await get(`${api}/${path}`)).body[list];
    const collected: unknown[] = [];
    let next = '';
    do {
      const { body } = await get(`${api}/${path}?limit=2${next && `&pageToken=${next}`}`);
      assert.ok(body[list].length <= 2);
      collected.push(...body[list]);
      next = body.nextPageToken ?? '';
    } while (next);
    assert.equal(all.length, total, path);
    assert.deepEqual(collected, all, path);
  }
});

test('a namespace is shown only to who may see it, before anything about it is said', async () => {
  assert.equal((await get(`${api}/models`, '')).status, 401);
  assert.equal((await get(`${api}/models`, '')).headers.get('www-authenticate'), 'Bearer, Basic realm="slipway"');
  assert.equal((await get(`${api}/models`, 'intruder')).status, 401);
  for (const path of ['models', 'models/iris', 'nothing-like-this'])
    assert.equal((await get(`/api/v1/namespaces/team-b/${path}`)).status, 403, path);
});

for (const [path, status, code, message] of [
  ['/models/none', 404, 'RESOURCE_DOES_NOT_EXIST', /Registered Model with name=none not found/],
  ['/models/none/versions', 404, 'RESOURCE_DOES_NOT_EXIST', /name=none/],
  ['/models/none/history', 404, 'RESOURCE_DOES_NOT_EXIST', /name=none/],
  ['/models/iris/versions/77', 404, 'RESOURCE_DOES_NOT_EXIST', /Model Version \(name=iris, version=77\) not found/],
  ['/models/iris/versions/one', 400, 'INVALID_PARAMETER_VALUE', /version in the path: expected a number from 1/],
  ['/models/iris/versions/99999999999', 400, 'INVALID_PARAMETER_VALUE', /version in the path/],
  ['/experiments/9999/runs', 404, 'RESOURCE_DOES_NOT_EXIST', /No experiment with id=9999 exists/],
  [`/runs/${'0'.repeat(32)}`, 404, 'RESOURCE_DOES_NOT_EXIST', /Run with id=0{32} not found/],
  ['/runs/..%2f..%2fetc', 400, 'INVALID_PARAMETER_VALUE', /runId in the path: expected 32/],
  ['/models/%00', 400, 'INVALID_PARAMETER_VALUE', /model in the path/],
  ['/models/%zz', 400, 'BAD_REQUEST', /encoding/],
  ['/models?limit=0', 400, 'INVALID_PARAMETER_VALUE', /limit: expected a whole number from 1 to 1000/],
  ['/models?limit=1001', 400, 'INVALID_PARAMETER_VALUE', /limit/],
  ['/models?pageToken=!!', 400, 'INVALID_PARAMETER_VALUE', /pageToken: expected the nextPageToken/],
  ['/nothing-like-this', 404, 'ENDPOINT_NOT_FOUND', /no such endpoint/],
] as const)
  test(`GET …${path} is ${status} ${code}`, async () => {
    const { status: got, body } = await get(`${api}${path}`);
    assert.equal(got, status);
    assert.deepEqual(Object.keys(body), ['error_code', 'message']);
    assert.equal(body.error_code, code);
    assert.match(body.message, message);
  });

test('a namespace that cannot be one is refused before it is asked about', async () => {
  const { status, body } = await get('/api/v1/namespaces/Team_A/models');
  assert.deepEqual([status, body.error_code], [400, 'INVALID_PARAMETER_VALUE']);
});

test('without Postgres the process lives, is not ready, and answers 503 without saying where Postgres would be', async () => {
  const away = connect(
    { ...postgres.admin, host: '127.0.0.1', port: 1, password: 'canary' },
    { applicationName: 'registry-test' },
  );
  const base = await serve(away);
  assert.equal((await get('/livez', '', base)).status, 200);
  const ready = await get('/readyz', '', base);
  assert.deepEqual([ready.status, ready.body], [503, 'Postgres is unavailable: ECONNREFUSED']);
  const { status, body } = await get(`${api}/models`, 'viewer', base);
  assert.deepEqual([status, body.error_code], [503, 'TEMPORARILY_UNAVAILABLE']);
  assert.doesNotMatch(JSON.stringify(body) + logged.join(), /canary|127\.0\.0\.1:1\D.*message/);
  assert.match((await get('/metrics', '', base)).body, /slipway_dependency_up\{dependency="postgres"\} 0/);
  await away.end();
});

test('what goes wrong inside is a 500 with an id that the log has, and nothing else', async () => {
  const broken = connect(await postgres.freshDatabase(), { applicationName: 'registry-test' });
  await migrate(broken);
  await broken.query('ALTER TABLE slipway.registered_models RENAME COLUMN name TO title');
  const base = await serve(broken);
  logged.length = 0;
  const { status, body, headers } = await get(`${api}/models`, 'viewer', base);
  assert.deepEqual([status, body.error_code], [500, 'INTERNAL_ERROR']);
  assert.doesNotMatch(body.message, /column|title|SELECT|\.ts/);
  assert.ok(body.message.includes(headers.get('x-request-id') ?? '?'));
  assert.ok(logged.some((line) => line.includes(headers.get('x-request-id') ?? '?')));
  await broken.end();
});

test('metrics name routes by pattern, never by what was asked for', async () => {
  const { body } = await get('/metrics', '');
  assert.match(
    body,
    /slipway_registry_requests_total\{method="GET",route="\/api\/v1\/namespaces\/:namespace\/models\/:model",status="200"\}/,
  );
  assert.doesNotMatch(body, /iris/);
});

test('the version is one of MLflow that has no traces yet, in its form', async () => {
  const { body, headers } = await get('/version', '');
  assert.match(body, /^3\.3\.\d+$/);
  assert.match(headers.get('content-type') ?? '', /^text\/plain/);
  assert.ok(
    (await get('/metrics', '')).body.includes(`slipway_build_info{version="${VERSION}"} 1`),
    'and ours is here',
  );
});
