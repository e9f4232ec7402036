import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../../testing/postgres.ts';
import { startRun } from '../../testing/rows.ts';
import { connect, DatabaseUnavailableError, migrate, openStores, type Stores } from '../index.ts';
import { type MetricPoint, type NewRun, openTracking, type RunEntity, type Tracking } from './index.ts';

let postgres: TestPostgres;
// Two pools, as two registry processes have.
let pools: [pg.Pool, pg.Pool];
let servers: [Tracking, Tracking];
let tracking: Tracking;
let stores: Stores;
before(async () => {
  postgres = await startPostgres();
  const access = await postgres.freshDatabase();
  const open = () => connect(access, { applicationName: 'tracking-test', max: 16 });
  pools = [open(), open()];
  await migrate(pools[0]);
  servers = [openTracking(pools[0]), openTracking(pools[1])];
  tracking = servers[0];
  stores = openStores(pools[0], { epoch: () => undefined });
});
after(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await postgres.stop();
});

let counter = 0;
/** A claimed namespace nobody else uses. */
async function freshTenant(): Promise<string> {
  const namespace = `tracking-${++counter}`;
  await stores.tenants.claim(namespace, `uid-of-${namespace}`);
  return namespace;
}
const newRun = (over: Partial<NewRun> = {}): NewRun => ({
  runId: randomUUID().replaceAll('-', ''),
  experimentId: '0',
  runName: 'bold-otter-7',
  userId: 'ada',
  startTime: 1_700_000_000_123,
  tags: [],
  ...over,
});
/** A run of a new namespace. */
async function freshRun(over: Partial<NewRun> = {}): Promise<{ namespace: string; runId: string }> {
  const namespace = await freshTenant();
  const run = newRun(over);
  await tracking.createRun(namespace, run);
  return { namespace, runId: run.runId };
}
const read = async (namespace: string, runId: string): Promise<RunEntity> => {
  const [run] = await tracking.runsById(namespace, [runId]);
  assert.ok(run, 'the run is there');
  return run;
};
const point = (over: Partial<MetricPoint> = {}): MetricPoint => ({
  key: 'loss',
  value: 1,
  timestamp: 1,
  step: 0,
  ...over,
});
const values = ({ metrics }: RunEntity): object => Object.fromEntries(metrics.map(({ key, value }) => [key, value]));
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

test('a run is read as it was made, in the order asked for, by its own namespace alone', async () => {
  const namespace = await freshTenant();
  const [one, two] = [newRun({ tags: [{ key: 'a', value: '1' }] }), newRun({ runName: 'two' })];
  assert.deepEqual(await tracking.createRun(namespace, one), {
    runId: one.runId,
    experimentId: '0',
    runName: 'bold-otter-7',
    userId: 'ada',
    status: 'RUNNING',
    startTime: 1_700_000_000_123,
    artifactUri: `mlflow-artifacts:/0/${one.runId}/artifacts`,
    lifecycleStage: 'active',
    metrics: [],
    params: [],
    tags: [{ key: 'a', value: '1' }],
    datasets: [],
    modelInputs: [],
    modelOutputs: [],
  });
  await tracking.createRun(namespace, two);
  const read = await tracking.runsById(namespace, [two.runId, 'nope', one.runId]);
  assert.deepEqual(
    read.map(({ runId }) => runId),
    [two.runId, one.runId],
  );
  assert.deepEqual(await tracking.runsById(await freshTenant(), [one.runId]), []);
});

test('times keep their milliseconds, however far away', async () => {
  for (const startTime of [0, 1, -1, 1_795_267_474_695, 253_402_300_800_123, Number.MAX_SAFE_INTEGER]) {
    const { namespace, runId } = await freshRun({ startTime });
    assert.equal((await read(namespace, runId)).startTime, startTime);
  }
});

test('a place of its own is what the artifacts of an experiment lie below', async () => {
  const namespace = await freshTenant();
  const experiment = { name: 'elsewhere', artifactLocation: 's3://other/place/', tags: [] };
  const experimentId = await tracking.createExperiment(namespace, experiment);
  assert.equal(experimentId, '1');
  const run = newRun({ experimentId });
  await tracking.createRun(namespace, run);
  assert.equal((await read(namespace, run.runId)).artifactUri, `s3://other/place/${run.runId}/artifacts`);
});

