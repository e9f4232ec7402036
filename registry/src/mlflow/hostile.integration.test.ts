/** Requests that nobody means well with: each is refused with 4xx, soon, so that nobody else waits for it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, type Database } from '@slipway/database';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { type Served, serveRegistry } from '../../testing/serve.ts';

let postgres: TestPostgres;
let pool: Database;
let served: Served;
let run_id: string;
let modelId: string;

before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests' });
  served = await serveRegistry(pool);
  run_id = (await served.call('POST', 'runs/create', { experiment_id: '0' })).body.run.info.run_id;
  modelId = (await served.call('POST', 'logged-models', { experiment_id: '0' })).body.model.info.model_id;
});
after(async () => {
  await served?.close();
  await pool?.end();
  await postgres?.stop();
});

/** What once took minutes of the one thread that answers everybody takes milliseconds; this leaves room for a busy machine. */
const SOON_MS = 5_000;
const MILLION = 1_000_000;

async function send(method: string, path: string, body: string): Promise<{ status: number; text: string; ms: number }> {
  const started = performance.now();
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${served.url}/api/2.0/mlflow/${path}`, { method, headers, body });
  return { status: response.status, text: await response.text(), ms: performance.now() - started };
}

const numbered = (count: number, item: (n: number) => unknown) => Array.from({ length: count }, (_, n) => item(n));
const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const search = (over: object) => ({ path: 'runs/search', body: () => ({ experiment_ids: ['0'], ...over }) });
const model = (flavors: string) =>
  JSON.stringify({ artifact_path: 'a', run_id: 'x', utc_time_created: 'now', flavors: '?' }).replace('"?"', flavors);

const refused: Readonly<Record<string, { method?: string; path: string; body: () => object | string }>> = {
  'an experiment of a million zeros and a letter': {
    path: 'runs/create',
    body: () => ({ experiment_id: `${'0'.repeat(MILLION)}x` }),
  },
  'a value of a million digits and a letter': {
    path: 'runs/log-metric',
    body: () => ({ run_id, key: 'm', timestamp: 1, value: `${'1'.repeat(MILLION)}x` }),
  },
  'a version of a million spaces': {
    path: 'model-versions/set-tag',
    body: () => ({ name: 'm', version: `1${' '.repeat(MILLION)}x`, key: 'a', value: 'b' }),
  },
  'a name of a million slashes': {
    path: 'runs/set-tag',
    body: () => ({ run_id, key: `${'/'.repeat(MILLION)}x`, value: '1' }),
  },
  'a source of nothing but encoded percent signs': {
    path: 'model-versions/create',
    body: () => ({ name: 'm', source: `s3://x/${'%25'.repeat(MILLION)}` }),
  },
  'a location of a million slashes': {
    path: 'experiments/create',
    body: () => ({ name: 'far', artifact_location: `s3://slipway/default/${'/'.repeat(MILLION)}x` }),
  },
  'lists in lists where a text belongs': { path: 'runs/set-tag', body: () => `{"run_id":${deep(200_000)}}` },
  'a model of lists in lists': {
    path: 'runs/log-model',
    body: () => ({ run_id, model_json: model(`{"f":${deep(100_000)}}`) }),
  },
  'a page token of lists in lists': search({ page_token: Buffer.from(deep(100_000)).toString('base64url') }),
  'a filter of millions of words': search({ filter: '( '.repeat(8 * MILLION) }),
  'a filter of one long text': search({ filter: `tags.a = '${'x'.repeat(8 * MILLION)}'` }),
  'a filter of quotes that never close': search({ filter: `tags.a = '${"x''".repeat(300_000)}` }),
  'a filter of more conditions than are planned in time': search({
    filter: numbered(51, (n) => `metrics.m${n} > 1`).join(' AND '),
  }),
  'more orders than are planned in time': search({ order_by: numbered(51, (n) => `metrics.m${n}`) }),
  'more orders of logged models': {
    path: 'logged-models/search',
    body: () => ({ experiment_ids: ['0'], order_by: numbered(51, (n) => ({ field_name: `metrics.m${n}` })) }),
  },
  'more data sets': {
    path: 'logged-models/search',
    body: () => ({ experiment_ids: ['0'], datasets: numbered(201, (n) => ({ dataset_name: `d${n}` })) }),
  },
  'a status that every object has': {
    method: 'PATCH',
    path: 'logged-models/ID',
    body: () => ({ status: 'constructor' }),
  },
  'an attribute that every object has': search({ filter: "attributes.constructor = 'x'" }),
  'a view that every object has': search({ run_view_type: 'constructor' }),
};

for (const [what, { method = 'POST', path, body }] of Object.entries(refused))
  test(`refused soon, as a client's mistake: ${what}`, async () => {
    const sent = body();
    const text = typeof sent === 'string' ? sent : JSON.stringify(sent);
    const answer = await send(method, path.replace('ID', modelId), text);
    assert.equal(answer.status, 400, answer.text.slice(0, 500));
    assert.ok(answer.ms < SOON_MS, `it took ${Math.round(answer.ms)} ms`);
    assert.ok(answer.text.length < 5_000, `it answered ${answer.text.length} characters`);
  });

test('the most that a search may ask for is answered in time', async () => {
  const metrics = numbered(50, (n) => `metrics.m${n}`);
  const filter = metrics.map((metric) => `${metric} > 1`).join(' AND ');
  const experiment_ids = numbered(50, String);
  const asked = { experiment_ids, filter, order_by: metrics };
  assert.ok((await send('POST', 'runs/search', JSON.stringify(asked))).ms < 2 * SOON_MS);
  const long = { experiment_ids: ['0'], filter: `tags.a = '${'x'.repeat(MILLION - 20)}'` };
  assert.equal((await send('POST', 'runs/search', JSON.stringify(long))).status, 200);
});

test('keys that every object has are keys like any other', async () => {
  const key = '__proto__';
  const tags = [
    { key, value: 'x' },
    { key: 'constructor', value: 'y' },
  ];
  const { body } = await served.call('POST', 'registered-models/create', { name: 'prototypes', tags });
  assert.deepEqual(body.registered_model.tags, tags);
  const query = `runs/get?${key}=1&${key}=2&constructor=1&hasOwnProperty=1&run_id=${run_id}`;
  assert.equal((await fetch(`${served.url}/api/2.0/mlflow/${query}`)).status, 200);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});
