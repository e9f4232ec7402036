/** Tracking over HTTP: what a client gets for every endpoint, and for every mistake it can make. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, openStores } from '@slipway/database';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../../../../database/testing/postgres.ts';
import { startRun } from '../../../../database/testing/rows.ts';
import { type Served, serveRegistry } from '../../../testing/serve.ts';
import type { Caller } from '../../http/exchange.ts';
import { admitAll } from '../../tenants/admit.ts';

let postgres: TestPostgres;
let pool: pg.Pool;
let served: Served;
let caller: Caller = { name: 'ada' };
let experiment: string;
let run: string;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tracking-http-test', max: 16 });
  const admit = admitAll(pool);
  served = await serveRegistry(pool, {
    admit: async (exchange, access) => {
      await admit(exchange, access);
      return caller;
    },
  });
  experiment = (await good('POST', 'experiments/create', { name: 'iris' })).experiment_id;
  run = await newRun();
});
after(async () => {
  await served.close();
  await pool.end();
  await postgres.stop();
});

/** The body of an answer that must be 200. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at any answer
async function good(method: string, path: string, parameters: Record<string, unknown> = {}): Promise<any> {
  const { status, body } = await served.call(method, path, parameters);
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  return body;
}
const newRun = async (over: Record<string, unknown> = {}): Promise<string> =>
  (await good('POST', 'runs/create', { experiment_id: experiment, start_time: 1, ...over })).run.info.run_id;
const read = async (runId: string) => (await good('GET', 'runs/get', { run_id: runId })).run;

const SEE = 'See the API docs for more information about request parameters.';
const missingValue = (name: string) =>
  [400, 'INVALID_PARAMETER_VALUE', `Missing value for required parameter '${name}'. ${SEE}`] as const;
const wrongType = (name: string, value: string, type: string) =>
  [
    400,
    'INVALID_PARAMETER_VALUE',
    `Invalid value ${value} for parameter '${name}' supplied:  Hint: Value was of type '${type}'. ${SEE}`,
  ] as const;
const bad = (message: string | RegExp) => [400, 'INVALID_PARAMETER_VALUE', message] as const;
const notThere = (message: string) => [404, 'RESOURCE_DOES_NOT_EXIST', message] as const;

type Refusal = readonly [status: number, code: string, message: string | RegExp];
const long = (length: number) => 'k'.repeat(length);
const pairs = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: 'v' }));
const points = (count: number) =>
  Array.from({ length: count }, (_, step) => ({ key: 'm', value: 1, timestamp: 1, step }));
const nul = 'a\u0000b';
const half = 'a\ud800b';
const noText = (name: string) =>
  bad(new RegExp(`for parameter '${name.replace(/[[\]]/g, '\\$&')}' supplied: it holds a NUL character`));

/** `run` and `experiment` stand for those of this file. */
const refusals: readonly (readonly [call: string, parameters: Record<string, unknown>, refusal: Refusal])[] = [
  ['POST experiments/create', {}, missingValue('name')],
  ['POST experiments/create', { name: '' }, missingValue('name')],
  ['POST experiments/create', { name: 5 }, wrongType('name', '5', 'int')],
  ['POST experiments/create', { name: long(501) }, bad("'name' exceeds the maximum length of 500 characters")],
  [
    'POST experiments/create',
    { name: 'iris' },
    [400, 'RESOURCE_ALREADY_EXISTS', 'Experiment(name=iris) already exists.'],
  ],
  ['POST experiments/create', { name: nul }, noText('name')],
  ['POST experiments/create', { name: half }, noText('name')],
  ['POST experiments/create', { name: 'x', tags: 'y' }, wrongType('tags', '"y"', 'str')],
  [
    'POST experiments/create',
    { name: 'x', tags: [{ key: 'a$', value: '' }] },
    bad(/^Invalid value "a\$" for parameter 'key' supplied: Names may only/),
  ],
  [
    'POST experiments/create',
    { name: 'x', tags: [{ key: 'a', value: long(20_001) }] },
    bad("'value' exceeds the maximum length of 20000 characters"),
  ],
  ['POST experiments/create', { name: 'x', tags: [{ key: 'a', value: nul }] }, noText('tags[0].value')],
  ['POST experiments/create', { name: 'x', tags: [{ key: 'a' }, { key: 'a' }] }, bad(/^Duplicate tag keys/)],
  ['POST experiments/create', { name: 'x', artifact_location: 'http://h/x' }, bad(/cannot use the 'http' scheme/)],
  ['POST experiments/create', { name: 'x', artifact_location: 's3://slipway/other/x' }, bad(/must lie below/)],
  ['GET experiments/get', {}, missingValue('experiment_id')],
  ['GET experiments/get', { experiment_id: '9999' }, notThere('No Experiment with id=9999 exists')],
  ['GET experiments/get', { experiment_id: '-1' }, notThere('No Experiment with id=-1 exists')],
  [
    'GET experiments/get',
    { experiment_id: '9'.repeat(30) },
    notThere(`No Experiment with id=${'9'.repeat(30)} exists`),
  ],
  [
    'GET experiments/get',
    { experiment_id: 'x' },
    bad("Invalid experiment ID 'x'. Experiment ID must be a valid integer."),
  ],
  ['GET experiments/get-by-name', { experiment_name: 'nope' }, notThere("Could not find experiment with name 'nope'")],
  ['POST experiments/update', { experiment_id: 'experiment' }, missingValue('new_name')],
  [
    'POST experiments/update',
    { experiment_id: 'experiment', new_name: 'Default' },
    [400, 'RESOURCE_ALREADY_EXISTS', 'Experiment(name=Default) already exists.'],
  ],
  ['POST experiments/update', { experiment_id: '9999', new_name: 'a' }, notThere('No Experiment with id=9999 exists')],
  ['POST experiments/delete', { experiment_id: '9999' }, notThere('No Experiment with id=9999 exists')],
  ['POST experiments/restore', { experiment_id: 'experiment' }, notThere('No Experiment with id=experiment exists')],
  ['POST experiments/set-experiment-tag', { experiment_id: 'experiment', key: '..' }, bad(/would resolve to '\.\.'/)],
  [
    'POST experiments/set-experiment-tag',
    { experiment_id: '9999', key: 'a' },
    notThere('No Experiment with id=9999 exists'),
  ],
  [
    'POST experiments/delete-experiment-tag',
    { experiment_id: 'experiment', key: 'zz' },
    notThere('No tag with name: zz in experiment with id experiment'),
  ],
  // The one endpoint whose code differs, and clients see it.
  ['POST runs/create', {}, [400, 'BAD_REQUEST', missingValue('experiment_id')[2]]],
  ['POST runs/create', { experiment_id: '9999' }, notThere('No Experiment with id=9999 exists')],
  ['POST runs/create', { experiment_id: 'experiment', start_time: 'x' }, wrongType('start_time', '"x"', 'str')],
  ['POST runs/create', { experiment_id: 'experiment', start_time: -1e15 }, bad(/for parameter 'start_time'/)],
  [
    'POST runs/create',
    { experiment_id: 'experiment', start_time: 1e300 },
    bad(/for parameter 'start_time' supplied: it must be an integer between/),
  ],
  ['POST runs/create', { experiment_id: 'experiment', user_id: nul }, noText('user_id')],
  ['POST runs/create', { experiment_id: 'experiment', tags: pairs(1).concat(pairs(1)) }, bad(/^Duplicate tag keys/)],
  [
    'POST runs/create',
    { experiment_id: 'experiment', run_name: 'a', tags: [{ key: 'mlflow.runName', value: 'b' }] },
    bad(/^Both 'run_name' argument and 'mlflow.runName' tag are specified/),
  ],
  ['GET runs/get', {}, missingValue('run_id')],
  ['GET runs/get', { run_id: 'nope' }, notThere('Run with id=nope not found')],
  ['GET runs/get', { run_id: nul }, noText('run_id')],
  ['POST runs/update', { run_id: 'nope' }, notThere('Run with id=nope not found')],
  ['POST runs/update', { run_id: 'run', end_time: 'x' }, wrongType('end_time', '"x"', 'str')],
  [
    'POST runs/update',
    { run_id: 'run', end_time: '9223372036854775807' },
    bad(/for parameter 'end_time' supplied: it must be an integer between/),
  ],
  ['POST runs/update', { run_id: 'run', run_name: half }, noText('run_name')],
  ['POST runs/delete', { run_id: 'nope' }, notThere('Run with id=nope not found')],
  ['POST runs/restore', { run_id: 'nope' }, notThere('Run with id=nope not found')],
  ['POST runs/set-tag', { run_id: 'run', key: '' }, missingValue('key')],
  ['POST runs/set-tag', { run_id: 'run', key: long(251) }, bad("'key' exceeds the maximum length of 250 characters")],
  ['POST runs/set-tag', { run_id: 'run', key: 'a', value: nul }, noText('value')],
  [
    'POST runs/delete-tag',
    { run_id: 'run', key: 'zz' },
    [404, 'RESOURCE_DOES_NOT_EXIST', 'No tag with name: zz in run with id run'],
  ],
  ['POST runs/log-metric', { run_id: 'run', key: 'm', timestamp: 1 }, missingValue('value')],
  ['POST runs/log-metric', { run_id: 'run', key: 'm', value: 1 }, missingValue('timestamp')],
  ['POST runs/log-metric', { run_id: 'run', key: 'm', value: 'abc', timestamp: 1 }, wrongType('value', '"abc"', 'str')],
  ['POST runs/log-metric', { run_id: 'run', key: 'm', value: [1], timestamp: 1 }, wrongType('value', '[1]', 'list')],
  [
    'POST runs/log-metric',
    { run_id: 'run', key: 'm', value: 1, timestamp: -5 },
    bad(/^Invalid value -5 for parameter 'timestamp' supplied/),
  ],
  [
    'POST runs/log-metric',
    { run_id: 'run', key: 'm', value: 1, timestamp: '9223372036854775808' },
    bad(/'timestamp' supplied: it must be an integer between/),
  ],
  [
    'POST runs/log-metric',
    { run_id: 'run', key: 'm', value: 1, timestamp: 1, step: 1e19 },
    bad(/'step' supplied: it must be an integer between/),
  ],
  ['POST runs/log-metric', { run_id: 'run', key: nul, value: 1, timestamp: 1 }, noText('key')],
  [
    'POST runs/log-metric',
    { run_id: 'nope', key: 'm', value: 1, timestamp: 1 },
    notThere('Run with id=nope not found'),
  ],
  [
    'POST runs/log-metric',
    { run_id: 'run', key: 'm', value: 1, timestamp: 1, model_id: 'm-nope' },
    [400, 'BAD_REQUEST', /^Logged model with ID 'm-nope' not found/],
  ],
  ['POST runs/log-parameter', { run_id: 'run', key: 'p', value: 2 }, wrongType('value', '2', 'int')],
  [
    'POST runs/log-parameter',
    { run_id: 'run', key: 'set', value: '2.0' },
    bad(
      "Changing param values is not allowed. Param with key='set' was already logged with value='1.0' for run ID='run'. Attempted logging new value '2.0'.",
    ),
  ],
  ['POST runs/log-batch', {}, missingValue('run_id')],
  ['POST runs/log-batch', { run_id: 'no/pe' }, bad(`Invalid value "no/pe" for parameter 'run_id' supplied.`)],
  ['POST runs/log-batch', { run_id: 'nope' }, notThere('Run with id=nope not found')],
  ['POST runs/log-batch', { run_id: 'run', metrics: [{ key: 'a' }] }, missingValue('metrics[0].value')],
  ['POST runs/log-batch', { run_id: 'run', metrics: [{ key: 'a', value: 1 }] }, missingValue('metrics[0].timestamp')],
  [
    'POST runs/log-batch',
    { run_id: 'run', metrics: [{ key: 'a', value: 'x', timestamp: 1 }] },
    wrongType('metrics[0].value', '"x"', 'str'),
  ],
  ['POST runs/log-batch', { run_id: 'run', params: [{ value: '1' }] }, missingValue('params[0].key')],
  ['POST runs/log-batch', { run_id: 'run', tags: [{ key: 'a', value: half }] }, noText('tags[0].value')],
  ['POST runs/log-batch', { run_id: 'run', metrics: points(1001) }, bad(/at most 1000 metrics\. Got 1001 metrics\./)],
  ['POST runs/log-batch', { run_id: 'run', params: pairs(101) }, bad(/at most 100 params\. Got 101 params\./)],
  ['POST runs/log-batch', { run_id: 'run', tags: pairs(101) }, bad(/at most 100 tags\. Got 101 tags\./)],
  [
    'POST runs/log-batch',
    { run_id: 'run', metrics: points(950), tags: pairs(51) },
    bad(/at most 1000 metrics, params, and tags\./),
  ],
  [
    'POST runs/log-batch',
    { run_id: 'run', params: [...pairs(1), ...pairs(1)] },
    bad(/^Duplicate parameter keys have been submitted: \['k0'\]/),
  ],
  [
    'POST runs/log-batch',
    { run_id: 'run', params: [{ key: 'set', value: "it's" }] },
    bad(
      `Changing param values is not allowed. Params were already logged='[{'key': 'set', 'old_value': '1.0', 'new_value': "it's"}]' for run ID='run'.`,
    ),
  ],
  ['POST runs/log-inputs', { run_id: 'run', datasets: [{}] }, missingValue('datasets[0].dataset')],
  [
    'POST runs/log-inputs',
    { run_id: 'run', datasets: [{ dataset: { name: 'd', digest: long(37) } }] },
    bad("'digest' exceeds the maximum length of 36 characters"),
  ],
  ['POST runs/log-inputs', { run_id: 'nope' }, notThere('Run with id=nope not found')],
  ['POST runs/outputs', { run_id: 'run' }, missingValue('models')],
  ['POST runs/outputs', { run_id: 'nope', models: [] }, notThere('Run with id=nope not found')],
  ['POST runs/log-model', { run_id: 'run', model_json: '{' }, bad(/^Malformed model info/)],
  [
    'POST runs/log-model',
    { run_id: 'run', model_json: '{"run_id":"r"}' },
    bad("Model json is missing mandatory fields: {'artifact_path', 'flavors', 'utc_time_created'}"),
  ],
  [
    'POST runs/log-model',
    { run_id: 'run', model_json: '{"run_id":"\\u0000","artifact_path":"","flavors":{},"utc_time_created":""}' },
    bad(/holds a NUL character/),
  ],
  ['GET metrics/get-history', { run_id: 'run' }, missingValue('metric_key')],
  [
    'GET metrics/get-history',
    { run_id: 'run', metric_key: 'm', max_results: 0 },
    bad("Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer."),
  ],
  [
    'GET metrics/get-history',
    { run_id: 'run', metric_key: 'm', max_results: 'x' },
    wrongType('max_results', '"x"', 'str'),
  ],
  ['GET metrics/get-history', { run_id: 'run', metric_key: 'm', page_token: 'zzz' }, bad(/^Invalid page token/)],
  [
    'GET metrics/get-history',
    { run_id: 'run', metric_key: 'm', page_token: 'WzFlMzAwLDAsIjEiXQ' },
    bad(/^Invalid page token/),
  ],
  [
    'GET metrics/get-history-bulk',
    { metric_key: 'm' },
    bad('GetMetricHistoryBulk request must specify at least one run_id.'),
  ],
  ['GET metrics/get-history-bulk', { run_id: 'x' }, bad('GetMetricHistoryBulk request must specify a metric_key.')],
  [
    'GET metrics/get-history-bulk',
    { run_id: Array(101).fill('x'), metric_key: 'm' },
    bad(/cannot specify more than 100 run_ids/),
  ],
  ['GET metrics/get-history-bulk', { run_id: nul, metric_key: 'm' }, noText('run_id')],
  ['GET metrics/get-history-bulk-interval', { metric_key: 'm' }, missingValue('run_ids')],
  [
    'GET metrics/get-history-bulk-interval',
    { run_ids: 'run', metric_key: 'm', max_results: 2501 },
    bad(`max_results must be between 1 and 2500. ${SEE}`),
  ],
  [
    'GET metrics/get-history-bulk-interval',
    { run_ids: 'run', metric_key: 'm', start_step: 1 },
    bad('If either start step or end step are specified, both must be specified.'),
  ],
  [
    'GET metrics/get-history-bulk-interval',
    { run_ids: 'run', metric_key: 'm', start_step: 2, end_step: 1 },
    bad('end_step must be greater than start_step. Found start_step=2 and end_step=1.'),
  ],
];