const latest: readonly (readonly [name: string, points: readonly MetricPoint[], counts: number])[] = [
  ['the highest step counts', [point({ step: 2, value: 5 }), point({ step: 1, value: 9, timestamp: 99 })], 5],
  ['of one step the latest time counts', [point({ timestamp: 1, value: 9 }), point({ timestamp: 2, value: 3 })], 3],
  ['of one step and time the largest value counts', [point({ value: 9 }), point({ value: 3 })], 9],
  ['not a number counts as 0 beside a larger value', [point({ value: 5 }), point({ value: Number.NaN })], 5],
  ['not a number counts as 0 beside a smaller value', [point({ value: -5 }), point({ value: Number.NaN })], Number.NaN],
  [
    'infinity is the largest value',
    [point({ value: 9 }), point({ value: Number.POSITIVE_INFINITY })],
    Number.POSITIVE_INFINITY,
  ],
  ['negative steps are steps', [point({ step: -3, value: 4 }), point({ step: -4, value: 9 })], 4],
];
for (const [name, points, counts] of latest)
  test(`latest metric: ${name}, one by one, in a batch and backwards`, async () => {
    const ways: ((namespace: string, runId: string) => Promise<unknown>)[] = [
      async (namespace, runId) => {
        for (const each of points) await tracking.logMetric(namespace, runId, each);
      },
      async (namespace, runId) => {
        for (const each of points.toReversed()) await tracking.logMetric(namespace, runId, each);
      },
      (namespace, runId) => tracking.logBatch(namespace, runId, { metrics: points }),
    ];
    for (const way of ways) {
      const { namespace, runId } = await freshRun();
      await way(namespace, runId);
      assert.deepEqual(values(await read(namespace, runId)), { loss: counts });
    }
  });

test('the same point again is no second point, not a number included', async () => {
  const { namespace, runId } = await freshRun();
  for (const value of [1, 1, Number.NaN, Number.NaN]) await tracking.logMetric(namespace, runId, point({ value }));
  await tracking.logBatch(namespace, runId, { metrics: [point(), point({ value: Number.NaN }), point()] });
  const { points } = await tracking.metricHistory(namespace, { runId, key: 'loss' });
  assert.deepEqual(
    points.map(({ value }) => value),
    [1, Number.NaN],
  );
});

test('a batch is written whole or not at all', async () => {
  const { namespace, runId } = await freshRun();
  await tracking.logBatch(namespace, runId, { params: [{ key: 'C', value: '1.0' }] });
  const batch = { metrics: [point()], tags: [{ key: 'mlflow.runName', value: 'renamed' }] };
  const before = await read(namespace, runId);

  const changed = await tracking.logBatch(namespace, runId, {
    ...batch,
    params: [
      { key: 'a', value: '1' },
      { key: 'C', value: '2.0' },
    ],
  });
  assert.deepEqual(changed, { stage: 'active', changed: [{ key: 'C', old: '1.0', new: '2.0' }] });
  const unknown = await tracking.logBatch(namespace, runId, {
    ...batch,
    params: [{ key: 'a', value: '1' }],
    metrics: [point(), { ...point({ key: 'other' }), modelId: 'm-unknown' }],
  });
  assert.deepEqual(unknown, { stage: 'active', unknownModel: 'm-unknown' });
  assert.deepEqual(await read(namespace, runId), before);

  assert.deepEqual(await tracking.logBatch(namespace, runId, batch), { stage: 'active' });
  const after = await read(namespace, runId);
  assert.equal(after.runName, 'renamed');
  assert.deepEqual(after.tags, [{ key: 'mlflow.runName', value: 'renamed' }]);
  assert.deepEqual(values(after), { loss: 1 });
});

test('a metric that names a logged model is one of the model too', async () => {
  const { namespace, runId } = await freshRun();
  const modelId = `m-${'a'.repeat(32)}`;
  await pools[0].query(
    `INSERT INTO slipway.logged_models (namespace, model_id, experiment_id, name) VALUES ($1, $2, 0, 'model')`,
    [namespace, modelId],
  );
  const metrics = [
    { ...point({ value: Number.NaN }), modelId, datasetName: 'train', datasetDigest: 'x' },
    point({ key: 'other' }),
  ];
  for (const _ of range(2))
    assert.deepEqual(await tracking.logBatch(namespace, runId, { metrics }), { stage: 'active' });
  const { rows } = await pools[0].query(
    'SELECT run_id, key, value, dataset_name, dataset_digest FROM slipway.logged_model_metrics WHERE namespace = $1',
    [namespace],
  );
  assert.deepEqual(rows, [
    { run_id: runId, key: 'loss', value: Number.NaN, dataset_name: 'train', dataset_digest: 'x' },
  ]);
  assert.deepEqual(values(await read(namespace, runId)), { loss: Number.NaN, other: 1 });
});

