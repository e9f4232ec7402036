/** Who may write and delete what, and what goes past the registry by presigned URLs. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ObjectStorageAccess } from '@slipway/contract';
import { connect, type Database, type LoggedModelEntity, type RunEntity } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { startMinio, type TestMinio } from '../../../object-store/testing/minio.ts';
import { admitAll } from '../tenants/admit.ts';
import { type ServedArtifacts, serveArtifacts } from './testing/serve.ts';

const OWN = 'a'.repeat(32);
const NESTED = 'b'.repeat(32);
const OTHER = 'c'.repeat(32);
const modelId = (letter: string): string => `m-${letter.repeat(32)}`;

const runs: Readonly<Record<string, Partial<RunEntity>>> = {
  [OWN]: { experimentId: '1', artifactUri: `mlflow-artifacts:/1/${OWN}/artifacts` },
  [NESTED]: { experimentId: '1' },
  [OTHER]: { experimentId: '1', artifactUri: 's3://elsewhere/x' },
};
const models: Readonly<Record<string, Partial<LoggedModelEntity>>> = {
  [modelId('1')]: {
    experimentId: '1',
    sourceRunId: OWN,
    artifactUri: `mlflow-artifacts:/1/models/${modelId('1')}/artifacts`,
  },
  [modelId('2')]: { experimentId: '1', sourceRunId: OTHER },
  [modelId('3')]: { experimentId: '1' },
};
const known = <Entity>(all: Readonly<Record<string, unknown>>, ids: readonly string[]) =>
  ids.flatMap((id) => (all[id] ? [all[id] as Entity] : []));
const owners = {
  tracking: {
    runsById: async (_: string, ids: readonly string[]) => known<RunEntity>(runs, ids),
    isBelow: async (_: string, run: string, ancestor: string) => run === NESTED && ancestor === OWN,
  },
  loggedModels: { byId: async (_: string, ids: readonly string[]) => known<LoggedModelEntity>(models, ids) },
};

let postgres: TestPostgres;
let minio: TestMinio;
let pool: Database;
let access: ObjectStorageAccess;
let trainer: ServedArtifacts;
let open: ServedArtifacts;
let presigning: ServedArtifacts;

before(async () => {
  [postgres, minio] = await Promise.all([startPostgres(), startMinio()]);
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests', max: 10 });
  access = await minio.freshBucket();
  const admit = admitAll(pool);
  const asRun = async (...asked: Parameters<typeof admit>) => ({ ...(await admit(...asked)), runId: OWN });
  trainer = await serveArtifacts(pool, access, { owners, admit: asRun });
  open = await serveArtifacts(pool, access, { owners });
  presigning = await serveArtifacts(pool, access, { owners, presigned: true });
});
after(async () => {
  for (const served of [trainer, open, presigning]) await served?.close();
  await pool?.end();
  await Promise.all([postgres?.stop(), minio?.stop()]);
});

const at = (served: ServedArtifacts, path: string): string =>
  `${served.url}/api/2.0/mlflow-artifacts/artifacts/${path}`;
const put = (served: ServedArtifacts, path: string, body: string | Buffer = 'x'): Promise<Response> =>
  fetch(at(served, path), { method: 'PUT', body: typeof body === 'string' ? body : new Uint8Array(body) });
// biome-ignore lint/suspicious/noExplicitAny: tests look at any answer
const jsonOf = async (answer: Promise<Response>): Promise<any> => (await answer).json();

for (const [what, path, status] of [
  ['its own run', `1/${OWN}/artifacts/plot.png`, 200],
  ['a run nested in it', `1/${NESTED}/artifacts/plot.png`, 200],
  ['a model it logged', `1/models/${modelId('1')}/artifacts/MLmodel`, 200],
  ['its run under another experiment', `2/${OWN}/artifacts/plot.png`, 403],
  ['another run', `1/${OTHER}/artifacts/plot.png`, 403],
  ['the root of its run', `1/${OWN}/plot.png`, 403],
  ['the model of another run', `1/models/${modelId('2')}/artifacts/MLmodel`, 403],
  ['a model of no run', `1/models/${modelId('3')}/artifacts/MLmodel`, 403],
  ['a model that is not there', `1/models/${modelId('4')}/artifacts/MLmodel`, 403],
  ['its model under another experiment', `2/models/${modelId('1')}/artifacts/MLmodel`, 403],
  ['a name that begins like its run', `1/${OWN}x/artifacts/plot.png`, 403],
] as const) {
  test(`the token of a run writes to ${what}: ${status}`, async () => {
    assert.equal((await put(trainer, path)).status, status);
    assert.equal((await fetch(at(trainer, path), { method: 'DELETE' })).status, status);
    await put(open, path);
    assert.equal((await fetch(at(trainer, path))).status, 200);
  });
}

test('the token of a run reads data sets and writes none', async () => {
  await fetch(`${open.url}/data/a.csv`, { method: 'PUT', body: 'x' });
  assert.equal((await fetch(`${trainer.url}/data/a.csv`)).status, 200);
  assert.equal((await fetch(`${trainer.url}/data/a.csv`, { method: 'PUT', body: 'y' })).status, 403);
  assert.equal((await fetch(`${trainer.url}/data/a.csv`, { method: 'DELETE' })).status, 403);
});

async function register(version: number, status: string, folder: string, service?: string): Promise<void> {
  await pool.query(
    "INSERT INTO slipway.registered_models (namespace, name) VALUES ('default', 'iris') ON CONFLICT DO NOTHING",
  );
  await pool.query(
    `INSERT INTO slipway.model_versions (namespace, model, version, status, source_uri, format, creation_time)
       VALUES ('default', 'iris', $1, $2, $3, 'onnx', now())`,
    [version, status, `s3://${access.bucket}/default/${folder}`],
  );
  if (service)
    await pool.query(
      "INSERT INTO slipway.version_uses (namespace, model, version, service) VALUES ('default', 'iris', $1, $2)",
      [version, service],
    );
}

test('what a version is made of is not deleted, from wherever one begins', async () => {
  const root = `5/${OWN}/artifacts`;
  for (const folder of ['ready', 'served', 'failed', 'deleted', 'ready_not'])
    for (const file of ['MLmodel', 'data/model.onnx']) await put(open, `${root}/${folder}/${file}`);
  await register(1, 'READY', `${root}/ready`);
  await register(2, 'READY', `${root}/served`, 'prod-iris');
  await register(3, 'FAILED_REGISTRATION', `${root}/failed`);
  await register(4, 'DELETED', `${root}/deleted`);
  const remove = (path: string) => fetch(at(open, path), { method: 'DELETE' });
  for (const path of [root, `5/${OWN}`, '5', `${root}/ready`, `${root}/ready/data/model.onnx`]) {
    const answer = await remove(path);
    assert.equal(answer.status, 409, path);
    assert.equal((await jsonOf(Promise.resolve(answer))).error_code, 'RESOURCE_CONFLICT');
  }
  const served = await jsonOf(remove(`${root}/served/data`));
  assert.match(served.message, /version 2 of model iris is served by prod-iris/);
  for (const path of [`${root}/failed`, `${root}/deleted`, `${root}/ready_not`, `${root}/read`])
    assert.equal((await remove(path)).status, 200, path);
  assert.equal((await fetch(at(open, `${root}/ready/data/model.onnx`))).status, 200);
  assert.equal((await fetch(at(open, `${root}/failed/MLmodel`))).status, 404);
});

test('what is served is not written over; what is only registered may be, as clients that log twice do', async () => {
  const root = `5/${OWN}/artifacts`;
  for (const folder of ['twice', 'answering']) await put(open, `${root}/${folder}/model.onnx`);
  await register(5, 'READY', `${root}/twice`);
  await register(6, 'READY', `${root}/answering`, 'prod-iris');
  assert.equal((await put(open, `${root}/twice/model.onnx`)).status, 200);
  assert.equal((await put(open, `${root}/answering_not/model.onnx`)).status, 200);
  for (const file of ['model.onnx', 'new.txt']) {
    const answer = await put(open, `${root}/answering/${file}`);
    assert.equal(answer.status, 409, file);
    assert.match((await jsonOf(Promise.resolve(answer))).message, /version 6 of model iris is served by prod-iris/);
  }
});

const mpu = (served: ServedArtifacts, step: string, folder: string, body: object) =>
  fetch(`${served.url}/api/2.0/mlflow-artifacts/mpu/${step}/${folder}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

test('without presigned URLs the client is told to send through the registry', async () => {
  const answer = await mpu(open, 'create', `1/${OWN}/artifacts`, { path: '/tmp/large.bin', num_parts: 2 });
  assert.equal(answer.status, 501);
  assert.deepEqual(await answer.json(), {
    error_code: 'NOT_IMPLEMENTED',
    message: 'Multipart upload is not supported for the current artifact repository',
  });
  assert.equal((await fetch(`${open.url}/api/2.0/mlflow-artifacts/presigned/1/${OWN}/artifacts/x`)).status, 501);
});

test('with presigned URLs a client sends parts to the store and gets files from it', async () => {
  const folder = `1/${OWN}/artifacts/large`;
  const whole = Buffer.alloc(9 * 1024 * 1024, 'slipway');
  const pieces = [whole.subarray(0, 5 * 1024 * 1024), whole.subarray(5 * 1024 * 1024)];
  const created = await jsonOf(mpu(presigning, 'create', folder, { path: '/tmp/large.bin', num_parts: 2 }));
  const parts = [];
  for (const { url, part_number } of created.credentials) {
    const sent = await fetch(url, { method: 'PUT', body: new Uint8Array(pieces[part_number - 1] ?? []) });
    assert.equal(sent.status, 200);
    parts.push({ part_number, etag: sent.headers.get('etag'), url });
  }
  const path = { path: '/tmp/large.bin', upload_id: created.upload_id };
  assert.equal(
    (await mpu(presigning, 'complete', folder, { ...path, parts: [{ part_number: 1, etag: 'no' }] })).status,
    400,
  );
  assert.deepEqual(await jsonOf(mpu(presigning, 'complete', folder, { ...path, parts })), {});
  const where = await jsonOf(fetch(`${presigning.url}/api/2.0/mlflow-artifacts/presigned/${folder}/large.bin`));
  assert.equal(where.file_size, whole.length);
  const got = await fetch(where.url, { headers: { range: 'bytes=0-6' } });
  assert.deepEqual([got.status, await got.text()], [206, 'slipway']);
  assert.match(got.headers.get('content-disposition') ?? '', /^attachment/);
});

test('an aborted upload leaves nothing; one that is not there may be aborted', async () => {
  const folder = `1/${OWN}/artifacts`;
  const { upload_id } = await jsonOf(mpu(presigning, 'create', folder, { path: 'gone.bin' }));
  assert.equal((await mpu(presigning, 'abort', folder, { path: 'gone.bin', upload_id })).status, 200);
  assert.equal((await mpu(presigning, 'abort', folder, { path: 'gone.bin', upload_id })).status, 200);
  const complete = { path: 'gone.bin', upload_id, parts: [{ part_number: 1, etag: 'x' }] };
  assert.equal((await mpu(presigning, 'complete', folder, complete)).status, 400);
  assert.equal((await mpu(presigning, 'create', folder, { path: '..', num_parts: 1 })).status, 400);
  assert.equal((await mpu(presigning, 'create', folder, { path: 'x', num_parts: 10_001 })).status, 400);
  // What S3 would refuse is no outage that a client should sit out.
  for (const parts of [[], [{ part_number: 0, etag: 'x' }], [{ part_number: 10_001, etag: 'x' }]])
    assert.equal((await mpu(presigning, 'complete', folder, { ...complete, parts })).status, 400);
});

const list = (query: string) => fetch(`${open.url}/api/2.0/mlflow/artifacts/list?${query}`);

test('artifacts are listed by run, and by logged model', async () => {
  const root = `1/${OWN}/artifacts`;
  await put(open, `${root}/listed/deep/x.txt`, 'xyz');
  await put(open, `${root}/listed/y.txt`, '');
  assert.deepEqual(await jsonOf(list(`run_id=${OWN}&path=listed`)), {
    root_uri: `mlflow-artifacts:/${root}`,
    files: [
      { path: 'listed/deep', is_dir: true },
      { path: 'listed/y.txt', is_dir: false },
    ],
  });
  assert.deepEqual((await jsonOf(list(`run_id=${OWN}&path=listed/deep/`))).files, [
    { path: 'listed/deep/x.txt', is_dir: false, file_size: 3 },
  ]);
  assert.deepEqual(await jsonOf(list(`run_id=${OWN}&path=listed/y.txt`)), { root_uri: `mlflow-artifacts:/${root}` });
  await put(open, `1/models/${modelId('1')}/artifacts/data/m.onnx`);
  const ofModel = await jsonOf(
    fetch(
      `${open.url}/api/2.0/mlflow/logged-models/${modelId('1')}/artifacts/directories?artifact_directory_path=data`,
    ),
  );
  assert.deepEqual(ofModel.files, [{ path: 'data/m.onnx', is_dir: false, file_size: 1 }]);
});

for (const [query, status, message] of [
  [
    'path=x',
    400,
    "Missing value for required parameter 'run_id'. See the API docs for more information about request parameters.",
  ],
  ['run_id=nope', 404, 'Run with id=nope not found'],
  [`run_id=${OWN}&path=../..`, 400, 'Invalid path'],
  [`run_id=${OWN}&path=%252e%252e/x`, 400, 'Invalid path'],
  [`run_id=${OWN}&path=/etc`, 400, 'Invalid path'],
  [
    `run_id=${OTHER}`,
    400,
    "The artifacts at 's3://elsewhere/x' lie outside this server's store: list them where they are.",
  ],
] as const) {
  test(`artifacts/list?${query} is refused`, async () => {
    const answer = await list(query);
    assert.equal(answer.status, status);
    assert.equal((await jsonOf(Promise.resolve(answer))).message, message);
  });
}
