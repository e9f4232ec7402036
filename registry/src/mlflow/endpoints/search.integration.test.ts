/** The five searches over HTTP on a real Postgres: what is found, in which order, page by page. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, type Database } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../../../database/testing/postgres.ts';
import { type Served, serveRegistry } from '../../../testing/serve.ts';

let postgres: TestPostgres;
let pool: Database;
let served: Served;

const T = 1_700_000_000_000;
const idOf = (index: number): string => index.toString(16).padStart(32, '0');
const insert = (table: string, values: Record<string, unknown>) => {
  const names = Object.keys(values);
  return pool.query(
    `INSERT INTO slipway.${table} (${names.map((name) => `"${name}"`).join(', ')})
     VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(values),
  );
};
const at = (millis: number) => new Date(T + millis);

interface SeedRun {
  readonly start: number;
  readonly end?: number;
  readonly acc?: number;
  readonly loss?: number;
  readonly C?: string;
  readonly team?: string;
  readonly deleted?: boolean;
  readonly experiment?: number;
  readonly dataset?: string;
}
/** By name r0, r1, …; ids ascend with it. */
const runs: readonly SeedRun[] = [
  { start: 0, acc: 0.5, loss: 1, C: '1.0', team: 'red' },
  { start: 1, acc: 0.9, loss: 2, C: '0.1', team: 'Red', end: 90 },
  { start: 1, acc: 0.9, C: '0.1', end: 90, dataset: 'training' },
  { start: 2, acc: Number.NaN, loss: 3, C: '10' },
  { start: 2, acc: Number.NaN, team: 'blue', end: 50 },
  { start: 4, acc: Number.POSITIVE_INFINITY, loss: 0 },
  { start: 5, acc: Number.NEGATIVE_INFINITY, C: '50%_x' },
  { start: 6, team: '' },
  { start: 6, C: '1.0', dataset: 'eval' },
  { start: 7, acc: 0 },
  { start: 8, acc: 0.7, deleted: true },
  { start: 9, acc: 0.6, experiment: 0 },
];

async function seedRun(run: SeedRun, index: number): Promise<void> {
  const run_id = idOf(index);
  const namespace = 'default';
  await insert('runs', {
    namespace,
    run_id,
    experiment_id: run.experiment ?? 1,
    run_name: `r${index}`,
    user_id: `u${index % 2}`,
    status: run.end === undefined ? 'RUNNING' : 'FINISHED',
    start_time: at(run.start),
    end_time: run.end === undefined ? null : at(run.end),
    lifecycle_stage: run.deleted ? 'deleted' : 'active',
  });
  for (const key of ['acc', 'loss'] as const)
    if (run[key] !== undefined)
      await insert('latest_metrics', { namespace, run_id, key, step: 0, timestamp: 0, value: run[key] });
  if (run.C !== undefined) await insert('params', { namespace, run_id, key: 'C', value: run.C });
  if (run.team !== undefined) await insert('tags', { namespace, run_id, key: 'team', value: run.team });
  if (run.dataset !== undefined) {
    const dataset = { namespace, experiment_id: 1, name: 'iris', digest: run.dataset };
    await insert('datasets', dataset);
    await insert('run_datasets', { ...dataset, run_id, tags: { 'mlflow.data.context': run.dataset } });
  }
}

async function seedModels(): Promise<void> {
  const namespace = 'default';
  const models: [string, Record<string, string>, number][] = [
    ['iris', { team: 'a' }, 30],
    ['Iris-big', { team: 'b' }, 20],
    ['wine', {}, 20],
    ['a-prompt', { 'mlflow.prompt.is_prompt': 'true' }, 40],
    ['b-prompt', { 'mlflow.prompt.is_prompt': 'true' }, 41],
    ['gone', {}, 50],
  ];
  for (const [name, tags, updated] of models) {
    const deleted_time = name === 'gone' ? at(60) : null;
    await insert('registered_models', { namespace, name, last_updated_time: at(updated), deleted_time });
    for (const [key, value] of Object.entries(tags))
      await insert('registered_model_tags', { namespace, model: name, key, value });
  }
  const versions: [string, number, number, Record<string, string>, object][] = [
    ['iris', 1, 5, { stage: 'x' }, { run_id: idOf(0), source_uri: 's3://slipway/default/1/a/artifacts/model' }],
    ['iris', 2, 6, { stage: 'y' }, { source_uri: 's3://slipway/default/1/b', client_source: 'models:/m-1' }],
    ['wine', 1, 6, { stage: 'x' }, { run_id: idOf(1), source_uri: 's3://elsewhere/w' }],
    ['a-prompt', 1, 7, { 'mlflow.prompt.is_prompt': 'true', stage: 'x' }, { source_uri: 'dummy-source' }],
    ['b-prompt', 1, 7, { 'mlflow.prompt.is_prompt': 'true', stage: 'x' }, { source_uri: 'dummy-source' }],
    ['iris', 3, 8, {}, { source_uri: 's3://elsewhere/d', status: 'DELETED' }],
  ];
  for (const [model, version, time, tags, more] of versions) {
    const times = { creation_time: at(time), last_updated_time: at(time) };
    await insert('model_versions', { namespace, model, version, status: 'READY', format: 'mlflow', ...times, ...more });
    for (const [key, value] of Object.entries(tags))
      await insert('model_version_tags', { namespace, model, version, key, value });
  }
}

