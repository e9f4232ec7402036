import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openReader } from '@slipway/database';
import { type Fixture, type Refusal, startModels, waitingForLocks } from '../testing/models.ts';

let registry: Fixture;
let run: string;
let experiment: string;
let logged: string;
before(async () => {
  registry = await startModels({ verified: true });
  experiment = (await registry.ok('POST', 'experiments/create', { name: 'e' })).experiment_id;
  run = (await registry.ok('POST', 'runs/create', { experiment_id: experiment })).run.info.run_id;
  logged = (
    await registry.ok('POST', 'logged-models', { experiment_id: experiment, name: 'model', source_run_id: run })
  ).model.info.model_id;
  await registry.ok('POST', 'registered-models/create', { name: 'iris' });
  await create({ name: 'iris' });
});
after(() => registry?.stop());

interface Creation {
  readonly name?: string;
  readonly source?: unknown;
  readonly [field: string]: unknown;
}
const create = async (request: Creation = {}) =>
  (await registry.ok('POST', 'model-versions/create', { name: 'iris', source: 's3://elsewhere/x', ...request }))
    .model_version;
const get = async (name: string, version: string) =>
  (await registry.ok('GET', 'model-versions/get', { name, version })).model_version;
const model = async (name: string) => {
  await registry.ok('POST', 'registered-models/create', { name });
  return name;
};
const row = async (name: string, version: string) =>
  (await registry.pool.query('SELECT * FROM slipway.model_versions WHERE model = $1 AND version = $2', [name, version]))
    .rows[0];

const INVALID = 'INVALID_PARAMETER_VALUE';
const GONE = 'RESOURCE_DOES_NOT_EXIST';
const NOT_FOUND = 'Model Version (name=iris, version=77) not found';
const NO_INTEGER = "Parameter 'version' must be an integer, got 'abc'.";
const CONTAINED = /The run_id request parameter must identify the resource that contains the source\.$/;
const ABSOLUTE = /Please provide an absolute path\.$/;
const LOCAL =
  /^Invalid model version source: '.*'\. To use a local path as a model version source, the run_id request parameter/;

const creation = (request: Creation): Refusal['request'] => [
  'POST',
  'model-versions/create',
  { name: 'iris', source: 's3://elsewhere/x', ...request },
];
const transition = (more: object): Refusal['request'] => [
  'POST',
  'model-versions/transition-stage',
  { name: 'iris', version: '1', stage: 'Production', ...more },
];
const onVersion = (version: string): readonly Refusal['request'][] => {
  const named = { name: 'iris', version };
  return [
    ['GET', 'model-versions/get', named],
    ['GET', 'model-versions/get-download-uri', named],
    ['PATCH', 'model-versions/update', { ...named, description: 'x' }],
    ['DELETE', 'model-versions/delete', named],
    ['POST', 'model-versions/set-tag', { ...named, key: 'k', value: 'v' }],
    ['DELETE', 'model-versions/delete-tag', { ...named, key: 'k' }],
    ['POST', 'model-versions/transition-stage', { ...named, stage: 'Production', archive_existing_versions: true }],
  ];
};