test('every mistake is told in the words clients know, and changes nothing', async (t) => {
  await good('POST', 'runs/log-parameter', { run_id: run, key: 'set', value: '1.0' });
  const before = await read(run);
  const named = (text: string) =>
    text
      .replaceAll(/\bID='run'|\bid run\b|^run$/g, (found) => found.replace('run', run))
      .replaceAll(/\bid(=| )experiment\b|^experiment$/g, (found) => found.replace('experiment', experiment));
  for (const [call, parameters, [status, code, message]] of refusals)
    await t.test(`${call} ${JSON.stringify(parameters).slice(0, 80)}`, async () => {
      const [method, path] = call.split(' ') as [string, string];
      const sent = Object.fromEntries(
        Object.entries(parameters).map(([key, value]) => [key, typeof value === 'string' ? named(value) : value]),
      );
      const answer = await served.call(method, path, sent);
      assert.deepEqual([answer.status, answer.body.error_code], [status, code], JSON.stringify(answer.body));
      if (typeof message === 'string') assert.equal(answer.body.message, named(message));
      else assert.match(answer.body.message, message);
    });
  assert.deepEqual(await read(run), before);
});

test('an experiment: made, found by id and name, tagged, renamed', async () => {
  const { experiment_id: id } = await good('POST', 'experiments/create', {
    name: 'größe 日本',
    tags: [{ key: 'b', value: '1' }, { key: 'a' }],
  });
  await good('POST', 'experiments/set-experiment-tag', { experiment_id: id, key: 'c d/e', value: '2' });
  await good('POST', 'experiments/delete-experiment-tag', { experiment_id: id, key: 'b' });
  const { experiment: found } = await good('GET', 'experiments/get', { experiment_id: `0${id}` });
  const { creation_time, last_update_time, ...rest } = found;
  assert.ok(Math.abs(Date.now() - creation_time) < 60_000);
  assert.deepEqual(rest, {
    experiment_id: id,
    name: 'größe 日本',
    artifact_location: `mlflow-artifacts:/${id}`,
    lifecycle_stage: 'active',
    tags: [
      { key: 'a', value: '' },
      { key: 'c d/e', value: '2' },
    ],
    workspace: 'default',
  });
  await good('POST', 'experiments/update', { experiment_id: id, new_name: 'renamed' });
  const { experiment: renamed } = await good('GET', 'experiments/get-by-name', { experiment_name: 'renamed' });
  assert.equal(renamed.experiment_id, id);
  assert.ok(renamed.last_update_time >= last_update_time);
  assert.equal((await good('GET', 'experiments/get', { experiment_id: '0' })).experiment.name, 'Default');
});