test('sixteen writers on one run, through two servers, lose nothing and do not block each other', async () => {
  const { namespace, runId } = await freshRun();
  const keys = range(20).map((n) => `m${n}`);
  const work = range(16).map(async (writer) => {
    const server = servers[writer % 2] as Tracking;
    // Every writer goes through the keys in another order.
    const order = keys.toSorted(
      (a, b) =>
        ((a.length * 7 + writer) % 5) - ((b.length * 7 + writer) % 5) || (writer % 2 ? 1 : -1) * a.localeCompare(b),
    );
    for (const round of range(10)) {
      const outcome = await server.logBatch(namespace, runId, {
        metrics: order.map((key) => point({ key, value: writer, step: round * 16 + writer })),
        params: order.slice(0, 5).map((key) => ({ key: `p-${key}`, value: 'same' })),
        tags: [
          ...order.slice(0, 5).map((key) => ({ key, value: String(writer) })),
          { key: 'mlflow.runName', value: `by-${writer}` },
        ],
      });
      assert.deepEqual(outcome, { stage: 'active' });
      await server.logMetric(namespace, runId, point({ key: 'single', value: writer, step: round * 16 + writer }));
    }
  });
  await Promise.all(work);
  const run = await read(namespace, runId);
  assert.equal(run.metrics.length, 21);
  assert.deepEqual(new Set(run.metrics.map(({ step }) => step)), new Set([159]));
  assert.equal(run.tags.find(({ key }) => key === 'mlflow.runName')?.value, run.runName);
  for (const key of ['m0', 'm19', 'single']) {
    const { points } = await tracking.metricHistory(namespace, { runId, key });
    assert.equal(points.length, 160, `every point of ${key}`);
  }
});

test('of two values for one param at once one is kept and the other refused', async () => {
  const { namespace, runId } = await freshRun();
  const outcomes = await Promise.all(
    range(16).map((n) =>
      (servers[n % 2] as Tracking).logBatch(namespace, runId, {
        params: [{ key: 'C', value: String(n) }],
        tags: [{ key: `tag-${n}`, value: '' }],
      }),
    ),
  );
  const kept = (await read(namespace, runId)).params;
  assert.equal(kept.length, 1);
  const written = outcomes.flatMap(({ changed }, n) => (changed ? [] : [String(n)]));
  assert.deepEqual(written, [kept[0]?.value]);
  assert.deepEqual(
    (await read(namespace, runId)).tags.map(({ key }) => key),
    written.map((n) => `tag-${n}`),
  );
});

test('a connection that breaks in mid-write leaves nothing behind, says "not now", and the same again goes through', async () => {
  const { namespace, runId } = await freshRun();
  const batch = { metrics: [point()], params: [{ key: 'C', value: '1' }], tags: [{ key: 't', value: '1' }] };
  const holder = await pools[1].connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM slipway.runs WHERE namespace = $1 AND run_id = $2 FOR UPDATE', [
      namespace,
      runId,
    ]);
    const failed = assert.rejects(tracking.logBatch(namespace, runId, batch), DatabaseUnavailableError);
    // The write waits for the row: now its connection breaks.
    for (let broken = 0; broken === 0; )
      broken = (
        await pools[1].query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%log_batch%'`,
        )
      ).rows.length;
    await failed;
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  const untouched = await read(namespace, runId);
  assert.deepEqual([untouched.metrics, untouched.params, untouched.tags], [[], [], []]);
  assert.deepEqual(await tracking.logBatch(namespace, runId, batch), { stage: 'active' });
  assert.equal((await read(namespace, runId)).params.length, 1);
});

test('of many experiments of one name at once one is made, and numbers have no gaps', async () => {
  const namespace = await freshTenant();
  const ids = await Promise.all(
    range(16).map((n) => (servers[n % 2] as Tracking).createExperiment(namespace, { name: `e${n % 4}`, tags: [] })),
  );
  const made = ids.filter((id) => id !== undefined).toSorted();
  assert.deepEqual(made, ['1', '2', '3', '4']);
});

