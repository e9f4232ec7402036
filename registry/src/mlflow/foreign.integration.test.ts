/** Every endpoint is asked for what is somebody else's, with the token of a run and from another namespace, and nothing changes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, type Database } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { type Served, serveRegistry } from '../../testing/serve.ts';
import type { Caller } from '../http/exchange.ts';
import type { MlflowDeps } from './deps.ts';
import { allEndpoints } from './endpoints/index.ts';

let postgres: TestPostgres;
let pool: Database;
let served: Served;
let caller: Caller = { name: 'ada' };
let experiment: string;
/** The token's run, and another with all that can hang on one. */
let mine: string;
let theirs: string;
let theirModelId: string;
const MODEL = 'theirs';

const good = async (method: string, path: string, parameters: Record<string, unknown>) => {
  const { status, body } = await served.call(method, path, parameters);
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  return body;
};
const newRun = async (tags: object[] = []): Promise<string> =>
  (await good('POST', 'runs/create', { experiment_id: experiment, tags })).run.info.run_id;

before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests' });
  served = await serveRegistry(pool, { admit: async () => caller });
  await pool.query(
    `INSERT INTO slipway.tenants (namespace, namespace_uid) VALUES ('default', 'local') ON CONFLICT DO NOTHING`,
  );
  experiment = (await good('POST', 'experiments/create', { name: 'theirs' })).experiment_id;
  [mine, theirs] = [await newRun(), await newRun([{ key: 't', value: '1' }])];
  const logged = { experiment_id: experiment, name: 'theirs', source_run_id: theirs, tags: [{ key: 't', value: '1' }] };
  theirModelId = (await good('POST', 'logged-models', logged)).model.info.model_id;
  await good('POST', 'registered-models/create', { name: MODEL, tags: [{ key: 't', value: '1' }] });
  const source = `runs:/${theirs}/model`;
  const tags = [{ key: 't', value: '1' }];
  await good('POST', 'model-versions/create', { name: MODEL, source, run_id: theirs, tags });
  await good('POST', 'registered-models/alias', { name: MODEL, alias: 'champion', version: '1' });
  caller = { name: 'run', runId: mine };
});
after(async () => {
  await served?.close();
  await pool?.end();
  await postgres?.stop();
});

