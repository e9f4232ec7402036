import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Fixture, type Refusal, startModels } from '../testing/models.ts';

let registry: Fixture;
let experiment: string;
let run: string;
let known: string;
before(async () => {
  registry = await startModels();
  experiment = (await registry.ok('POST', 'experiments/create', { name: 'e' })).experiment_id;
  run = (await registry.ok('POST', 'runs/create', { experiment_id: experiment })).run.info.run_id;
  known = await create({ params: [{ key: 'p', value: '1' }] });
});
after(() => registry?.stop());

const create = async (request: object = {}): Promise<string> =>
  (
    await registry.ok('POST', 'logged-models', {
      experiment_id: experiment,
      name: 'model',
      source_run_id: run,
      ...request,
    })
  ).model.info.model_id;
const get = async (id: string, parameters: Record<string, unknown> = {}) =>
  (await registry.ok('GET', `logged-models/${id}`, parameters)).model;

const INVALID = 'INVALID_PARAMETER_VALUE';
const GONE = 'RESOURCE_DOES_NOT_EXIST';
const nobody = `m-${'0'.repeat(32)}`;
const NOBODY = `Logged model with ID '${nobody}' not found.`;

/** Requests that need the server to have started. */
const refusals: readonly (Omit<Refusal, 'request'> & { request: () => Refusal['request'] })[] = [
  {
    what: 'a model of no experiment',
    request: () => ['POST', 'logged-models', { name: 'x' }],
    status: 400,
    code: INVALID,
    message: /^Missing value for required parameter 'experiment_id'/,
  },
  {
    what: 'a model of an experiment that is not there',
    request: () => ['POST', 'logged-models', { experiment_id: '999' }],
    status: 404,
    code: GONE,
    message: 'No Experiment with id=999 exists',
  },
  {
    what: 'a model of an experiment beyond all numbers',
    request: () => ['POST', 'logged-models', { experiment_id: '99999999999' }],
    status: 404,
    code: GONE,
    message: 'No Experiment with id=99999999999 exists',
  },
  {
    what: 'a model of what is no experiment',
    request: () => ['POST', 'logged-models', { experiment_id: 'abc' }],
    status: 400,
    code: INVALID,
    message: "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
  },
  {
    what: 'a name with a slash',
    request: () => ['POST', 'logged-models', { experiment_id: experiment, name: 'a/b' }],
    status: 400,
    code: INVALID,
    message: `Invalid model name ('a/b') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
  },
  {
    what: 'a name with a quote',
    request: () => ['POST', 'logged-models', { experiment_id: experiment, name: "a'b" }],
    status: 400,
    code: INVALID,
    message: /^Invalid model name \("a'b"\) provided/,
  },
  {
    what: 'a name that is too long',
    request: () => ['POST', 'logged-models', { experiment_id: experiment, name: 'x'.repeat(501) }],
    status: 400,
    code: INVALID,
    message: /'name' exceeds/,
  },
  {
    what: 'a name with a NUL',
    request: () => ['POST', 'logged-models', { experiment_id: experiment, name: 'a\0' }],
    status: 400,
    code: INVALID,
    message: /NUL/,
  },
  {
    what: 'two values of one param',
    request: () => [
      'POST',
      'logged-models',
      {
        experiment_id: experiment,
        params: [
          { key: 'a', value: '1' },
          { key: 'a', value: '2' },
        ],
      },
    ],
    status: 400,
    code: INVALID,
    message: /key='a'/,
  },
  {
    what: 'another value of a param',
    request: () => [
      'POST',
      `logged-models/${known}/params`,
      {
        params: [
          { key: 'q', value: '1' },
          { key: 'p', value: '2' },
        ],
      },
    ],
    status: 400,
    code: INVALID,
    message: /key='p'/,
  },
  {
    what: 'a status that is none',
    request: () => ['PATCH', `logged-models/${known}`, { status: 'BOGUS' }],
    status: 400,
    code: INVALID,
    message: /LOGGED_MODEL_READY/,
  },
  {
    what: 'no status',
    request: () => ['PATCH', `logged-models/${known}`, {}],
    status: 400,
    code: INVALID,
    message: /^Missing value for required parameter 'status'/,
  },
  {
    what: 'a tag that nobody set',
    request: () => ['DELETE', `logged-models/${known}/tags/nope`],
    status: 404,
    code: GONE,
    message: /^No tag with key 'nope' found for model with ID 'm-/,
  },
  ...(
    [
      ['GET', `logged-models/${nobody}`],
      ['PATCH', `logged-models/${nobody}`, { status: 'LOGGED_MODEL_READY' }],
      ['DELETE', `logged-models/${nobody}`],
      ['PATCH', `logged-models/${nobody}/tags`, { tags: [{ key: 'a', value: 'b' }] }],
      ['DELETE', `logged-models/${nobody}/tags/a`],
      ['POST', `logged-models/${nobody}/params`, { params: [{ key: 'a', value: 'b' }] }],
    ] as const
  ).map((request) => ({
    what: `${request[0]} ${request[1].replace(nobody, 'nobody')}`,
    request: (): Refusal['request'] => [...request] as Refusal['request'],
    status: 404,
    code: GONE,
    message: NOBODY,
  })),
];

for (const { what, request, status, code, message } of refusals)
  test(`${what} is refused with ${status}`, async () => {
    const answer = await registry.call(...request());
    assert.deepEqual([answer.status, answer.body.error_code], [status, code], JSON.stringify(answer.body));
    if (typeof message === 'string') assert.equal(answer.body.message, message);
    else assert.match(answer.body.message, message);
  });

test('a refused batch of params writes none of them', async () => {
  await registry.call('POST', `logged-models/${known}/params`, {
    params: [
      { key: 'q', value: '1' },
      { key: 'p', value: '2' },
    ],
  });
  assert.deepEqual((await get(known)).data.params, [{ key: 'p', value: '1' }]);
});

test('a model is logged, finished, tagged and read', async () => {
  const id = await create({ model_type: 't', tags: [{ key: 'a', value: '1' }] });
  assert.match(id, /^m-[0-9a-f]{32}$/);
  const { creation_timestamp_ms, last_updated_timestamp_ms, ...info } = (await get(id)).info;
  assert.ok(last_updated_timestamp_ms >= creation_timestamp_ms);
  assert.deepEqual(info, {
    model_id: id,
    experiment_id: experiment,
    name: 'model',
    artifact_uri: `mlflow-artifacts:/${experiment}/models/${id}/artifacts`,
    status: 'LOGGED_MODEL_PENDING',
    model_type: 't',
    source_run_id: run,
    tags: [{ key: 'a', value: '1' }],
  });
  const finish = async (status: unknown) =>
    (await registry.ok('PATCH', `logged-models/${id}`, { model_id: id, status })).model.info.status;
  assert.equal(await finish(3), 'LOGGED_MODEL_UPLOAD_FAILED');
  assert.equal(await finish('LOGGED_MODEL_READY'), 'LOGGED_MODEL_READY');
  await registry.ok('PATCH', `logged-models/${id}/tags`, {
    tags: [
      { key: 'a', value: '2' },
      { key: 'a', value: '3' },
      { key: 'b!', value: '' },
    ],
  });
  await registry.ok('DELETE', `logged-models/${id}/tags/b%21`);
  await registry.ok('POST', `logged-models/${id}/params`, {
    model_id: id,
    params: [{ key: 'p', value: 'x'.repeat(7000) }],
  });
  const read = await get(id);
  assert.deepEqual([read.info.tags, read.data.params.length], [[{ key: 'a', value: '3' }], 1]);
});

test('a model that is given no name gets one', async () => {
  assert.match((await get(await create({ name: '' }))).info.name, /^\w+-\w+-\d+$/);
});

test('metrics that were logged with the model come with it, those JSON has no number for too', async () => {
  const id = await create();
  const point = { run_id: run, timestamp: 5, step: 1, model_id: id };
  await registry.ok('POST', 'runs/log-metric', {
    ...point,
    key: 'acc',
    value: 0.5,
    dataset_name: 'd',
    dataset_digest: 'e',
  });
  await registry.ok('POST', 'runs/log-metric', { ...point, key: 'nan', value: 'NaN' });
  assert.deepEqual((await get(id)).data.metrics, [
    {
      key: 'acc',
      value: 0.5,
      timestamp: 5,
      step: 1,
      dataset_name: 'd',
      dataset_digest: 'e',
      model_id: id,
      run_id: run,
    },
    { key: 'nan', value: 'NaN', timestamp: 5, step: 1, model_id: id, run_id: run },
  ]);
});

test('a deleted model is found only by who asks for deleted ones', async () => {
  const id = await create();
  for (let twice = 0; twice < 2; twice++)
    assert.deepEqual(await registry.ok('DELETE', `logged-models/${id}`, { model_id: id }), {});
  assert.equal((await registry.call('GET', `logged-models/${id}`)).status, 404);
  assert.equal((await get(id, { allow_deleted: 'true' })).info.model_id, id);
});

test('a deleted experiment takes no models', async () => {
  const { experiment_id } = await registry.ok('POST', 'experiments/create', { name: 'gone' });
  await registry.ok('POST', 'experiments/delete', { experiment_id });
  const { status, body } = await registry.call('POST', 'logged-models', { experiment_id });
  assert.deepEqual(
    [status, body.message],
    [400, `The experiment ${experiment_id} must be in the 'active' state. Current state is deleted.`],
  );
});

test('the token of a run logs models of that run and changes those only', async () => {
  const foreign = await create({ source_run_id: 'another' });
  const caller = await registry.another({ admit: async () => ({ name: 'run', runId: run }) });
  const statusOf = async (method: string, path: string, parameters: Record<string, unknown> = {}) =>
    (await caller.call(method, path, parameters)).status;
  const own = (await caller.call('POST', 'logged-models', { experiment_id: experiment, source_run_id: run })).body.model
    .info.model_id;
  const changes = (id: string) =>
    [
      ['PATCH', `logged-models/${id}`, { model_id: own, status: 'LOGGED_MODEL_READY' }],
      ['PATCH', `logged-models/${id}/tags`, { tags: [{ key: 'a', value: 'b' }] }],
      ['DELETE', `logged-models/${id}/tags/a`, {}],
      ['POST', `logged-models/${id}/params`, { params: [{ key: 'a', value: 'b' }] }],
    ] as const;
  for (const [method, path, parameters] of changes(own))
    assert.equal(await statusOf(method, path, parameters), 200, path);
  for (const [method, path, parameters] of changes(foreign))
    assert.equal(await statusOf(method, path, parameters), 403, path);
  assert.equal(await statusOf('POST', 'logged-models', { experiment_id: experiment, source_run_id: 'another' }), 403);
  assert.equal(await statusOf('POST', 'logged-models', { experiment_id: experiment }), 403);
  assert.equal(await statusOf('DELETE', `logged-models/${own}`), 403);
});
