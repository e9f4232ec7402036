/** Two registries on one Postgres and one object store, while each of these is cut, killed and raced. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ObjectStorageAccess, PostgresAccess } from '@slipway/contract';
import { Client } from 'minio';
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers';
import { startMinio, type TestMinio } from '../../object-store/testing/minio.ts';
import { startTcpProxy, type TcpProxy } from '../../object-store/testing/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type Answer, freePort, type RegistryProcess, startRegistryProcess } from './registry-process.ts';
import { checkNeverTaken, checkWritten, MODEL, startWriter, type Writer } from './registry-writers.ts';

const IMAGE = process.env['SLIPWAY_TEST_POSTGRES_IMAGE'] ?? 'slipway/dev-postgres:15';
/** No answer may take longer while Postgres is away. */
const LONGEST_MS = 10_000;
/** How long the registry waits for a store that says nothing. */
const STALL_MS = 15_000;

let container: StartedTestContainer;
let postgres: PostgresAccess;
let minio: TestMinio;
let direct: ObjectStorageAccess;
/** Between the registries and the object store. */
let way: TcpProxy;
let servers: [RegistryProcess, RegistryProcess];
const started: RegistryProcess[] = [];

async function startPostgres(): Promise<void> {
  const port = await freePort();
  container = await new GenericContainer(IMAGE)
    .withEnvironment({ POSTGRES_USER: 'postgres', POSTGRES_PASSWORD: 'postgres', POSTGRES_DB: 'postgres' })
    // A port of its own choice would be another one after a restart.
    .withExposedPorts({ container: 5432, host: port })
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/))
    .start();
  const [host, username, password] = [container.getHost(), 'postgres', 'postgres'];
  postgres = PostgresAccess.parse({ host, port, database: 'postgres', username, password });
}

const isReady = async ({ url }: RegistryProcess): Promise<void> =>
  assert.equal(await (await fetch(`${url}/readyz`)).text(), 'OK');

async function start(more: Record<string, string> = {}): Promise<RegistryProcess> {
  const store = { ...direct, endpoint: `http://${way.host}:${way.port}` };
  const registry = await startRegistryProcess(postgres, store, more);
  started.push(registry);
  await eventually(() => isReady(registry), 60_000, 50);
  return registry;
}

before(async () => {
  [minio] = await Promise.all([startMinio(), startPostgres()]);
  direct = await minio.freshBucket();
  const { hostname, port } = new URL(direct.endpoint);
  way = await startTcpProxy(hostname, Number(port));
  servers = [await start(), await start()];
  assert.equal((await servers[0].call('POST', 'registered-models/create', { name: MODEL })).status, 200);
});
after(async () => {
  for (const { child } of started) child.kill('SIGKILL');
  await way?.stop();
  await Promise.all([minio?.stop(), container?.stop()]);
});

const server = (index: number): RegistryProcess => servers[index % 2] as RegistryProcess;

/** So many at once, on both servers by turns. */
const onBoth = (count: number, ask: (registry: RegistryProcess, index: number) => Promise<Answer>): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => ask(server(index), index)));

const allDone = (answers: readonly Answer[]): void =>
  assert.deepEqual(
    answers.filter(({ status }) => status !== 200).map(({ text }) => text),
    [],
  );

async function startWriters(on: (index: number) => RegistryProcess, signal: AbortSignal): Promise<Writer[]> {
  return Promise.all(Array.from({ length: 8 }, (_, index) => startWriter(on(index), signal)));
}

async function newRun(): Promise<string> {
  return (await servers[0].call('POST', 'runs/create', { experiment_id: '0' })).body.run.info.run_id;
}

test('Postgres dies under eight writers: nothing acknowledged is lost, nothing is there by half, both recover', async () => {
  const stop = new AbortController();
  const writers = await startWriters(server, stop.signal);
  await eventually(() => assert.ok(writers.every((writer) => writer.acknowledged() >= 10)), 60_000, 20);
  const { container: docker } = await getContainerRuntimeClient();
  const machine = docker.getById(container.getId());
  await machine.kill({ signal: 'SIGKILL' });
  await eventually(() => assert.ok(writers.every(({ failures }) => failures.length >= 3)), 60_000, 20);
  await machine.start();
  const before = writers.map((writer) => writer.acknowledged());
  await eventually(
    () => assert.ok(writers.every((writer, index) => writer.acknowledged() >= (before[index] as number) + 10)),
    60_000,
    20,
  );
  stop.abort();
  for (const { ended, failures } of writers) {
    assert.equal(await ended, undefined);
    for (const { status, body, text, ms } of failures) {
      assert.deepEqual([status, body.error_code], [503, 'TEMPORARILY_UNAVAILABLE'], text);
      assert.ok(ms < LONGEST_MS, `an answer took ${Math.round(ms)} ms`);
      assert.doesNotMatch(text, /select |insert |slipway\.|\/registry\/|127\.0\.0\.1/i);
    }
  }
  for (const registry of servers) await isReady(registry);
  await checkWritten(servers[1], writers);
});