const refusals: readonly Refusal[] = [
  ...onVersion('77').map((request) => ({
    what: `${request[1]} of a version that is not there`,
    request,
    status: 404,
    code: GONE,
    message: NOT_FOUND,
  })),
  ...onVersion('abc').map((request) => ({
    what: `${request[1]} of what is no version`,
    request,
    status: 400,
    code: INVALID,
    message: NO_INTEGER,
  })),
  ...onVersion('99999999999999').map((request) => ({
    what: `${request[1]} of a number beyond all versions`,
    request,
    status: 404,
    code: GONE,
    message: /99999999999999/,
  })),
  {
    what: 'a version of a model that is not there',
    request: creation({ name: 'nope' }),
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'a version without a source',
    request: ['POST', 'model-versions/create', { name: 'iris' }],
    status: 400,
    code: INVALID,
    message: /^Missing value for required parameter 'source'/,
  },
  {
    what: 'a version number that is no text',
    request: ['PATCH', 'model-versions/update', { name: 'iris', version: 1 }],
    status: 400,
    code: INVALID,
    message: /^Invalid value 1 for parameter 'version' supplied: {2}Hint/,
  },
  {
    what: 'a source that is too long',
    request: creation({ source: `s3://b/${'x'.repeat(2048)}` }),
    status: 400,
    code: INVALID,
    message: "'source' exceeds the maximum length of 2048 characters",
  },
  {
    what: 'a run link that is too long',
    request: creation({ run_link: 'x'.repeat(501) }),
    status: 400,
    code: INVALID,
    message: "'run_link' exceeds the maximum length of 500 characters",
  },
  {
    what: 'a source with a NUL',
    request: creation({ source: 's3://b/\0' }),
    status: 400,
    code: INVALID,
    message: /NUL/,
  },
  {
    what: 'a description with half a character',
    request: creation({ description: '\udfff' }),
    status: 400,
    code: INVALID,
    message: /surrogate/,
  },
  {
    what: 'a path on the server',
    request: creation({ source: '/etc/passwd' }),
    status: 400,
    code: INVALID,
    message: LOCAL,
  },
  {
    what: 'a file on the server',
    request: creation({ source: 'file:///etc/passwd' }),
    status: 400,
    code: INVALID,
    message: LOCAL,
  },
  {
    what: 'a file on another server',
    request: creation({ source: 'file://host/x' }),
    status: 400,
    code: INVALID,
    message: LOCAL,
  },
  { what: 'a relative path', request: creation({ source: '../../etc' }), status: 400, code: INVALID, message: LOCAL },
  {
    what: 'a path of a run that is not there',
    request: creation({ source: '/etc', run_id: 'nope' }),
    status: 400,
    code: INVALID,
    message: CONTAINED,
  },
  {
    what: 'a web address',
    request: creation({ source: 'http://169.254.169.254/latest' }),
    status: 400,
    code: INVALID,
    message: /^'source' cannot use the 'http' scheme/,
  },
  {
    what: 'artifacts without their run',
    request: creation({ source: 'mlflow-artifacts:/1/x/artifacts/model' }),
    status: 400,
    code: INVALID,
    message: CONTAINED,
  },
  {
    what: 'artifacts of a run that is not there',
    request: creation({ source: 'mlflow-artifacts:/1/x/artifacts/model', run_id: 'x' }),
    status: 400,
    code: INVALID,
    message: CONTAINED,
  },
  {
    what: 'a way out of the run',
    request: creation({ source: 'mlflow-artifacts:/1/x/artifacts/%252e%252e/y', run_id: 'x' }),
    status: 400,
    code: INVALID,
    message: ABSOLUTE,
  },
  {
    what: "another namespace's object",
    request: creation({ source: 's3://slipway/team-b/net.onnx' }),
    status: 400,
    code: INVALID,
    message: /may use what lies below s3:\/\/slipway\/default\/\.$/,
  },
  {
    what: 'a logged model that is not there',
    request: creation({ source: `models:/m-${'0'.repeat(32)}`, model_id: `m-${'0'.repeat(32)}` }),
    status: 400,
    code: INVALID,
    message: /The model_id request parameter must identify/,
  },
  {
    what: 'a copy of a version that is not there',
    request: creation({ source: 'models:/iris/77' }),
    status: 404,
    code: GONE,
    message: NOT_FOUND,
  },
  {
    what: 'a copy of a model that is not there',
    request: creation({ source: 'models:/nope/1' }),
    status: 404,
    code: GONE,
    message: 'Registered Model with name=nope not found',
  },
  {
    what: 'a copy by an alias that nobody set',
    request: creation({ source: 'models:/iris@nope' }),
    status: 400,
    code: INVALID,
    message: 'Registered model alias nope not found.',
  },
  {
    what: 'a copy of an empty stage',
    request: creation({ source: 'models:/iris/Archived' }),
    status: 404,
    code: GONE,
    message: "No versions of model with name 'iris' and stage 'Archived' found",
  },
  {
    what: 'a copy under another run',
    request: creation({ source: 'models:/iris/1', run_id: 'other' }),
    status: 400,
    code: INVALID,
    message: /must match the referenced model version\.$/,
  },
  {
    what: 'a prompt with bytes',
    request: creation({ tags: [{ key: 'mlflow.prompt.is_prompt', value: 'True' }] }),
    status: 400,
    code: INVALID,
    message: /^Invalid prompt source/,
  },
  {
    what: 'a prompt that is too long',
    request: [
      'POST',
      'model-versions/set-tag',
      { name: 'iris', version: '1', key: 'mlflow.prompt.text', value: 'x'.repeat(100_001) },
    ],
    status: 400,
    code: INVALID,
    message: 'Prompt text exceeds max length of 100000 characters.',
  },
  {
    what: 'an unknown stage',
    request: transition({ stage: 'Prod' }),
    status: 400,
    code: INVALID,
    message: 'Invalid Model Version stage: Prod. Value must be one of None, Staging, Production, Archived.',
  },
  {
    what: 'archiving for an inactive stage',
    request: transition({ stage: 'Archived', archive_existing_versions: true }),
    status: 400,
    code: INVALID,
    message:
      "Model version transition cannot archive existing model versions because 'Archived' is not an Active stage. Valid stages are ['Staging', 'Production']",
  },
  {
    what: 'no stage',
    request: transition({ stage: undefined }),
    status: 400,
    code: INVALID,
    message: /^Missing value for required parameter 'stage'/,
  },
];

