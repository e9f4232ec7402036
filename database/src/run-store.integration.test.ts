/** Runs, their trials, requests for runs, and the data sets runs read. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { PROGRESS_TAG, runIdFor, runKeyFor, trialKeyFor } from '@slipway/contract';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { publication, startRun } from '../testing/rows.ts';
import {
  connect,
  migrate,
  openDataSets,
  openStores,
  publishRun,
  type Run,
  type StartRun,
  type Stores,
} from './index.ts';

let postgres: TestPostgres;
let pool: pg.Pool;
let stores: Stores;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'run-store-test', max: 16 });
  await migrate(pool);
  stores = openStores(pool, { epoch: () => undefined });
});
after(async () => {
  await pool.end();
  await postgres.stop();
});

let counter = 0;
let namespace: string;
let ownerUid: string;
beforeEach(async () => {
  namespace = `team-${++counter}`;
  ownerUid = `owner-${counter}`;
  await stores.tenants.claim(namespace, `uid-of-${namespace}`);
});

const start = (over: Partial<StartRun> = {}) => stores.runs.start(startRun({ namespace, ownerUid, ...over }));
/** The run of the n-th minute of an hour. */
const atMinute = (minute: number, over: Partial<StartRun> = {}) => {
  const at = new Date(Date.UTC(2026, 0, 1, 0, minute));
  const runKey = runKeyFor(ownerUid, { kind: 'schedule', at });
  return start({ runKey, cause: 'Schedule', scheduledTime: at.toISOString(), startTime: at.toISOString(), ...over });
};
const failure = { status: 'FAILED', reason: 'OOMKilled', message: 'm', endTime: '2026-01-01T02:00:00.000Z' } as const;
const keysOf = (runs: readonly { runKey: string }[]) => runs.map(({ runKey }) => runKey);

test('a run of a schedule keeps why, when, from what and with which parameters it was started', async () => {
  const run = await atMinute(5, { spec: { model: 'iris', retries: 1 }, parameters: { C: '2' } });
  assert.deepEqual(await stores.runs.find(namespace, run.runKey), {
    ...{ namespace, runKey: `${ownerUid}/s1767225900`, runId: runIdFor(run.runKey), experimentId: '1', generation: 1 },
    ...{ specDigest: 'digest-1', status: 'RUNNING', startTime: '2026-01-01T00:05:00.000Z', metrics: {} },
    ...{ cause: 'Schedule', scheduledTime: '2026-01-01T00:05:00.000Z', spec: { model: 'iris', retries: 1 } },
    parameters: { C: '2' },
  });
  assert.equal(await stores.runs.find('elsewhere', run.runKey), undefined);
});

test('a run whose experiment was deleted brings it back, not its old runs: nothing of the new one is collected with it', async () => {
  const old = await atMinute(1);
  await stores.runs.fail(namespace, old.runKey, failure);
  await pool.query(
    `WITH hidden AS (UPDATE slipway.runs SET lifecycle_stage = 'deleted', deleted_time = now() WHERE namespace = $1)
     UPDATE slipway.experiments SET lifecycle_stage = 'deleted', deleted_time = now() WHERE namespace = $1 AND experiment_id = $2`,
    [namespace, old.experimentId],
  );
  assert.equal((await atMinute(2)).experimentId, old.experimentId);
  const { rows } = await pool.query(
    `SELECT e.lifecycle_stage AS experiment, e.deleted_time, r.lifecycle_stage AS run
       FROM slipway.experiments e JOIN slipway.runs r USING (namespace, experiment_id) WHERE namespace = $1 ORDER BY r.start_time`,
    [namespace],
  );
  assert.deepEqual(rows, [
    { experiment: 'active', deleted_time: null, run: 'deleted' },
    { experiment: 'active', deleted_time: null, run: 'active' },
  ]);
});

test('a key starts one run: what a later caller asks for is not heard, whether it comes after or at the same time', async () => {
  const ask = (n: number) => start({ parameters: { C: String(n) } });
  const runs = await Promise.all(Array.from({ length: 8 }, (_, n) => ask(n)));
  const [first] = runs;
  assert.deepEqual(
    runs,
    runs.map(() => first),
  );
  assert.deepEqual(await ask(99), first);
  const { rows } = await pool.query('SELECT key, value FROM slipway.params WHERE namespace = $1', [namespace]);
  assert.deepEqual(rows, [{ key: 'C', value: first?.parameters['C'] }]);
});

test('an untracked run leaves no parameters behind for tracking clients', async () => {
  const run = await start({ isTracked: false });
  assert.deepEqual(run.parameters, { C: '1.0' });
  assert.equal((await pool.query('SELECT FROM slipway.params WHERE namespace = $1', [namespace])).rowCount, 0);
});

test('progress is what somebody wrote into the tag', async () => {
  const { runId, runKey } = await start();
  await pool.query('INSERT INTO slipway.tags (namespace, run_id, key, value) VALUES ($1, $2, $3, $4)', [
    ...[namespace, runId, PROGRESS_TAG, '{"percent":40}'],
  ]);
  assert.equal((await stores.runs.find(namespace, runKey))?.progress, '{"percent":40}');
});

test('listed are all that go on and the newest of those that ended, newest first, without trials and strangers', async () => {
  const runs: Run[] = [];
  for (const minute of [1, 2, 3, 4, 5, 6]) runs.push(await atMinute(minute));
  const key = (minute: number) => runs[minute - 1]?.runKey as string;
  for (const minute of [2, 3, 4, 6]) await stores.runs.fail(namespace, key(minute), failure);
  await start({ runKey: trialKeyFor(key(1), 0), parentRunKey: key(1), startTime: '2026-01-01T00:09:00.000Z' });
  await start({ ownerUid: `${ownerUid}-other` });
  const listed = await stores.runs.list(namespace, ownerUid, 2);
  assert.deepEqual(keysOf(listed), [6, 5, 4, 1].map(key));
  assert.deepEqual(keysOf(await stores.runs.list(namespace, ownerUid, 0)), [5, 1].map(key));
  assert.deepEqual(listed[0]?.failure, { reason: 'OOMKilled', message: 'm' });
});