test('deleting an experiment hides its runs, restoring it shows them, and only an active one is written to', async () => {
  const namespace = await freshTenant();
  const id = (await tracking.createExperiment(namespace, { name: 'one', tags: [{ key: 'a', value: '1' }] })) as string;
  const run = newRun({ experimentId: id });
  await tracking.createRun(namespace, run);
  assert.equal(await tracking.deleteExperiment(namespace, id), 'active');
  assert.equal(await tracking.deleteExperiment(namespace, id), 'missing');
  assert.equal((await tracking.experimentByName(namespace, 'one'))?.lifecycleStage, 'deleted');
  assert.equal((await read(namespace, run.runId)).lifecycleStage, 'deleted');
  assert.equal(await tracking.createRun(namespace, newRun({ experimentId: id })), 'deleted');
  assert.equal(await tracking.logMetric(namespace, run.runId, point()), 'deleted');
  assert.deepEqual(await tracking.logBatch(namespace, run.runId, {}), { stage: 'deleted' });
  assert.equal(await tracking.updateRun(namespace, run.runId, {}), 'deleted');
  assert.equal(await tracking.setExperimentTag(namespace, id, { key: 'a', value: '2' }), 'deleted');
  assert.equal(await tracking.deleteExperimentTag(namespace, id, 'a'), 'deleted');
  assert.equal(await tracking.renameExperiment(namespace, id, 'two'), 'deleted');
  assert.equal(await tracking.restoreExperiment(namespace, id), 'active');
  assert.equal(await tracking.restoreExperiment(namespace, id), 'missing');
  assert.equal((await read(namespace, run.runId)).lifecycleStage, 'active');
  assert.equal(await tracking.setExperimentTag(namespace, id, { key: 'a', value: '2' }), 'active');
  assert.equal(await tracking.deleteExperimentTag(namespace, id, 'b'), 'tag-missing');
  assert.equal(await tracking.renameExperiment(namespace, id, 'Default'), 'name-taken');
  assert.equal(await tracking.renameExperiment(namespace, '77', 'x'), 'missing');
  assert.deepEqual((await tracking.experimentsById(namespace, [id]))[0]?.tags, [{ key: 'a', value: '2' }]);
});

test('a run of a TrainingJob: what its client says is kept beside what the operator says', async () => {
  const namespace = await freshTenant();
  const { runId, runKey } = await stores.runs.start(startRun({ namespace }));
  const end = 1_800_000_000_000;
  const said = await tracking.updateRun(namespace, runId, { status: 'FINISHED', endTime: end });
  assert.ok(typeof said === 'object');
  assert.deepEqual({ status: said.status, endTime: said.endTime }, { status: 'FINISHED', endTime: end });
  const run = await read(namespace, runId);
  assert.deepEqual({ status: run.status, endTime: run.endTime }, { status: 'RUNNING', endTime: undefined });

  assert.equal(await tracking.deleteRun(namespace, runId), 'busy');
  assert.equal(await tracking.deleteExperiment(namespace, run.experimentId), 'busy');
  assert.equal((await read(namespace, runId)).lifecycleStage, 'active');
  await stores.runs.fail(namespace, runKey, {
    status: 'FAILED',
    reason: 'X',
    message: 'x',
    endTime: '2030-01-01T00:00:00.000Z',
  });
  assert.equal((await read(namespace, runId)).status, 'FAILED');
  assert.equal(await tracking.deleteRun(namespace, runId), 'done');
  assert.equal(await tracking.restoreRun(namespace, runId), 'done');
});

test('a run is renamed with its tag, and ended', async () => {
  const { namespace, runId } = await freshRun();
  await tracking.updateRun(namespace, runId, { runName: 'second' });
  await tracking.updateRun(namespace, runId, { status: 'KILLED', endTime: 5 });
  const run = await read(namespace, runId);
  assert.deepEqual([run.runName, run.status, run.endTime], ['second', 'KILLED', 5]);
  assert.deepEqual(run.tags, [{ key: 'mlflow.runName', value: 'second' }]);
  assert.equal(await tracking.deleteRunTag(namespace, runId, 'mlflow.runName'), 'active');
  assert.equal(await tracking.deleteRunTag(namespace, runId, 'mlflow.runName'), 'tag-missing');
  assert.equal((await read(namespace, runId)).runName, 'second');
});

test('data sets and models of a run are there once, as first described', async () => {
  const { namespace, runId } = await freshRun();
  const dataset = {
    name: 'd',
    digest: 'x',
    sourceType: 'local',
    source: 's',
    tags: [{ key: 'mlflow.data.context', value: 'train' }],
  };
  await tracking.logInputs(namespace, runId, {
    datasets: [dataset, { ...dataset, source: 'again' }],
    modelIds: ['m-in', 'm-in'],
  });
  await tracking.logInputs(namespace, runId, {
    datasets: [{ ...dataset, source: 'later', profile: '{}' }],
    modelIds: ['m-in'],
  });
  const outputs = [
    { modelId: 'm-b', step: 2 },
    { modelId: 'm-a', step: 1 },
  ];
  for (const _ of range(2)) assert.equal(await tracking.logOutputs(namespace, runId, outputs), 'active');
  const run = await read(namespace, runId);
  assert.deepEqual(run.datasets, [dataset]);
  assert.deepEqual(run.modelInputs, [{ modelId: 'm-in', step: 0 }]);
  assert.deepEqual(run.modelOutputs, outputs.toReversed());
  assert.equal(await tracking.logInputs(namespace, 'nope', { datasets: [dataset], modelIds: [] }), 'missing');
});