for (const { what, request, status, code, message } of refusals)
  test(`${what} is refused with ${status}`, async () => {
    const answer = await registry.call(...request);
    assert.deepEqual([answer.status, answer.body.error_code], [status, code], JSON.stringify(answer.body));
    if (typeof message === 'string') assert.equal(answer.body.message, message);
    else assert.match(answer.body.message, message);
  });

test('a version has the fields that clients read', async () => {
  const name = await model('fields');
  const made = await create({
    name,
    run_id: 'not here',
    description: 'd',
    run_link: 'http://x',
    tags: [
      { key: 'a', value: '1' },
      { key: 'a', value: '2' },
    ],
  });
  const { creation_timestamp, last_updated_timestamp, ...rest } = made;
  assert.ok(Number.isInteger(creation_timestamp) && last_updated_timestamp >= creation_timestamp);
  assert.deepEqual(rest, {
    name,
    version: '1',
    current_stage: 'None',
    description: 'd',
    source: 's3://elsewhere/x',
    run_id: 'not here',
    status: 'READY',
    tags: [{ key: 'a', value: '2' }],
    run_link: 'http://x',
  });
  assert.deepEqual(await get(name, '1'), made);
  const { model_version: undescribed } = await registry.ok('PATCH', 'model-versions/update', { name, version: '1' });
  assert.ok(!('description' in undescribed));
  await registry.ok('POST', 'model-versions/set-tag', { name, version: '1', key: 'b' });
  await registry.ok('DELETE', 'model-versions/delete-tag', { name, version: '1', key: 'a' });
  assert.deepEqual((await get(name, '1')).tags, [{ key: 'b', value: '' }]);
});

test('a stage takes its other holders’ place only when that is asked for, and history tells each step', async () => {
  const name = await model('staged');
  for (let index = 0; index < 3; index++) await create({ name });
  const move = (version: string, stage: string, archive_existing_versions?: boolean) =>
    registry.ok('POST', 'model-versions/transition-stage', {
      name,
      version,
      stage,
      ...(archive_existing_versions !== undefined && { archive_existing_versions }),
    });
  const stages = async () =>
    Promise.all(['1', '2', '3'].map(async (version) => (await get(name, version)).current_stage));
  await move('1', 'production');
  await move('2', 'PRODUCTION', false);
  assert.deepEqual(await stages(), ['Production', 'Production', 'None']);
  const before = (await get(name, '1')).last_updated_timestamp;
  const { model_version: moved } = await move('3', 'Production', true);
  assert.equal(moved.current_stage, 'Production');
  assert.deepEqual(await stages(), ['Archived', 'Archived', 'Production']);
  assert.ok((await get(name, '1')).last_updated_timestamp >= before);
  const events = await openReader(registry.pool).history('default', name, { limit: 100 });
  assert.deepEqual(
    events.filter(({ event }) => event === 'StageChanged').map(({ version, from, to }) => [version, from, to]),
    [
      [1, 'None', 'Production'],
      [2, 'None', 'Production'],
      [1, 'Production', 'Archived'],
      [2, 'Production', 'Archived'],
      [3, 'None', 'Production'],
    ],
  );
});