const artifacts = 'api/2.0/mlflow-artifacts/artifacts';

async function fileOf(registry: RegistryProcess, path: string): Promise<string> {
  const response = await fetch(`${registry.url}/${artifacts}/${path}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  return response.status === 200 ? `${bytes.length} of ${bytes[0]}` : String(response.status);
}

const put = (registry: RegistryProcess, path: string, body: Uint8Array | ReadableStream): Promise<Response> =>
  fetch(`${registry.url}/${artifacts}/${path}`, { method: 'PUT', body, duplex: 'half' } as RequestInit);

const MIB = 1024 * 1024;

/** A body of so many MiB of which the last comes when `rest` resolves. */
const inTwoPieces = (mebibytes: number, fill: number, rest: Promise<void>): ReadableStream =>
  ReadableStream.from(
    (async function* () {
      for (let sent = 1; sent < mebibytes; sent++) yield new Uint8Array(MIB).fill(fill);
      await rest;
      yield new Uint8Array(MIB).fill(fill);
    })(),
  );

async function uploadsUnderWay(path: string): Promise<number> {
  const { hostname, port } = new URL(direct.endpoint);
  const { accessKey, secretKey, region } = direct;
  const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey, region });
  const found = await client.listIncompleteUploads(direct.bucket, `default/${path}`, true).toArray();
  return found.length;
}

for (const [what, earlier] of [
  ['a new file', false],
  ['a file that was there', true],
] as const)
  test(`the object store is cut in the middle of an upload of ${what}: the client hears of it, and reads no half`, async () => {
    const path = `0/${await newRun()}/artifacts/model.bin`;
    if (earlier) assert.equal((await put(servers[0], path, Buffer.alloc(MIB, 1))).status, 200);
    const rest = Promise.withResolvers<void>();
    const answer = put(servers[0], path, inTwoPieces(20, 2, rest.promise));
    await eventually(async () => assert.equal(await uploadsUnderWay(path), 1), 30_000, 50);
    way.shut();
    rest.resolve();
    const failed = await answer;
    assert.equal(failed.status, 503);
    assert.equal(((await failed.json()) as { error_code: string }).error_code, 'TEMPORARILY_UNAVAILABLE');
    assert.equal(await fileOf(servers[1], path), '503');
    way.open();
    assert.equal(await fileOf(servers[1], path), earlier ? `${MIB} of 1` : '404');
    assert.equal((await put(servers[0], path, Buffer.alloc(10 * MIB, 3))).status, 200);
    assert.equal(await fileOf(servers[1], path), `${10 * MIB} of 3`);
  });

test('an object store that says nothing: 503 in time, for reading, writing and listing, and the rest goes on', async () => {
  const run = await newRun();
  const path = `0/${run}/artifacts/model.bin`;
  assert.equal((await put(servers[0], path, Buffer.alloc(MIB, 1))).status, 200);
  way.swallow();
  const begun = performance.now();
  const asked = Promise.all([
    put(servers[0], path, Buffer.alloc(MIB, 2)).then(({ status }) => status),
    fileOf(servers[1], path).then(Number),
    servers[0].call('GET', 'artifacts/list', { run_id: run }).then(({ status }) => status),
  ]);
  allDone(await onBoth(4, (registry, n) => registry.call('POST', 'runs/set-tag', { run_id: run, key: `k${n}` })));
  assert.ok(performance.now() - begun < STALL_MS / 2, 'what needs no object store does not wait for it');
  assert.deepEqual(await asked, [503, 503, 503]);
  assert.ok(performance.now() - begun < STALL_MS + 5_000);
  way.open();
  assert.equal(await fileOf(servers[1], path), `${MIB} of 1`);
});

test('sixteen writers on one run over both servers: no update is lost', async () => {
  const run_id = await newRun();
  const rounds = 10;
  const answers = await Promise.all(
    Array.from({ length: 16 }, async (_, writer) => {
      const got: Answer[] = [];
      for (let round = 0; round < rounds; round++) {
        const registry = server(writer + round);
        const key = `${writer}.${round}`;
        const point = { value: writer, timestamp: 1, step: round * 16 + writer };
        const metrics = [
          { key: 'shared', ...point },
          { key: `own-${key}`, ...point },
        ];
        // The order of keys differs, as it does between clients: rows are locked in one order all the same.
        const tags = [0, 1, 2, 3].map((n) => ({ key: `shared-${(n + writer) % 4}`, value: key }));
        got.push(
          ...(await Promise.all([
            registry.call('POST', 'runs/log-batch', { run_id, metrics, tags, params: [{ key, value: key }] }),
            registry.call('POST', 'runs/log-parameter', { run_id, key: 'same', value: 'for all' }),
            registry.call('POST', 'runs/set-tag', { run_id, key, value: key }),
            registry.call('POST', 'runs/log-metric', { run_id, key: 'one-by-one', ...point }),
          ])),
        );
      }
      return got;
    }),
  );
  allDone(answers.flat());
  const { data } = (await servers[1].call('GET', 'runs/get', { run_id })).body.run;
  assert.equal(data.params.length, 16 * rounds + 1);
  const own = data.tags.filter(({ key, value }: { key: string; value: string }) => key === value);
  assert.equal(own.length, 16 * rounds);
  const latest = new Map(data.metrics.map((metric: { key: string; step: number }) => [metric.key, metric.step]));
  for (const metric_key of ['shared', 'one-by-one']) {
    const { body } = await servers[0].call('GET', 'metrics/get-history', { run_id, metric_key });
    assert.equal(body.metrics.length, 16 * rounds);
    assert.equal(latest.get(metric_key), 16 * rounds - 1, 'the latest point is the one of the highest step');
  }
});

test('two values for one param at once: one is kept, the other is refused', async () => {
  const run_id = await newRun();
  const answers = await onBoth(16, (registry, n) =>
    registry.call('POST', 'runs/log-batch', { run_id, params: [{ key: 'p', value: String(n) }] }),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(answers.filter(({ status }) => status === 400).length, 15);
});

test('one name asked for by both servers at once: one of the requests makes it', async () => {
  for (const [path, round] of [0, 1, 2].flatMap((n) => [
    ['experiments/create', n] as const,
    ['registered-models/create', n] as const,
  ])) {
    const answers = await onBoth(8, (registry) => registry.call('POST', path, { name: `wanted-${round}` }));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1, path);
    for (const { status, body } of answers.filter(({ status }) => status !== 200))
      assert.deepEqual([status, body.error_code], [400, 'RESOURCE_ALREADY_EXISTS'], path);
  }
});

test('versions, stages and aliases set by both servers at once: each number once, one in Production, one alias', async () => {
  const name = 'raced';
  allDone([await servers[0].call('POST', 'registered-models/create', { name })]);
  const made = await onBoth(16, (registry, n) =>
    registry.call('POST', 'model-versions/create', { name, source: `s3://elsewhere/${n}` }),
  );
  allDone(made);
  const numbers = made.map(({ body }) => Number(body.model_version.version)).sort((a, b) => a - b);
  assert.deepEqual(
    numbers,
    [...numbers.keys()].map((index) => index + 1),
  );
  for (let round = 0; round < 3; round++) {
    const change = { stage: 'Production', archive_existing_versions: true };
    const moved = onBoth(16, (registry, n) =>
      registry.call('POST', 'model-versions/transition-stage', { name, version: String(n + 1), ...change }),
    );
    const named = onBoth(16, (registry, n) =>
      registry.call('POST', 'registered-models/alias', { name, alias: 'champion', version: String(n + 1) }),
    );
    allDone([...(await moved), ...(await named)]);
    const versions = await Promise.all(
      numbers.map(async (version) => (await server(version).call('GET', 'model-versions/get', { name, version })).body),
    );
    const stages = versions.map(({ model_version }) => model_version.current_stage).sort();
    assert.deepEqual(stages, [...Array(15).fill('Archived'), 'Production']);
    assert.equal(versions.filter(({ model_version }) => model_version.aliases?.includes('champion')).length, 1);
  }
});