test('trials come in the order of their numbers, with their parameters, and name their parent as MLflow does', async () => {
  const search = await start();
  for (const index of [10, 2, 0])
    await start({
      ...{ runKey: trialKeyFor(search.runKey, index), parentRunKey: search.runKey, cause: 'Search' },
      parameters: { C: String(index) },
    });
  const trials = await stores.runs.trials(namespace, search.runKey);
  assert.deepEqual(
    trials.map(({ parameters, parentRunKey }) => [parameters['C'], parentRunKey]),
    ['0', '2', '10'].map((text) => [text, search.runKey]),
  );
  const { rows } = await pool.query(
    `SELECT DISTINCT value FROM slipway.tags WHERE namespace = $1 AND key = 'mlflow.parentRunId'`,
    [namespace],
  );
  assert.deepEqual(rows, [{ value: search.runId }]);
});

test('a run fails once: the first reason stays', async () => {
  const { runKey } = await start();
  await stores.runs.fail(namespace, runKey, failure);
  const again = await stores.runs.fail(namespace, runKey, { ...failure, status: 'KILLED', reason: 'Replaced' });
  assert.deepEqual([again?.status, again?.failure?.reason, again?.endTime], ['FAILED', 'OOMKilled', failure.endTime]);
});

const ask = async (trainingJob = 'iris', parameters = {}) => {
  const requestId = randomUUID();
  await stores.requests.add({ namespace, requestId, trainingJob, requestedBy: 'pod/x', parameters });
  return requestId;
};
const pending = async (trainingJob = 'iris') =>
  (await stores.requests.pending(namespace, trainingJob)).map(({ requestId }) => requestId);

test('requests wait in the order they came, each by itself, until one is started or refused', async () => {
  const [first, second, third] = [await ask('iris', { C: '3' }), await ask(), await ask()];
  await ask('abalone');
  await stores.requests.add({ ...{ namespace, requestId: first, trainingJob: 'x', requestedBy: 'y' }, parameters: {} });
  assert.deepEqual(await pending(), [first, second, third]);
  const found = await stores.requests.find(namespace, first);
  assert.deepEqual(
    [found?.trainingJob, found?.requestedBy, found?.parameters, found?.runId, found?.refused],
    ['iris', 'pod/x', { C: '3' }, undefined, undefined],
  );
  const run = await start({ runKey: runKeyFor(ownerUid, { kind: 'request', requestId: first }), requestId: first });
  await stores.requests.refuse(namespace, second, 'parameter D is unknown');
  assert.deepEqual(await pending(), [third]);
  assert.equal((await stores.requests.find(namespace, first))?.runId, run.runId);
  assert.equal((await stores.requests.find(namespace, second))?.refused, 'parameter D is unknown');
  const mine = (await stores.requests.waiting()).filter((each) => each.namespace === namespace);
  assert.deepEqual(mine.map(({ trainingJob }) => trainingJob).sort(), ['abalone', 'iris']);
  assert.equal(await stores.requests.find('elsewhere', first), undefined);
  assert.equal(await stores.requests.countPending(namespace, 'iris'), 1);
  const unstarted = await stores.requests.unstarted(namespace, 'iris');
  assert.deepEqual(unstarted, [third, second], 'newest first; what was refused has no run either');
});

test('a run is found by its id, in its own namespace', async () => {
  const run = await start();
  assert.deepEqual(await stores.runs.findById(namespace, run.runId), run);
  assert.equal(await stores.runs.findById('elsewhere', run.runId), undefined);
});

test('what was started is not refused afterwards, and what was refused not refused for another reason', async () => {
  const [started, refused] = [await ask(), await ask()];
  await start({ requestId: started });
  await stores.requests.refuse(namespace, started, 'late');
  await stores.requests.refuse(namespace, refused, 'first');
  await stores.requests.refuse(namespace, refused, 'second');
  assert.equal((await stores.requests.find(namespace, started))?.refused, undefined);
  assert.equal((await stores.requests.find(namespace, refused))?.refused, 'first');
});

test('a request is answered with the run or not at all', async () => {
  const requestId = await ask();
  // Too long for its column: the insert of the run fails.
  const broken = start({ requestId, runKey: 'k'.repeat(513) });
  await assert.rejects(broken, /run_key/);
  assert.deepEqual(await pending(), [requestId]);
});

test('a data set is found by its name, and means what was uploaded last', async () => {
  const dataSets = openDataSets(pool);
  const add = (upload: string, digit: string) =>
    dataSets.add(namespace, {
      ...{ name: 'iris.csv', upload: upload.repeat(32), size: 1, sha256: digit.repeat(64), contentType: 'text/csv' },
    });
  assert.equal(await stores.dataSets.find(namespace, 'iris.csv'), undefined);
  await add('b', '1');
  await add('a', '2');
  assert.deepEqual(await stores.dataSets.find(namespace, 'iris.csv'), {
    key: `${namespace}/data/${'a'.repeat(32)}/iris.csv`,
    sha256: '2'.repeat(64),
  });
  assert.equal(await stores.dataSets.find('elsewhere', 'iris.csv'), undefined);
});

test('a run that has published is not failed by whoever looked before', async () => {
  const run = await start();
  await publishRun(pool, publication(run));
  assert.equal((await stores.runs.fail(namespace, run.runKey, failure))?.status, 'FINISHED');
});