test('of two that archive at once through two servers exactly one is left in the stage', async () => {
  const name = await model('crowded');
  const other = await registry.another();
  for (let index = 0; index < 2; index++) await create({ name });
  const client = await registry.pool.connect();
  try {
    // Holds both at their last step, so that neither can have seen what the other did.
    await client.query('BEGIN');
    await client.query('SELECT FROM slipway.registered_models WHERE name = $1 FOR UPDATE', [name]);
    const moves = [registry, other].map((server, index) =>
      server.call('POST', 'model-versions/transition-stage', {
        name,
        version: String(index + 1),
        stage: 'Production',
        archive_existing_versions: true,
      }),
    );
    await waitingForLocks(registry.pool, 2);
    await client.query('COMMIT');
    assert.deepEqual(
      (await Promise.all(moves)).map(({ status }) => status),
      [200, 200],
    );
  } finally {
    client.release();
  }
  const stages = await Promise.all(['1', '2'].map(async (version) => (await get(name, version)).current_stage));
  assert.deepEqual(stages.sort(), ['Archived', 'Production']);
});

test('sixteen creators through two servers number their versions without a gap, and a deleted number stays taken', async () => {
  const name = await model('numbered');
  const other = await registry.another();
  const creators = Array.from({ length: 16 }, (_, index) =>
    (index % 2 ? registry : other).call('POST', 'model-versions/create', { name, source: `s3://elsewhere/${index}` }),
  );
  const numbers = (await Promise.all(creators)).map(({ body }) => Number(body.model_version.version));
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  await registry.ok('DELETE', 'model-versions/delete', { name, version: '16' });
  assert.equal((await registry.call('GET', 'model-versions/get', { name, version: '16' })).status, 404);
  assert.equal((await registry.call('DELETE', 'model-versions/delete', { name, version: '16' })).status, 404);
  assert.equal((await create({ name })).version, '17');
});

const root = () => `${experiment}/${run}/artifacts`;
const MLMODEL = 'flavors:\n  onnx:\n    data: model.onnx\n';

test('an ONNX model in our store waits for its proof, and its bytes are held by digest', async () => {
  const name = await model('onnx');
  registry.bucket.content.set(`${root()}/onnx/MLmodel`, MLMODEL).set(`${root()}/onnx/model.onnx`, 'bytes');
  const source = `mlflow-artifacts:/${root()}/onnx`;
  const made = await create({ name, source, run_id: run });
  assert.deepEqual([made.status, made.source, made.run_id], ['PENDING_REGISTRATION', source, run]);
  const kept = await row(name, made.version);
  assert.equal(kept.source_uri, `s3://slipway/default/${root()}/onnx`);
  assert.deepEqual(
    [kept.format, kept.artifact_uri, kept.artifact_files.length, kept.experiment_id],
    ['onnx', kept.source_uri, 2, Number(experiment)],
  );
  assert.match(kept.artifact_digest, /^[0-9a-f]{64}$/);
  assert.equal(
    (await registry.ok('GET', 'model-versions/get-download-uri', { name, version: '1' })).artifact_uri,
    source,
  );

  await registry.pool.query(
    "UPDATE slipway.model_versions SET status = 'FAILED_REGISTRATION', status_message = 'why' WHERE model = $1",
    [name],
  );
  const failed = await get(name, '1');
  assert.deepEqual([failed.status, failed.status_message], ['FAILED_REGISTRATION', 'why']);
});

