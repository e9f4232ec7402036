/** A run whose TrainingJob is not tracked is not there for tracking clients, except that it may say how far it is. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, openReader, openStores, type Run, type Stores } from '@slipway/database';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../../../../database/testing/postgres.ts';
import { startRun } from '../../../../database/testing/rows.ts';
import { type Served, serveRegistry } from '../../../testing/serve.ts';

let postgres: TestPostgres;
let pool: pg.Pool;
let served: Served;
let stores: Stores;
let shown: Run;
let hidden: Run;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'untracked-test' });
  served = await serveRegistry(pool);
  stores = openStores(pool, { epoch: () => undefined });
  const start = (generation: number, isTracked: boolean) =>
    stores.runs.start(startRun({ namespace: 'default', generation, isTracked }));
  await served.call('GET', 'experiments/get', { experiment_id: '0' });
  shown = await start(1, true);
  hidden = await start(2, false);
});
after(async () => {
  await served.close();
  await pool.end();
  await postgres.stop();
});

test('no search finds it, whatever the view, the filter and the order', async () => {
  for (const query of [
    {},
    { run_view_type: 'ALL' },
    { filter: "attributes.status = 'RUNNING'" },
    { order_by: ['metrics.accuracy DESC'] },
  ]) {
    const { status, body } = await served.call('POST', 'runs/search', {
      experiment_ids: [shown.experimentId],
      ...query,
    });
    assert.equal(status, 200, JSON.stringify(body));
    const found = body.runs.map((run: { info: { run_id: string } }) => run.info.run_id);
    assert.deepEqual(found, [shown.runId], JSON.stringify(query));
  }
  const reader = openReader(pool);
  const listed = await reader.runs('default', Number(shown.experimentId), { limit: 10 });
  assert.deepEqual(
    listed.map(({ runId }) => runId),
    [shown.runId],
  );
  assert.equal(await reader.run('default', hidden.runId), undefined);
});

const calls: readonly (readonly [method: string, path: string, more?: object])[] = [
  ['GET', 'runs/get'],
  ['GET', 'artifacts/list'],
  ['POST', 'runs/update', { status: 'FINISHED' }],
  ['POST', 'runs/delete'],
  ['POST', 'runs/restore'],
  ['POST', 'runs/log-metric', { key: 'a', value: 1, timestamp: 1 }],
  ['POST', 'runs/log-batch', { metrics: [{ key: 'a', value: 1, timestamp: 1, step: 0 }] }],
  ['POST', 'runs/log-batch', { tags: [{ key: 'slipway.progress', value: '{}' }], params: [{ key: 'a', value: '1' }] }],
  ['POST', 'runs/log-parameter', { key: 'a', value: '1' }],
  ['POST', 'runs/log-inputs', { datasets: [] }],
  ['POST', 'runs/set-tag', { key: 'a', value: '1' }],
  ['POST', 'runs/delete-tag', { key: 'slipway.progress' }],
  ['POST', 'runs/log-model', { model_json: '{"run_id":"x","artifact_path":"m","flavors":{},"utc_time_created":"1"}' }],
];
for (const [method, path, more] of calls)
  test(`${path} answers as for a run that is not there: ${JSON.stringify(more ?? {})}`, async () => {
    const { status, body } = await served.call(method, path, { run_id: hidden.runId, ...more });
    assert.deepEqual([status, body.error_code], [404, 'RESOURCE_DOES_NOT_EXIST'], JSON.stringify(body));
  });

test('its progress is taken, for its TrainingJob to show', async () => {
  const tag = { key: 'slipway.progress', value: '{"percent":40}' };
  const { status, body } = await served.call('POST', 'runs/set-tag', { run_id: hidden.runId, ...tag });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal((await stores.runs.find('default', hidden.runKey))?.progress, tag.value);
});