/** Everything that is stored in the namespace, as one text. */
async function stored(): Promise<string> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT c.table_name AS name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
       WHERE table_schema = 'slipway' AND table_type = 'BASE TABLE' AND column_name = 'namespace' ORDER BY 1`,
  );
  assert.ok(rows.length > 15);
  const digests: string[] = [];
  for (const { name } of rows) {
    const lines = `string_agg(t::text, E'\\n' ORDER BY t::text)`;
    const found = await pool.query(
      `SELECT md5(coalesce(${lines}, '')) AS digest FROM slipway.${name} t WHERE namespace = 'default'`,
    );
    digests.push(`${name} ${found.rows[0].digest}`);
  }
  return digests.join('\n');
}

type Requests = Readonly<Record<string, () => readonly Record<string, unknown>[]>>;

const ofRun =
  (parameters: object = {}) =>
  () => [
    { run_id: theirs, ...parameters },
    { run_uuid: theirs, ...parameters },
    // An empty run_id is none: the older name counts.
    { run_id: '', run_uuid: theirs, ...parameters },
    { run_id: theirs, run_uuid: mine, ...parameters },
  ];
const one = (parameters: () => Record<string, unknown>) => () => [parameters()];
const ofVersion = (parameters: object = {}) => one(() => ({ name: MODEL, version: '1', ...parameters }));
const ofModel = (parameters: object = {}) => one(() => ({ name: MODEL, ...parameters }));
const parent = (run: string) => ({ key: 'mlflow.parentRunId', value: run });

/** Each endpoint that writes, with requests that whoever may write here would be granted. */
const foreign: Requests = {
  'POST experiments/create': one(() => ({ name: 'new' })),
  'POST experiments/update': one(() => ({ experiment_id: experiment, new_name: 'renamed' })),
  'POST experiments/delete': one(() => ({ experiment_id: experiment })),
  'POST experiments/restore': one(() => ({ experiment_id: experiment })),
  'POST experiments/set-experiment-tag': one(() => ({ experiment_id: experiment, key: 'k', value: 'v' })),
  'POST experiments/delete-experiment-tag': one(() => ({ experiment_id: experiment, key: 'k' })),
  'POST runs/create': () => [
    { experiment_id: experiment },
    { experiment_id: experiment, tags: [parent(theirs)] },
    { experiment_id: experiment, tags: [parent(theirs), parent(mine)] },
    { experiment_id: experiment, tags: [parent('')] },
  ],
  'POST runs/update': ofRun({ status: 'FAILED' }),
  'POST runs/delete': ofRun(),
  'POST runs/restore': ofRun(),
  'POST runs/log-metric': ofRun({ key: 'm', value: 1, timestamp: 1 }),
  'POST runs/log-parameter': ofRun({ key: 'p', value: '1' }),
  'POST runs/set-tag': () => [...ofRun({ key: 't', value: '2' })(), ...ofRun(parent(mine))()],
  'POST runs/delete-tag': ofRun({ key: 't' }),
  'POST runs/log-batch': () => ofRun({ tags: [parent(mine)] })(),
  'POST runs/log-model': ofRun({
    model_json: JSON.stringify({ artifact_path: 'a', flavors: {}, utc_time_created: 'now', run_id: 'x' }),
  }),
  'POST runs/log-inputs': ofRun({ datasets: [{ dataset: { name: 'd', digest: '1' } }] }),
  'POST runs/outputs': ofRun({ models: [{ model_id: 'm-1' }] }),
  'PATCH registered-models/update': ofModel({ description: 'x' }),
  'POST registered-models/rename': ofModel({ new_name: 'ours' }),
  'DELETE registered-models/delete': ofModel(),
  'POST registered-models/set-tag': ofModel({ key: 't', value: '2' }),
  'DELETE registered-models/delete-tag': ofModel({ key: 't' }),
  'POST registered-models/alias': ofModel({ alias: 'champion', version: '1' }),
  'DELETE registered-models/alias': ofModel({ alias: 'champion' }),
  'POST model-versions/create': () => [
    { name: MODEL, source: 's3://elsewhere/model' },
    { name: MODEL, source: `runs:/${theirs}/model`, run_id: theirs },
    { name: MODEL, source: `models:/${theirModelId}`, model_id: theirModelId },
    { name: MODEL, source: `models:/${theirModelId}`, model_id: theirModelId, run_id: mine },
    { name: MODEL, source: `models:/${MODEL}/1`, run_id: theirs },
  ],
  'PATCH model-versions/update': ofVersion({ description: 'x' }),
  'POST model-versions/transition-stage': ofVersion({ stage: 'Archived' }),
  'POST model-versions/set-tag': ofVersion({ key: 't', value: '2' }),
  'DELETE model-versions/delete-tag': ofVersion({ key: 't' }),
  'DELETE model-versions/delete': ofVersion(),
  'POST logged-models': () => [
    { experiment_id: experiment, name: 'x' },
    { experiment_id: experiment, name: 'x', source_run_id: theirs },
  ],
  'PATCH logged-models/{model_id}': one(() => ({ status: 'LOGGED_MODEL_UPLOAD_FAILED' })),
  'DELETE logged-models/{model_id}': one(() => ({})),
  'PATCH logged-models/{model_id}/tags': one(() => ({ tags: [{ key: 't', value: '2' }] })),
  'DELETE logged-models/{model_id}/tags/{tag_key}': one(() => ({})),
  'POST logged-models/{model_id}/params': one(() => ({ params: [{ key: 'p', value: '1' }] })),
};
/** A script that registers a model makes it first. */
const openToRuns = ['POST registered-models/create'];

// The list alone is asked for: nothing is answered by it.
const endpoints = allEndpoints({} as MlflowDeps);
const nameOf = ({ method, path }: { method: string; path: string }): string => `${method} ${path}`;

test('every endpoint that writes is tried here', () => {
  const writing = endpoints.filter(({ access }) => access === 'write').map(nameOf);
  assert.deepEqual(writing.sort(), [...Object.keys(foreign), ...openToRuns].sort());
});

for (const [name, requests] of Object.entries(foreign))
  test(`the token of a run is refused: ${name} of somebody else's`, async () => {
    const [method = '', pattern = ''] = name.split(' ');
    const path = pattern.replace('{model_id}', theirModelId).replace('{tag_key}', 't');
    const before = await stored();
    for (const request of requests()) {
      const { status, body } = await served.call(method, path, request);
      assert.deepEqual([status, body.error_code], [403, 'PERMISSION_DENIED'], JSON.stringify(request));
    }
    assert.equal(await stored(), before);
  });