test('a run: what is logged to it is what is read from it', async () => {
  const { run: made } = await good('POST', 'runs/create', {
    experiment_id: experiment,
    user_id: 'ada',
    start_time: 123,
    run_name: 'first',
    tags: [{ key: 'mlflow.user', value: 'ada' }],
  });
  const id = made.info.run_id;
  const info = {
    run_uuid: id,
    experiment_id: experiment,
    run_name: 'first',
    user_id: 'ada',
    status: 'RUNNING',
    start_time: 123,
    artifact_uri: `mlflow-artifacts:/${experiment}/${id}/artifacts`,
    lifecycle_stage: 'active',
    run_id: id,
  };
  const tags = [
    { key: 'mlflow.user', value: 'ada' },
    { key: 'mlflow.runName', value: 'first' },
  ];
  assert.deepEqual(made, { info, data: { tags }, inputs: {} });

  await good('POST', 'runs/log-metric', { run_uuid: id, key: 'uuid', value: '1.5', timestamp: '7', step: '3' });
  await good('POST', 'runs/log-batch', {
    run_id: id,
    metrics: [
      { key: 'inf', value: 'Infinity', timestamp: 1 },
      { key: 'nan', value: 'NaN', timestamp: 1, step: 2, run_id: id, model_id: '', dataset_name: null },
    ],
    params: [
      { key: 'C', value: '1.0' },
      { key: 'long', value: long(6001) },
    ],
    tags: [
      { key: 'mlflow.runName', value: '' },
      { key: 't', value: '1' },
      { key: 't', value: '2' },
    ],
  });
  const dataset = { name: 'd', digest: 'x', source_type: 'local', source: 's', schema: '{}', profile: '{}' };
  await good('POST', 'runs/log-inputs', {
    run_id: id,
    datasets: [{ tags: [{ key: 'mlflow.data.context', value: 'train' }], dataset }],
    models: [{ model_id: 'm-in' }],
  });
  await good('POST', 'runs/outputs', { run_id: id, models: [{ model_id: 'm-out', step: 3 }] });
  assert.deepEqual(await read(id), {
    info,
    data: {
      metrics: [
        { key: 'inf', value: Number.MAX_VALUE, timestamp: 1, step: 0 },
        { key: 'nan', value: 'NaN', timestamp: 1, step: 2 },
        { key: 'uuid', value: 1.5, timestamp: 7, step: 3 },
      ],
      params: [
        { key: 'C', value: '1.0' },
        { key: 'long', value: long(6000) },
      ],
      tags: [
        { key: 'mlflow.runName', value: 'first' },
        { key: 'mlflow.user', value: 'ada' },
        { key: 't', value: '2' },
      ],
    },
    inputs: {
      dataset_inputs: [{ tags: [{ key: 'mlflow.data.context', value: 'train' }], dataset }],
      model_inputs: [{ model_id: 'm-in' }],
    },
    outputs: { model_outputs: [{ model_id: 'm-out', step: 3 }] },
  });
});