async function seedLoggedModels(): Promise<void> {
  const namespace = 'default';
  const models: [number, string, Record<string, number>, string][] = [
    [0, 'm', { acc: 0.5 }, 'train'],
    [1, 'm', { acc: 0.9, loss: 1 }, ''],
    [2, 'n', {}, ''],
    [3, 'N', { acc: Number.NaN }, 'train'],
  ];
  for (const [index, name, metrics, dataset] of models) {
    const model_id = `m-${idOf(index)}`;
    await insert('logged_models', { namespace, model_id, experiment_id: 1, name, creation_time: at(index) });
    for (const [key, value] of Object.entries(metrics))
      await insert('logged_model_metrics', {
        namespace,
        model_id,
        run_id: idOf(0),
        key,
        step: 0,
        timestamp: 0,
        value,
        dataset_name: dataset,
      });
  }
  await insert('logged_model_params', { namespace, model_id: `m-${idOf(0)}`, key: 'C', value: '1' });
  await insert('logged_model_tags', { namespace, model_id: `m-${idOf(1)}`, key: 't', value: 'x' });
}

before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'search-test' });
  served = await serveRegistry(pool);
  await served.call('GET', 'experiments/search');
  for (const [index, name] of ['iris', 'Iris-2', 'ünïcode', 'gone'].entries()) {
    const lifecycle_stage = name === 'gone' ? 'deleted' : 'active';
    const times = { creation_time: at(index), last_update_time: at(index) };
    await insert('experiments', { namespace: 'default', experiment_id: index + 1, name, lifecycle_stage, ...times });
  }
  await insert('experiment_tags', { namespace: 'default', experiment_id: 1, key: 'team', value: 'a' });
  await insert('tenants', { namespace: 'other', namespace_uid: 'other' });
  for (const [index, run] of runs.entries()) await seedRun(run, index);
  await seedModels();
  await seedLoggedModels();
});
after(async () => {
  await served.close();
  await pool.end();
  await postgres.stop();
});

interface Search {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly fixed: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: any answer is looked at
  names(body: any): string[];
}
const searches = {
  runs: {
    method: 'POST',
    path: 'runs/search',
    fixed: { experiment_ids: ['1'] },
    names: (body) => (body.runs ?? []).map((run: { info: { run_name: string } }) => run.info.run_name),
  },
  experiments: {
    method: 'POST',
    path: 'experiments/search',
    fixed: { filter: "name != 'Default'" },
    names: (body) => (body.experiments ?? []).map((each: { name: string }) => each.name),
  },
  models: {
    method: 'GET',
    path: 'registered-models/search',
    fixed: {},
    names: (body) => (body.registered_models ?? []).map((each: { name: string }) => each.name),
  },
  versions: {
    method: 'GET',
    path: 'model-versions/search',
    fixed: {},
    names: (body) =>
      (body.model_versions ?? []).map((each: { name: string; version: string }) => `${each.name}/${each.version}`),
  },
  logged: {
    method: 'POST',
    path: 'logged-models/search',
    fixed: { experiment_ids: ['1'] },
    names: (body) =>
      (body.models ?? []).map((each: { info: { model_id: string } }) =>
        String(Number(`0x${each.info.model_id.slice(2)}`)),
      ),
  },
} satisfies Record<string, Search>;
type Entity = keyof typeof searches;

async function ask(entity: Entity, parameters: Record<string, unknown>) {
  const { method, path, fixed, names }: Search = searches[entity];
  const { status, body } = await served.call(method, path, { ...fixed, ...parameters });
  return { status, body, names: status === 200 ? names(body).join(' ') : '' };
}