const everyId = () => ({
  run_id: theirs,
  run_ids: theirs,
  experiment_id: experiment,
  experiment_name: 'theirs',
  metric_key: 'm',
  name: MODEL,
  version: '1',
  alias: 'champion',
});

test('what is only read changes nothing, whoever asks', async () => {
  const before = await stored();
  const parameters = everyId();
  for (const { method, path, api, access } of endpoints) {
    if (access === 'write' || api === '3.0') continue;
    const asked = path.replace('{model_id}', theirModelId);
    const search = { ...parameters, experiment_ids: [experiment] };
    const { status, body } = await served.call(method, asked, method === 'GET' ? parameters : search);
    assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  }
  assert.equal(await stored(), before);
});

test('no chain of parents that a run can make brings somebody else’s run below it', async () => {
  const child = await newRun([parent(mine)]);
  // In a circle, and below the run that is wanted: what counts is what the wanted run itself says.
  await good('POST', 'runs/set-tag', { run_id: mine, ...parent(child) });
  await good('POST', 'runs/log-batch', { run_id: child, tags: [parent(mine)] });
  await good('POST', 'runs/set-tag', { run_id: child, key: 'still', value: 'mine' });
  const refused = await served.call('POST', 'runs/set-tag', { run_id: theirs, key: 't', value: '2' });
  assert.equal(refused.status, 403);
  await good('POST', 'runs/set-tag', { run_id: child, ...parent(theirs) });
  assert.equal((await served.call('POST', 'runs/set-tag', { run_id: theirs, key: 't', value: '2' })).status, 403);
  assert.equal((await served.call('POST', 'runs/set-tag', { run_id: child, key: 't', value: '2' })).status, 403);
});

/** Whoever may do everything in a namespace of their own. */
async function fromElsewhere(method: string, path: string, parameters: Record<string, unknown>) {
  const query =
    method === 'GET'
      ? `?${new URLSearchParams(Object.entries(parameters).map(([k, v]): [string, string] => [k, String(v)]))}`
      : '';
  const response = await fetch(`${served.url}/n/elsewhere/api/2.0/mlflow/${path}${query}`, {
    method,
    ...(method !== 'GET' && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(parameters),
    }),
  });
  return { status: response.status, text: await response.text() };
}

test('from another namespace no id reaches what is stored here', async (t) => {
  t.after(() => {
    caller = { name: 'run', runId: mine };
  });
  caller = { name: 'eve' };
  await pool.query(`INSERT INTO slipway.tenants (namespace, namespace_uid) VALUES ('elsewhere', 'other')`);
  const before = await stored();
  const parameters = { ...everyId(), experiment_ids: [experiment], max_results: 10 };
  for (const { method, path, access, api } of endpoints) {
    if (access === 'write' || api === '3.0') continue;
    const { status, text } = await fromElsewhere(method, path.replace('{model_id}', theirModelId), parameters);
    assert.ok(status === 200 || status === 404, `${path}: ${status} ${text}`);
    if (status === 200) assert.doesNotMatch(text, /theirs|"(run_id|key|model_id)":/, path);
  }
  for (const [name, requests] of Object.entries(foreign)) {
    const [method = '', pattern = ''] = name.split(' ');
    const path = pattern.replace('{model_id}', theirModelId).replace('{tag_key}', 't');
    for (const request of requests()) {
      const { status, text } = await fromElsewhere(method, path, request);
      assert.ok(status < 500, `${name}: ${text}`);
    }
  }
  assert.equal(await stored(), before);
});