test('a run without a name is given one, as its tag too', async () => {
  const { info, data } = await read(await newRun());
  assert.match(info.run_name, /^[a-z]+-[a-z]+-\d+$/);
  assert.deepEqual(data.tags, [{ key: 'mlflow.runName', value: info.run_name }]);
  assert.equal(
    (await read(await newRun({ tags: [{ key: 'mlflow.runName', value: 'tagged' }] }))).info.run_name,
    'tagged',
  );
});

test('a run moves on: name and tag together, a status that is none says nothing, a time of 0 is none', async () => {
  const id = await newRun({ run_name: 'one' });
  const update = async (over: Record<string, unknown>) =>
    (await good('POST', 'runs/update', { run_id: id, ...over })).run_info;
  assert.equal((await update({ status: 'BOGUS', end_time: 7 })).status, 'RUNNING');
  assert.equal((await update({ status: 3 })).status, 'FINISHED');
  assert.equal((await update({ run_name: '' })).run_name, 'one');
  assert.equal((await update({ end_time: 0 })).end_time, undefined);
  assert.equal((await update({ status: 'FAILED', end_time: 99, run_name: 'two' })).end_time, 99);
  assert.deepEqual((await read(id)).data.tags, [{ key: 'mlflow.runName', value: 'two' }]);
  await good('POST', 'runs/set-tag', { run_id: id, key: 'mlflow.runName', value: 'three' });
  assert.equal((await read(id)).info.run_name, 'three');
});