test('the history of a metric comes in pages that join without gap or repetition', async () => {
  const { namespace, runId } = await freshRun();
  const metrics = [
    ...range(10).map((step) => point({ step, timestamp: 100 - step, value: step })),
    ...[Number.NaN, Number.NEGATIVE_INFINITY, 3, 4].map((value) => point({ step: 50, timestamp: 95, value })),
  ];
  await tracking.logBatch(namespace, runId, { metrics });
  const { points: all } = await tracking.metricHistory(namespace, { runId, key: 'loss' });
  assert.deepEqual(
    all.map(({ timestamp }) => timestamp),
    [91, 92, 93, 94, 95, 95, 95, 95, 95, 96, 97, 98, 99, 100],
  );
  for (const limit of [1, 3, 7, 13, 14, 20]) {
    const joined: MetricPoint[] = [];
    let page = await tracking.metricHistory(namespace, { runId, key: 'loss', limit });
    joined.push(...page.points);
    while (page.next) {
      page = await tracking.metricHistory(namespace, { runId, key: 'loss', limit, after: page.next });
      joined.push(...page.points);
    }
    assert.deepEqual(joined, all, `pages of ${limit}`);
  }
});

test('a sample of a history is even, keeps its end, and is never larger than asked for', async () => {
  const { namespace, runId } = await freshRun();
  const other = newRun();
  await tracking.createRun(namespace, other);
  await tracking.logBatch(namespace, runId, { metrics: range(100).map((step) => point({ step })) });
  await tracking.logBatch(namespace, other.runId, { metrics: [point({ step: 7 })] });
  const steps = async (limit: number, range?: { first: number; last: number }) =>
    (
      await tracking.sampleMetricHistory(namespace, { runIds: [other.runId, runId], key: 'loss', limit, steps: range })
    ).map(({ step }) => step);
  assert.deepEqual(await steps(1), [7, 99]);
  assert.deepEqual(await steps(2), [7, 0, 99]);
  assert.deepEqual(await steps(5), [7, 0, 20, 40, 60, 99]);
  assert.deepEqual(await steps(100), [7, ...range(100)]);
  assert.deepEqual(await steps(2500), [7, ...range(100)]);
  assert.deepEqual(await steps(3, { first: 10, last: 12 }), [10, 11, 12]);
});

test('models that an old client logs are listed in a tag, whatever the tag held before', async () => {
  const { namespace, runId } = await freshRun();
  const history = async () =>
    (await read(namespace, runId)).tags.find(({ key }) => key === 'mlflow.log-model.history')?.value;
  for (const _ of range(2)) await tracking.recordModel(namespace, runId, '{"b": 1, "a": 2}');
  assert.equal(await history(), '[{"b": 1, "a": 2}, {"b": 1, "a": 2}]');
  for (const value of ['nonsense', '{}', '[]', '']) {
    await tracking.logBatch(namespace, runId, { tags: [{ key: 'mlflow.log-model.history', value }] });
    assert.equal(await tracking.recordModel(namespace, runId, '{"a": 1}'), 'active');
    assert.equal(await history(), '[{"a": 1}]', `after ${value}`);
  }
});

test('a run made below another is known as such, through generations and in spite of circles', async () => {
  const namespace = await freshTenant();
  const chain = [newRun(), newRun(), newRun()];
  for (const [index, run] of chain.entries()) {
    const parent = chain[index - 1]?.runId;
    await tracking.createRun(namespace, { ...run, tags: parent ? [{ key: 'mlflow.parentRunId', value: parent }] : [] });
  }
  const [root, middle, leaf] = chain.map(({ runId }) => runId) as [string, string, string];
  assert.equal(await tracking.isBelow(namespace, leaf, root), true);
  assert.equal(await tracking.isBelow(namespace, root, leaf), false);
  await tracking.logBatch(namespace, root, { tags: [{ key: 'mlflow.parentRunId', value: middle }] });
  assert.equal(await tracking.isBelow(namespace, leaf, newRun().runId), false);
});