test('SIGTERM under load: whatever was taken is answered, a slow upload too', async () => {
  const registry = await start({ DRAIN_SECONDS: '1' });
  const stop = new AbortController();
  const writers = await startWriters(() => registry, stop.signal);
  const path = `0/${await newRun()}/artifacts/model.bin`;
  const rest = Promise.withResolvers<void>();
  const upload = put(registry, path, inTwoPieces(20, 4, rest.promise));
  await eventually(async () => assert.equal(await uploadsUnderWay(path), 1), 30_000, 50);
  await eventually(() => assert.ok(writers.every((writer) => writer.acknowledged() >= 5)), 60_000, 20);
  registry.child.kill('SIGTERM');
  for (const { ended, failures } of writers) {
    // They go on until nobody listens any more. A connection that the kernel had queued by then is reset, not refused.
    const error = (await ended) as Error & { cause?: { code?: string } };
    assert.match(error.cause?.code ?? '', /^ECONN(REFUSED|RESET)$/);
    assert.deepEqual(failures, []);
  }
  rest.resolve();
  assert.equal((await upload).status, 200);
  assert.equal(await registry.ended(), 0);
  assert.equal(await fileOf(servers[0], path), `${20 * MIB} of 4`);
  await checkNeverTaken(servers[0], writers);
  await checkWritten(servers[0], writers);
});

test('SIGKILL under load: what was acknowledged is there', async () => {
  const registry = await start();
  const writers = await startWriters(() => registry, new AbortController().signal);
  await eventually(() => assert.ok(writers.every((writer) => writer.acknowledged() >= 5)), 60_000, 20);
  registry.child.kill('SIGKILL');
  for (const { ended } of writers) assert.ok((await ended) instanceof Error);
  await checkWritten(servers[0], writers);
});