test('a deleted run takes nothing more until it is restored', async () => {
  const id = await newRun();
  for (const _ of [1, 2]) await good('POST', 'runs/delete', { run_id: id });
  assert.equal((await read(id)).info.lifecycle_stage, 'deleted');
  const writes: readonly (readonly [string, object])[] = [
    ['runs/update', {}],
    ['runs/log-metric', { key: 'm', value: 1, timestamp: 1 }],
    ['runs/log-parameter', { key: 'p', value: '1' }],
    ['runs/log-batch', {}],
    ['runs/set-tag', { key: 't', value: '1' }],
    ['runs/delete-tag', { key: 'mlflow.runName' }],
    ['runs/log-inputs', {}],
    ['runs/outputs', { models: [] }],
  ];
  for (const [path, parameters] of writes) {
    const { status, body } = await served.call('POST', path, { run_id: id, ...parameters });
    assert.deepEqual(
      [status, body.message],
      [400, `The run ${id} must be in the 'active' state. Current state is deleted.`],
      path,
    );
  }
  for (const _ of [1, 2]) await good('POST', 'runs/restore', { run_id: id });
  await good('POST', 'runs/log-parameter', { run_id: id, key: 'p', value: '1' });
});

test('the history of a metric: all at once, in pages, as a sample, below both prefixes', async () => {
  const id = await newRun();
  await good('POST', 'runs/log-batch', {
    run_id: id,
    metrics: [...points(5), { key: 'm', value: 'NaN', timestamp: 0, step: 9 }],
  });
  const all = (await good('GET', 'metrics/get-history', { run_id: id, metric_key: 'm' })).metrics;
  assert.deepEqual(all[0], { key: 'm', value: 'NaN', timestamp: 0, step: 9 });
  const joined = [];
  let token: string | undefined;
  do {
    const page = await good('GET', 'metrics/get-history', {
      run_id: id,
      metric_key: 'm',
      max_results: 4,
      ...(token && { page_token: token }),
    });
    joined.push(...page.metrics);
    token = page.next_page_token;
  } while (token);
  assert.deepEqual(joined, all);
  assert.deepEqual(await good('GET', 'metrics/get-history', { run_id: id, metric_key: 'nope' }), {});

  const sample = await good('GET', 'metrics/get-history-bulk-interval', {
    run_ids: [id],
    metric_key: 'm',
    max_results: 2,
  });
  assert.deepEqual(
    sample.metrics.map(({ step, run_id }: { step: number; run_id: string }) => [step, run_id]),
    [
      [0, id],
      [9, id],
    ],
  );
  const ajax = await fetch(
    `${served.url}/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=${id}&metric_key=m&max_results=2`,
  );
  assert.deepEqual(await ajax.json(), { metrics: all.slice(0, 2).map((point: object) => ({ ...point, run_id: id })) });
});