const found: readonly (readonly [Entity, Record<string, unknown>, string])[] = [
  // Without an order the newest comes first, ties by id.
  ['runs', {}, 'r9 r7 r8 r6 r5 r3 r4 r1 r2 r0'],
  ['runs', { run_view_type: 'DELETED_ONLY' }, 'r10'],
  ['runs', { run_view_type: 'ALL', max_results: 2 }, 'r10 r9'],
  ['runs', { experiment_ids: ['1', '0'], max_results: 2 }, 'r11 r9'],
  ['runs', { experiment_ids: [] }, ''],
  ['runs', { experiment_ids: ['99'] }, ''],
  ['runs', { filter: 'metrics.acc > 0.5' }, 'r5 r1 r2'],
  ['runs', { filter: 'metrics.acc >= 0.9 AND metrics.acc < 1' }, 'r1 r2'],
  ['runs', { filter: 'metrics.acc <= 0' }, 'r9 r6'],
  // NaN differs from every number, and is neither less nor greater.
  ['runs', { filter: 'metrics.acc != 0.9' }, 'r9 r6 r5 r3 r4 r0'],
  ['runs', { filter: 'metrics.acc = 0' }, 'r9'],
  ['runs', { filter: "params.C = '0.1'" }, 'r1 r2'],
  // Without the key not even != holds.
  ['runs', { filter: "params.C != '0.1'" }, 'r8 r6 r3 r0'],
  ['runs', { filter: "params.C LIKE '50\\%%'" }, 'r6'],
  ['runs', { filter: "params.C LIKE '%\\'" }, ''],
  ['runs', { filter: 'params.C IS NULL AND tags.team IS NULL' }, 'r9 r5'],
  ['runs', { filter: 'tags.team IS NOT NULL' }, 'r7 r4 r1 r0'],
  ['runs', { filter: "tags.team LIKE 'r%'" }, 'r0'],
  ['runs', { filter: "tags.team ILIKE 'r%'" }, 'r1 r0'],
  ['runs', { filter: "tags.team = ''" }, 'r7'],
  ['runs', { filter: "status = 'FINISHED'" }, 'r4 r1 r2'],
  ['runs', { filter: `run_id IN ('${idOf(3)}', '${idOf(5)}', '${idOf(11)}')` }, 'r5 r3'],
  ['runs', { filter: `attributes.run_id NOT IN ('${idOf(9)}') AND user_id = 'u1'` }, 'r7 r5 r3 r1'],
  ['runs', { filter: "run_name LIKE 'r_' AND run_name != 'r9'", max_results: 1 }, 'r7'],
  ['runs', { filter: `start_time = ${T + 1}` }, 'r1 r2'],
  ['runs', { filter: `start_time > ${T + 1} AND start_time <= ${T + 4}` }, 'r5 r3 r4'],
  ['runs', { filter: `end_time != ${T + 90}` }, 'r4'],
  ['runs', { filter: 'start_time < 1e300 AND start_time > -1e300', max_results: 1 }, 'r9'],
  ['runs', { filter: `artifact_uri = 'mlflow-artifacts:/1/${idOf(0)}/artifacts'` }, 'r0'],
  ['runs', { filter: "datasets.name = 'iris' AND datasets.context = 'eval'" }, 'r8'],
  ['runs', { filter: "datasets.digest IN ('training', 'x')" }, 'r2'],
  // inf is last ascending; NaN, then what is missing, always behind.
  ['runs', { order_by: ['metrics.acc'] }, 'r6 r9 r0 r1 r2 r5 r3 r4 r7 r8'],
  ['runs', { order_by: ['metrics.acc DESC'] }, 'r5 r1 r2 r0 r9 r6 r3 r4 r7 r8'],
  ['runs', { order_by: ['metrics.acc DESC'], filter: 'metrics.acc != 0.9' }, 'r5 r0 r9 r6 r3 r4'],
  ['runs', { order_by: ['params.C', 'metrics.acc DESC'] }, 'r1 r2 r0 r8 r3 r6 r5 r9 r4 r7'],
  ['runs', { order_by: ['end_time DESC', 'run_id DESC'], max_results: 4 }, 'r2 r1 r4 r9'],
  ['runs', { order_by: ['run_name DESC'], max_results: 2 }, 'r9 r8'],
  ['runs', { order_by: ['metrics.acc'], experiment_ids: ['1', '0'], max_results: 4 }, 'r6 r9 r0 r11'],
  ['experiments', {}, 'ünïcode Iris-2 iris'],
  ['experiments', { view_type: 'DELETED_ONLY' }, 'gone'],
  ['experiments', { view_type: 'ALL', order_by: ['experiment_id'] }, 'iris Iris-2 ünïcode gone'],
  ['experiments', { filter: "name ILIKE 'ir%'" }, 'Iris-2 iris'],
  ['experiments', { filter: "tags.team = 'a'" }, 'iris'],
  ['experiments', { filter: "tags.team IS NULL AND experiment_id NOT IN ('0')" }, 'ünïcode Iris-2'],
  ['experiments', { filter: `creation_time >= ${T + 1} AND creation_time < ${T + 100}` }, 'ünïcode Iris-2'],
  // Prompts are hidden; models without the tag pass what clients always send.
  ['models', { order_by: ['timestamp DESC'] }, 'iris Iris-big wine'],
  ['models', { filter: "tag.`mlflow.prompt.is_prompt` != 'true'", order_by: ['timestamp'] }, 'Iris-big wine iris'],
  ['models', { filter: "tags.`mlflow.prompt.is_prompt` = 'true'" }, 'a-prompt b-prompt'],
  ['models', { filter: "name IN ('wine', 'gone')" }, 'wine'],
  ['models', { filter: "tags.team != 'a'" }, 'Iris-big'],
  ['versions', {}, 'iris/2 wine/1 iris/1'],
  ['versions', { filter: "name = 'iris' AND version_number > 1" }, 'iris/2'],
  ['versions', { filter: `run_id IN ('${idOf(0)}', '${idOf(1)}')` }, 'wine/1 iris/1'],
  // A version without a run has an empty run id.
  ['versions', { filter: `run_id != '${idOf(0)}'` }, 'iris/2 wine/1'],
  ['versions', { filter: "source_path = 'mlflow-artifacts:/1/a/artifacts/model'" }, 'iris/1'],
  ['versions', { filter: "source_path = 'models:/m-1'" }, 'iris/2'],
  ['versions', { filter: "source_path = 's3://slipway/default/1/b'" }, ''],
  ['versions', { filter: "source_path = 's3://elsewhere/w'" }, 'wine/1'],
  ['versions', { filter: "source_path LIKE 'mlflow-artifacts:%'" }, 'iris/1'],
  ['versions', { filter: "tags.stage = 'x'", order_by: ['version_number', 'name DESC'] }, 'wine/1 iris/1'],
  ['versions', { filter: "tags.`mlflow.prompt.is_prompt` = 'true'" }, 'a-prompt/1 b-prompt/1'],
  ['logged', {}, '3 2 1 0'],
  ['logged', { filter: "name = 'm'" }, '1 0'],
  ['logged', { filter: 'metrics.acc >= 0.5' }, '1 0'],
  ['logged', { filter: 'metrics.acc >= 0.5', datasets: [{ dataset_name: 'train' }] }, '0'],
  ['logged', { datasets: [{ dataset_name: 'train' }] }, '3 0'],
  ['logged', { filter: "params.C = '1'" }, '0'],
  ['logged', { filter: "tags.t ILIKE 'X' AND status = 'PENDING'" }, '1'],
  ['logged', { order_by: [{ field_name: 'metrics.acc' }] }, '0 1 3 2'],
  ['logged', { order_by: [{ field_name: 'metrics.acc', ascending: false, dataset_name: 'train' }] }, '0 3 2 1'],
  ['logged', { order_by: [{ field_name: 'name' }, { field_name: 'creation_time' }], filter: "name != 'N'" }, '0 1 2'],
];
for (const [entity, parameters, names] of found)
  test(`${entity} ${JSON.stringify(parameters)}`, async () => {
    assert.equal((await ask(entity, parameters)).names, names);
  });