test('bytes whose digest nobody counted are left to the verifier', async () => {
  const name = await model('uncounted');
  registry.bucket.content.set(`${root()}/raw/model.onnx`, 'bytes');
  registry.bucket.uncounted.add(`${root()}/raw/model.onnx`);
  const made = await create({ name, source: `runs:/${run}/raw`, run_id: run });
  assert.equal(made.status, 'PENDING_REGISTRATION');
  const kept = await row(name, '1');
  assert.deepEqual([kept.source_uri, kept.artifact_uri], [`s3://slipway/default/${root()}/raw`, null]);
});

test('a model of another flavour is kept and is READY at once', async () => {
  const name = await model('pickle');
  registry.bucket.content.set(`${root()}/sk/MLmodel`, 'flavors:\n  sklearn: {}\n').set(`${root()}/sk/model.pkl`, 'x');
  const made = await create({ name, source: `mlflow-artifacts:/${root()}/sk`, run_id: run });
  assert.deepEqual([made.status, (await row(name, '1')).format], ['READY', 'mlflow']);
});

test('where nothing verifies, an ONNX model is READY at once', async () => {
  const alone = await registry.another({ verified: false });
  const name = await model('alone');
  registry.bucket.content.set('nets/net.onnx', 'bytes');
  const { body } = await alone.call('POST', 'model-versions/create', {
    name,
    source: 's3://slipway/default/nets/net.onnx',
  });
  assert.equal(body.model_version.status, 'READY');
  const kept = await row(name, '1');
  assert.deepEqual([kept.format, kept.artifact_files[0].path], ['onnx', 'model.onnx']);
});

test('a logged model is registered with its run, and learns of its versions', async () => {
  const name = await model('from-logged');
  const place = `${experiment}/models/${logged}/artifacts`;
  registry.bucket.content.set(`${place}/MLmodel`, MLMODEL).set(`${place}/model.onnx`, 'x');
  const made = await create({ name, source: `models:/${logged}`, model_id: logged });
  assert.deepEqual([made.source, made.run_id, made.status], [`models:/${logged}`, run, 'PENDING_REGISTRATION']);
  await create({ name, source: `mlflow-artifacts:/${place}`, model_id: logged });
  const { model: read } = await registry.ok('GET', `logged-models/${logged}`);
  assert.deepEqual(read.info.tags, [
    {
      key: 'mlflow.modelVersions',
      value: '[{"name": "from-logged", "version": 1}, {"name": "from-logged", "version": 2}]',
    },
  ]);
  assert.equal(
    (await registry.ok('GET', 'model-versions/get-download-uri', { name, version: '1' })).artifact_uri,
    `mlflow-artifacts:/${place}`,
  );

  // By the path of its run, as clients before MLflow 3 name a model.
  await create({ name, source: `runs:/${run}/model`, run_id: run });
  assert.equal((await row(name, '3')).source_uri, `s3://slipway/default/${place}`);
});

test('a version is copied to another model, by number, alias, stage or the newest', async () => {
  const [from, to] = [await model('copied'), await model('copy')];
  registry.bucket.content.set(`${root()}/c/model.onnx`, 'x');
  await create({ name: from, source: `runs:/${run}/c`, run_id: run });
  await registry.ok('POST', 'registered-models/alias', { name: from, alias: 'champion', version: '1' });
  await registry.ok('POST', 'model-versions/transition-stage', { name: from, version: '1', stage: 'Staging' });
  for (const words of [`${from}/1`, `${from}@champion`, `${from}/staging`, `${from}/latest`]) {
    const copy = await create({ name: to, source: `models:/${words}` });
    assert.deepEqual(
      [copy.source, copy.run_id, copy.status],
      [`models:/${from}/1`, run, 'PENDING_REGISTRATION'],
      words,
    );
    const kept = await row(to, copy.version);
    assert.equal(kept.source_uri, `s3://slipway/default/${root()}/c`);
  }
});

test('a prompt is a version without bytes', async () => {
  const name = await model('prompt');
  const tags = [
    { key: 'mlflow.prompt.is_prompt', value: 'true' },
    { key: 'mlflow.prompt.text', value: 'Hello {{name}}' },
  ];
  const made = await create({ name, source: 'dummy-source', tags });
  assert.deepEqual([made.status, made.source, (await row(name, '1')).format], ['READY', 'dummy-source', 'mlflow']);
});