test('a server says how it is set up', async () => {
  const response = await fetch(`${served.url}/api/3.0/mlflow/server-info`);
  const body = (await response.json()) as Record<string, unknown>;
  assert.equal(body['store_type'], 'SqlStore');
  assert.equal(typeof body['multipart_uploads_enabled'], 'boolean');
});

test('the token of a run writes to that run and to runs below it, and nowhere else', async (t) => {
  const [mine, other] = [await newRun(), await newRun()];
  t.after(() => {
    caller = { name: 'ada' };
  });
  caller = { name: 'training', runId: mine };
  const child = await newRun({ tags: [{ key: 'mlflow.parentRunId', value: mine }] });
  const grandchild = await newRun({ tags: [{ key: 'mlflow.parentRunId', value: child }] });
  const writes: readonly (readonly [string, object])[] = [
    ['runs/update', {}],
    ['runs/log-metric', { key: 'm', value: 1, timestamp: 1 }],
    ['runs/log-parameter', { key: 'p', value: '1' }],
    ['runs/log-batch', {}],
    ['runs/set-tag', { key: 't', value: '1' }],
    ['runs/delete-tag', { key: 't' }],
    ['runs/log-inputs', {}],
    ['runs/outputs', { models: [] }],
    ['runs/delete', {}],
    ['runs/restore', {}],
  ];
  for (const [path, parameters] of writes) {
    for (const run_id of [mine, child, grandchild]) await good('POST', path, { run_id, ...parameters });
    const { status, body } = await served.call('POST', path, { run_id: other, ...parameters });
    assert.deepEqual([status, body.error_code], [403, 'PERMISSION_DENIED'], path);
  }
  for (const [path, parameters] of [
    ['experiments/create', { name: 'by-token' }],
    ['experiments/delete', { experiment_id: experiment }],
    ['experiments/set-experiment-tag', { experiment_id: experiment, key: 'a' }],
    ['runs/create', { experiment_id: experiment }],
    ['runs/create', { experiment_id: experiment, tags: [{ key: 'mlflow.parentRunId', value: other }] }],
  ] as const)
    assert.equal((await served.call('POST', path, parameters)).status, 403, path);
  await read(other);
});

test('a run of a TrainingJob goes through an unmodified client’s start and end, and stays the operator’s', async () => {
  const { runs } = openStores(pool, { epoch: () => undefined });
  const { runId } = await runs.start(startRun({ namespace: 'default' }));
  assert.equal((await read(runId)).info.status, 'RUNNING');
  const update = async (over: object) =>
    (await good('POST', 'runs/update', { run_id: runId, run_uuid: runId, ...over })).run_info;
  assert.equal((await update({ status: 'RUNNING' })).status, 'RUNNING');
  await good('POST', 'runs/log-batch', { run_id: runId, metrics: points(1), params: [{ key: 'lr', value: '0.1' }] });
  const finished = await update({ status: 'FINISHED', end_time: 1_800_000_000_000 });
  assert.deepEqual([finished.status, finished.end_time], ['FINISHED', 1_800_000_000_000]);
  const { info } = await read(runId);
  assert.deepEqual([info.status, info.end_time], ['RUNNING', undefined]);
  const refused = await served.call('POST', 'runs/delete', { run_id: runId });
  assert.deepEqual([refused.status, refused.body.error_code], [409, 'RESOURCE_CONFLICT']);
});