const by = (field_name: string, ascending = true) => ({ field_name, ascending });
const orders: readonly (readonly [Entity, readonly (readonly unknown[])[]])[] = [
  [
    'runs',
    [
      ...['metrics.acc', 'metrics.loss', 'metrics.none', 'params.C', 'tags.team', 'start_time', 'end_time'],
      ...['run_name', 'status', 'user_id', 'artifact_uri'],
    ]
      .flatMap((field): string[][] => [[field], [`${field} DESC`]])
      .concat([
        [],
        ['metrics.acc', 'metrics.loss DESC'],
        ['tags.team DESC', 'metrics.acc'],
        ['start_time', 'run_id DESC'],
      ]),
  ],
  ['experiments', [[], ['name'], ['name DESC'], ['last_update_time DESC'], ['experiment_id DESC']]],
  ['models', [[], ['name DESC'], ['timestamp'], ['timestamp DESC', 'name DESC']]],
  ['versions', [[], ['name'], ['version_number', 'name DESC'], ['creation_timestamp'], ['last_updated_timestamp']]],
  ['logged', [[], [by('metrics.acc')], [by('metrics.acc', false)], [by('name', false)], [by('source_run_id')]]],
];
for (const [entity, all] of orders)
  for (const order_by of all)
    test(`pages of ${entity} by ${JSON.stringify(order_by)} join to the whole, whatever their size`, async () => {
      const whole = (await ask(entity, { order_by })).names;
      assert.ok(whole.split(' ').length > 2);
      for (const max_results of [1, 2, 3]) {
        const pages: string[] = [];
        let page_token: string | undefined;
        do {
          const page = await ask(entity, { order_by, max_results, ...(page_token && { page_token }) });
          assert.equal(page.status, 200);
          pages.push(page.names);
          page_token = page.body.next_page_token;
        } while (page_token);
        assert.equal(pages.join(' '), whole);
      }
    });