test('what a TrainingJob published is told by a path that clients can read', async () => {
  const name = await model('published');
  await registry.pool.query(
    `INSERT INTO slipway.model_versions (namespace, model, version, status, source_uri, format, creation_time)
       VALUES ('default', $1, 7, 'READY', $2, 'onnx', now())`,
    [name, `s3://slipway/default/${root()}/attempt/model`],
  );
  const told = `mlflow-artifacts:/${root()}/attempt/model`;
  assert.equal((await get(name, '7')).source, told);
  assert.equal(
    (await registry.ok('GET', 'model-versions/get-download-uri', { name, version: '7' })).artifact_uri,
    told,
  );
});

test('when the object store is away nothing is registered, and the number is not spent', async () => {
  const name = await model('outage');
  registry.bucket.outage = true;
  try {
    const { status, body } = await registry.call('POST', 'model-versions/create', {
      name,
      source: 's3://slipway/default/nets/x.onnx',
    });
    assert.deepEqual([status, body.error_code], [503, 'TEMPORARILY_UNAVAILABLE']);
  } finally {
    registry.bucket.outage = false;
  }
  assert.equal((await create({ name })).version, '1');
});

test('the token of a run registers what the run made, changes that, and nothing else', async () => {
  const name = await model('by-token');
  const foreign = await create({ name, source: 's3://elsewhere/x', run_id: 'another' });
  const caller = await registry.another({ admit: async () => ({ name: 'run', runId: run }) });
  const statusOf = async (method: string, path: string, parameters: object) =>
    (await caller.call(method, path, { name, ...parameters })).status;
  assert.equal(await statusOf('POST', 'registered-models/create', { name: 'made-by-run' }), 200);
  assert.equal(await statusOf('POST', 'model-versions/create', { source: 's3://elsewhere/x', run_id: run }), 200);
  assert.equal(await statusOf('POST', 'model-versions/create', { source: `models:/${logged}`, model_id: logged }), 200);
  for (const version of ['2', '3']) {
    assert.equal(await statusOf('POST', 'model-versions/transition-stage', { version, stage: 'Production' }), 200);
    assert.equal(await statusOf('POST', 'model-versions/set-tag', { version, key: 'k', value: 'v' }), 200);
    assert.equal(await statusOf('POST', 'registered-models/alias', { version, alias: 'champion' }), 200);
    assert.equal(await statusOf('PATCH', 'model-versions/update', { version, description: 'x' }), 200);
  }
  assert.equal(await statusOf('DELETE', 'registered-models/alias', { alias: 'champion' }), 200);

  const { version } = foreign;
  await registry.ok('POST', 'registered-models/alias', { name, alias: 'theirs', version });
  const forbidden = [
    ['POST', 'model-versions/create', { source: 's3://elsewhere/x' }],
    ['POST', 'model-versions/create', { source: 's3://elsewhere/x', run_id: 'another' }],
    ['POST', 'model-versions/create', { source: `models:/${logged}`, model_id: logged, run_id: 'another' }],
    ['POST', 'model-versions/transition-stage', { version, stage: 'Production' }],
    ['POST', 'model-versions/set-tag', { version, key: 'k', value: 'v' }],
    ['DELETE', 'model-versions/delete-tag', { version, key: 'k' }],
    ['PATCH', 'model-versions/update', { version, description: 'x' }],
    ['POST', 'registered-models/alias', { version, alias: 'champion' }],
    ['DELETE', 'registered-models/alias', { alias: 'theirs' }],
    ['DELETE', 'model-versions/delete', { version: '2' }],
    ['DELETE', 'registered-models/delete', {}],
    ['POST', 'registered-models/rename', { new_name: 'mine' }],
    ['PATCH', 'registered-models/update', { description: 'mine' }],
    ['POST', 'registered-models/set-tag', { key: 'k', value: 'v' }],
  ] as const;
  for (const [method, path, parameters] of forbidden)
    assert.equal(await statusOf(method, path, parameters), 403, `${path} ${JSON.stringify(parameters)}`);
});