test('what is written between two pages moves no row onto a second page', async () => {
  const order_by = ['metrics.loss DESC'];
  const first = await ask('runs', { order_by, max_results: 2 });
  assert.equal(first.names, 'r3 r1');
  await seedRun({ start: 20, loss: 9 }, 40);
  try {
    const second = await ask('runs', { order_by, max_results: 2, page_token: first.body.next_page_token });
    assert.equal(second.names, 'r0 r5');
  } finally {
    await pool.query('DELETE FROM slipway.runs WHERE run_id = $1', [idOf(40)]);
  }
});

test('a token that is broken, changed, or of another search is refused as the mistake it is', async () => {
  const { body } = await ask('runs', { order_by: ['start_time'], max_results: 2 });
  const token: string = body.next_page_token;
  const parts = JSON.parse(Buffer.from(token, 'base64url').toString());
  const changed = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString('base64url');
  const tokens: [string, Record<string, unknown>][] = [
    ['zz', {}],
    ['', { page_token: changed({ offset: 3 }) }],
    [token, { order_by: ['start_time DESC'] }],
    [token, { order_by: ['start_time'], filter: 'metrics.acc > 0' }],
    [token, { order_by: ['start_time'], experiment_ids: ['0'] }],
    [changed(parts[0], 0, 'no time', parts[3]), { order_by: ['start_time'] }],
    [changed(parts[0], 0, parts[2]), { order_by: ['start_time'] }],
    [changed(parts[0], 7, parts[2], parts[3]), { order_by: ['start_time'] }],
    [changed(parts[0], 0, 'a\0', parts[3]), { order_by: ['start_time'] }],
  ];
  for (const [page_token, more] of tokens) {
    const { status, body: refusal } = await ask('runs', { page_token, ...more });
    assert.deepEqual([status, refusal.error_code], [400, 'INVALID_PARAMETER_VALUE']);
    assert.match(refusal.message, /^Invalid page token/);
  }
});

const refusals: readonly (readonly [Entity, Record<string, unknown>, string])[] = [
  ['runs', { max_results: 50_001 }, "Invalid value 50001 for parameter 'max_results' supplied"],
  ['runs', { max_results: 0 }, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"],
  ['runs', { experiment_ids: ['x'] }, "Invalid experiment ID 'x'. Experiment ID must be a valid integer."],
  [
    'runs',
    { experiment_ids: '1' },
    `Invalid value "1" for parameter 'experiment_ids' supplied:  Hint: Value was of type 'str'.`,
  ],
  ['runs', { filter: 5 }, "Invalid value 5 for parameter 'filter' supplied:  Hint: Value was of type 'int'."],
  ['runs', { run_view_type: 'SOME' }, "Invalid view type 'SOME'"],
  ['runs', { filter: 'metrics.acc == 1' }, "Invalid comparator '==' not one of '{'>=', '=', '<', '<=', '>', '!='}'"],
  ['experiments', { max_results: 50_001 }, 'Invalid value 50001'],
  ['models', { max_results: 1001 }, "Invalid value 1001 for parameter 'max_results' supplied"],
  ['versions', { max_results: 200_001 }, "Invalid value 200001 for parameter 'max_results' supplied"],
  ['logged', { experiment_ids: null }, "Missing value for required parameter 'experiment_ids'."],
  ['logged', { datasets: [{ dataset_digest: 'd' }] }, '`dataset_name` in the `datasets` clause must be specified.'],
];
for (const [entity, parameters, begins] of refusals)
  test(`${entity} refuse ${JSON.stringify(parameters)}`, async () => {
    const { status, body } = await ask(entity, parameters);
    assert.deepEqual([status, body.error_code], [400, 'INVALID_PARAMETER_VALUE']);
    assert.ok(body.message.startsWith(begins), body.message);
  });

test('another namespace finds nothing of this one', async () => {
  const response = await fetch(`${served.url}/n/other/api/2.0/mlflow/runs/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ experiment_ids: ['1'] }),
  });
  assert.deepEqual(await response.json(), {});
});
