import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { connect, type Database, migrate, openDataSets, openGarbageRows } from '@slipway/database';
import { openObjectStore, type StreamingObjectStore } from '@slipway/object-store';
import { startPostgres, type TestPostgres } from '../../../database/testing/postgres.ts';
import { startMinio, type TestMinio } from '../../../object-store/testing/minio.ts';
import { gcCommand } from './command.ts';
import type { Found, GcOptions } from './run.ts';

const DAY = 86_400_000;
const NS = 'team-a';
const runId = (letter: string): string => letter.repeat(32);
const modelId = (letter: string): string => `m-${letter.repeat(32)}`;

let postgres: TestPostgres;
let minio: TestMinio;
let pool: Database;
let store: StreamingObjectStore;
let bucket: string;

before(async () => {
  [postgres, minio] = await Promise.all([startPostgres(), startMinio()]);
});
after(async () => {
  await Promise.all([postgres?.stop(), minio?.stop()]);
});
beforeEach(async (context) => {
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests', max: 5 });
  const access = await minio.freshBucket();
  bucket = access.bucket;
  store = openObjectStore(access);
  await migrate(pool);
  await pool.query("INSERT INTO slipway.tenants (namespace, namespace_uid) VALUES ($1, 'u'), ('team-b', 'v')", [NS]);
  await pool.query(
    "INSERT INTO slipway.experiments (namespace, experiment_id, name) VALUES ($1, 1, 'iris'), ($1, 2, 'gone')",
    [NS],
  );
  'after' in context && context.after(() => pool.end());
});

const put = (path: string, body = 'bytes', namespace = NS): Promise<void> =>
  store.put(`${namespace}/${path}`, Buffer.from(body), body.length);
const paths = async (namespace = NS): Promise<string[]> =>
  (await store.list(`${namespace}/`)).map(({ key }) => key.slice(namespace.length + 1));

interface RunRow {
  readonly deletedDaysAgo?: number;
  readonly experiment?: number;
  readonly status?: string;
  readonly runKey?: string;
  readonly published?: { readonly model: string; readonly version: number };
  /** When it started, and ended a day later. */
  readonly daysOld?: number;
  /** The run it is in, as MLflow's clients say it. */
  readonly parent?: string;
}
async function run(
  id: string,
  { deletedDaysAgo, experiment = 1, status = 'FINISHED', runKey, published, daysOld = 0, parent }: RunRow = {},
) {
  await pool.query(
    `INSERT INTO slipway.runs (namespace, run_id, experiment_id, status, start_time, lifecycle_stage, deleted_time,
         run_key, owner_uid, generation, spec_digest, training_job, published_at, model, version)
       VALUES ($1, $2, $3, $4, now(), $5, now() - make_interval(days => $6), $7, $8, $9, $8, $8, $10, $11, $12)`,
    [
      NS,
      id,
      experiment,
      status,
      deletedDaysAgo === undefined ? 'active' : 'deleted',
      deletedDaysAgo ?? null,
      runKey ?? null,
      runKey ?? null,
      runKey === undefined ? null : 1,
      published ? new Date() : null,
      published?.model ?? null,
      published?.version ?? null,
    ],
  );
  await pool.query("INSERT INTO slipway.tags (namespace, run_id, key, value) VALUES ($1, $2, 'k', 'v')", [NS, id]);
  await pool.query(
    `UPDATE slipway.runs SET start_time = now() - make_interval(days => $3),
         end_time = CASE WHEN status <> 'RUNNING' THEN now() - make_interval(days => $3 - 1) END
       WHERE namespace = $1 AND run_id = $2`,
    [NS, id, daysOld],
  );
  if (parent)
    await pool.query(
      "INSERT INTO slipway.tags (namespace, run_id, key, value) VALUES ($1, $2, 'mlflow.parentRunId', $3)",
      [NS, id, parent],
    );
}
const set = (id: string, assignment: string, value: unknown) =>
  pool.query(`UPDATE slipway.runs SET ${assignment} = $3 WHERE namespace = $1 AND run_id = $2`, [NS, id, value]);

interface VersionRow {
  readonly status?: string;
  readonly daysOld?: number;
  readonly stage?: string;
  readonly alias?: string;
  readonly service?: string;
  readonly lineage?: object;
  readonly run?: string;
}
async function version(number: number, path: string, over: VersionRow = {}): Promise<void> {
  const { status = 'READY', daysOld = 0, stage = 'None', alias, service, lineage = {}, run: madeBy } = over;
  await pool.query('INSERT INTO slipway.registered_models (namespace, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    NS,
    'iris',
  ]);
  await pool.query(
    `INSERT INTO slipway.model_versions (namespace, model, version, status, source_uri, format, stage, lineage, creation_time, run_id)
       VALUES ($1, 'iris', $2, $3, $4, 'onnx', $5, $6, now() - make_interval(days => $7), $8)`,
    [NS, number, status, `s3://${bucket}/${NS}/${path}`, stage, lineage, daysOld, madeBy ?? null],
  );
  if (alias)
    await pool.query(
      "INSERT INTO slipway.model_aliases (namespace, model, alias, version) VALUES ($1, 'iris', $2, $3)",
      [NS, alias, number],
    );
  if (service)
    await pool.query(
      "INSERT INTO slipway.version_uses (namespace, model, version, service) VALUES ($1, 'iris', $2, $3)",
      [NS, number, service],
    );
}
const model = (id: string, deletedDaysAgo?: number) =>
  pool.query(
    `INSERT INTO slipway.logged_models (namespace, model_id, experiment_id, name, deleted_time)
       VALUES ($1, $2, 1, 'm', now() - make_interval(days => $3))`,
    [NS, id, deletedDaysAgo ?? null],
  );

/** Collects as if it were in so many days: what the tests store now is old then. */
async function collect(
  options: Partial<GcOptions> & { inDays?: number; now?: number; store?: StreamingObjectStore } = {},
) {
  const { inDays = 30, now, store: other, ...more } = options;
  const found: Found[] = [];
  const said: string[] = [];
  const summary = await gcCommand(
    {
      store: other ?? store,
      rows: openGarbageRows(pool),
      now: () => now ?? Date.now() + inDays * DAY,
      print: (line) => found.push(JSON.parse(line)),
      say: (line) => said.push(line),
    },
    { dryRun: false, graceMs: 7 * DAY, ...more },
  );
  return { found, summary, said: said.join('\n') };
}

async function everything(): Promise<readonly string[]> {
  await run(runId('a'));
  await run(runId('b'), { deletedDaysAgo: 1 });
  await run(runId('c'), { deletedDaysAgo: 1 });
  await run(runId('d'), { experiment: 2 });
  await pool.query(
    "UPDATE slipway.experiments SET lifecycle_stage = 'deleted', deleted_time = now() WHERE experiment_id = 2",
  );
  await model(modelId('a'));
  await model(modelId('b'), 1);
  await version(1, `1/${runId('c')}/artifacts/model`, { run: runId('c') });
  const kept = [
    `1/${runId('a')}/artifacts/plot.png`,
    `1/${runId('c')}/artifacts/model/model.onnx`,
    `1/models/${modelId('a')}/artifacts/MLmodel`,
    'models/by-hand.onnx',
    'predictions/iris/1.jsonl',
  ];
  const garbage = [
    `1/${runId('b')}/artifacts/plot.png`,
    `1/${runId('c')}/artifacts/plot.png`,
    `1/${runId('e')}/artifacts/of-no-run`,
    `1/models/${modelId('b')}/artifacts/MLmodel`,
    `1/models/${modelId('c')}/artifacts/of-no-model`,
    `2/${runId('d')}/artifacts/plot.png`,
    `data/${'f'.repeat(32)}/of-no-row.csv`,
  ];
  for (const path of [...kept, ...garbage]) await put(path);
  await put(`1/${runId('b')}/artifacts/theirs`, 'x', 'team-b');
  return kept;
}

test('takes what nobody needs, rows and bytes, and nothing else', async () => {
  const kept = await everything();
  const { summary, said } = await collect({ namespace: NS });
  assert.deepEqual(await paths(), [...kept].sort());
  assert.deepEqual(await paths('team-b'), [`1/${runId('b')}/artifacts/theirs`]);
  const { rows } = await pool.query('SELECT run_id FROM slipway.runs ORDER BY 1');
  // c keeps its row: a version names what it made.
  assert.deepEqual(
    rows.map(({ run_id }) => run_id[0]),
    ['a', 'c'],
  );
  assert.equal((await pool.query('SELECT FROM slipway.experiments WHERE experiment_id = 2')).rowCount, 0);
  assert.deepEqual([summary.objects, summary.bytes], [7, 35]);
  assert.match(said, /^took: .*7 files \(35 B\)/);
  assert.deepEqual((await collect({ namespace: NS })).summary, {
    versions: 0,
    runs: 0,
    rows: 0,
    objects: 0,
    bytes: 0,
    uploads: 0,
  });
});

test('a dry run names every candidate and touches nothing', async () => {
  await everything();
  const before = await paths();
  const { found, said, summary } = await collect({ dryRun: true, namespace: NS });
  assert.deepEqual(await paths(), before);
  assert.equal((await pool.query('SELECT FROM slipway.runs')).rowCount, 4);
  const reasons = found.flatMap((one) => (one.what === 'object' ? [one.reason] : [])).sort();
  assert.deepEqual(reasons, [
    'DataMissing',
    'ModelDeleted',
    'ModelMissing',
    'RunDeleted',
    'RunDeleted',
    'RunDeleted',
    'RunMissing',
  ]);
  assert.equal(summary.bytes, 35);
  assert.match(said, /would take/);
  const { summary: real } = await collect({ namespace: NS });
  assert.deepEqual([real.objects, real.bytes], [summary.objects, summary.bytes]);
});

test('within the grace nothing is taken', async () => {
  await everything();
  const before = await paths();
  assert.deepEqual((await collect({ inDays: 5 })).summary, {
    ...{ versions: 0, runs: 0, rows: 0 },
    objects: 0,
    bytes: 0,
    uploads: 0,
  });
  assert.deepEqual(await paths(), before);
});

test('of the attempts of a job the published one stays, and all while it runs', async () => {
  const [done, failed, running] = [runId('a'), runId('b'), runId('c')];
  const at = (id: string, attempt: string) => `1/${id}/artifacts/${attempt.repeat(12)}/model/model.onnx`;
  await version(1, `1/${done}/artifacts/${'1'.repeat(12)}/model`, { status: 'DELETED' });
  await run(done, { runKey: 'one', published: { model: 'iris', version: 1 } });
  await run(failed, { runKey: 'two', status: 'FAILED' });
  await run(running, { runKey: 'three', status: 'RUNNING' });
  for (const id of [done, failed, running]) for (const attempt of ['1', '2']) await put(at(id, attempt));
  await put(`1/${failed}/artifacts/logged-by-script.png`);
  await collect();
  assert.deepEqual(await paths(), [
    at(done, '1'),
    `1/${failed}/artifacts/logged-by-script.png`,
    at(running, '1'),
    at(running, '2'),
  ]);
});

test('the deleted run of a job loses its bytes and keeps its row: the job must not run again', async () => {
  await run(runId('a'), { runKey: 'one', deletedDaysAgo: 1 });
  await put(`1/${runId('a')}/artifacts/x`);
  await collect();
  assert.deepEqual(await paths(), []);
  assert.equal((await pool.query('SELECT FROM slipway.runs')).rowCount, 1);
});

test('bytes stay as long as a version that is not deleted, or one in use, names them', async () => {
  await version(1, 'data-by-hand', {});
  await version(2, `1/${runId('a')}/artifacts/model`, { status: 'DELETED', service: 'prod-iris' });
  await version(3, `1/${runId('b')}/artifacts/model`, { status: 'FAILED_REGISTRATION' });
  await version(4, `1/${runId('c')}/artifacts/model`, { status: 'DELETED' });
  for (const letter of 'abc') await put(`1/${runId(letter)}/artifacts/model/m.onnx`);
  await collect();
  assert.deepEqual(await paths(), [`1/${runId('a')}/artifacts/model/m.onnx`, `1/${runId('b')}/artifacts/model/m.onnx`]);
});

test('of a data set the newest upload stays, and those that trained a version', async () => {
  const uploads = ['1', '2', '3'].map((digit) => digit.repeat(32));
  const sha = (digit: string): string => digit.repeat(64);
  const dataSets = openDataSets(pool);
  for (const [index, upload] of uploads.entries()) {
    await put(`data/${upload}/a.csv`);
    await dataSets.add(NS, { name: 'a.csv', upload, size: 5, sha256: sha(String(index + 1)), contentType: 'text/csv' });
  }
  await version(1, 'x', {
    status: 'DELETED',
    lineage: { inputs: [{ name: 'train', uri: 'data://a.csv', sha256: sha('2') }] },
  });
  const { found } = await collect();
  assert.deepEqual(
    found.map((one) => one.reason),
    ['DataSuperseded'],
  );
  assert.deepEqual(await paths(), [`data/${uploads[1]}/a.csv`, `data/${uploads[2]}/a.csv`]);
  assert.equal((await dataSets.find(NS, 'a.csv'))?.sha256, sha('3'));
  assert.equal(await dataSets.find(NS, 'a.csv', sha('1')), undefined);
});

test('uploads that were never finished are aborted once they are old', async () => {
  await store.startMultipart(`${NS}/1/${runId('a')}/artifacts/half.bin`);
  const unfinished = async () => {
    const found = [];
    for await (const { key } of store.unfinishedUploads(`${NS}/`)) found.push(key);
    return found.length;
  };
  assert.equal((await collect({ inDays: 1 })).summary.uploads, 0);
  assert.equal((await collect({ dryRun: true })).summary.uploads, 1);
  assert.equal(await unfinished(), 1);
  assert.equal((await collect()).summary.uploads, 1);
  assert.equal(await unfinished(), 0);
});

/** A store that calls back before it deletes. */
const storeThat = (beforeRemove: () => Promise<void>): StreamingObjectStore => ({
  ...store,
  async remove(keys) {
    await beforeRemove();
    return store.remove(keys);
  },
});

test('killed before the bytes go: the next collection finishes it', async () => {
  await run(runId('a'), { deletedDaysAgo: 1 });
  await put(`1/${runId('a')}/artifacts/x`);
  const dying = storeThat(() => Promise.reject(new Error('killed')));
  await assert.rejects(collect({ store: dying }), /killed/);
  assert.equal((await pool.query('SELECT FROM slipway.runs')).rowCount, 0);
  assert.equal((await paths()).length, 1);
  await collect();
  assert.deepEqual(await paths(), []);
});

/** A store in which something happens between the first look and the second. */
function between(happening: () => Promise<void>): StreamingObjectStore {
  let looked = 0;
  return {
    ...store,
    walk(prefix, startAfter) {
      const again = startAfter !== undefined && looked++ === 0;
      return (async function* () {
        if (again) await happening();
        yield* store.walk(prefix, startAfter);
      })();
    },
  };
}

test('a version registered while it collects keeps its bytes', async () => {
  const folder = `1/${runId('a')}/artifacts/model`;
  await put(`${folder}/m.onnx`);
  await put(`1/${runId('a')}/artifacts/other`);
  await collect({ store: between(() => version(1, folder)) });
  assert.deepEqual(await paths(), [`${folder}/m.onnx`]);
});

test('a file uploaded anew while it collects stays', async () => {
  const path = `1/${runId('a')}/artifacts/x`;
  await put(path, 'old');
  // The grace ends just after the first upload; the second comes after its end.
  const now = Date.now() + 500;
  await collect({
    now,
    graceMs: 0,
    store: between(async () => {
      do await put(path, 'new');
      while (Date.now() <= now + 100);
    }),
  });
  assert.deepEqual(await paths(), [path]);
});

test('retention gives up old versions that nobody points to, with an event each', async () => {
  for (let number = 1; number <= 8; number++) {
    const over =
      { 1: { stage: 'Production' }, 2: { alias: 'champion' }, 3: { service: 'prod-iris' }, 4: { daysOld: 0 } }[
        number
      ] ?? {};
    await version(number, `x/${number}`, { daysOld: 100 - number, ...over });
  }
  const live = async (): Promise<number[]> =>
    (await pool.query("SELECT version FROM slipway.model_versions WHERE status <> 'DELETED' ORDER BY 1")).rows.map(
      (row) => row.version,
    );
  assert.equal((await collect({ inDays: 0 })).summary.versions, 0);
  assert.equal((await collect({ inDays: 0, keepLast: 2, maxAgeMs: 30 * DAY, dryRun: true })).summary.versions, 2);
  assert.equal((await collect({ inDays: 0, keepLast: 2, maxAgeMs: 30 * DAY })).summary.versions, 2);
  assert.deepEqual(await live(), [1, 2, 3, 4, 7, 8]);
  assert.equal((await collect({ inDays: 0, maxAgeMs: 30 * DAY })).summary.versions, 1);
  assert.equal((await collect({ inDays: 0, keepLast: 1 })).summary.versions, 1);
  assert.deepEqual(await live(), [1, 2, 3, 8]);
  const { rows } = await pool.query(
    "SELECT version, actor FROM slipway.model_events WHERE event = 'Deleted' ORDER BY 1",
  );
  assert.deepEqual(
    rows,
    [4, 5, 6, 7].map((number) => ({ version: number, actor: 'retention' })),
  );
});

test('a version that gets an alias at the last moment is not given up', async () => {
  await version(1, 'x/1', { daysOld: 100 });
  await version(2, 'x/2');
  const rows = openGarbageRows(pool);
  const [candidate] = await rows.retirable(NS, { keepLast: 1 });
  assert.ok(candidate);
  await pool.query(
    "INSERT INTO slipway.model_aliases (namespace, model, alias, version) VALUES ($1, 'iris', 'late', 1)",
    [NS],
  );
  assert.equal(await rows.retire(NS, candidate, {}), false);
  await pool.query('DELETE FROM slipway.model_aliases');
  assert.equal(await rows.retire(NS, candidate, {}), true);
  assert.equal(await rows.retire(NS, candidate, {}), false);
});

test('of the stages that retention is told to keep only those protect', async () => {
  for (const [number, stage] of ['Production', 'Staging', 'Archived', 'None', 'None'].entries())
    await version(number + 1, `x/${number}`, { daysOld: 100, stage });
  const gone = async (keepStages?: string[]) =>
    (await collect({ inDays: 0, keepLast: 1, dryRun: true, keepStages })).found.flatMap((one) =>
      one.what === 'version' ? [one.version] : [],
    );
  assert.deepEqual(await gone(), [4]);
  assert.deepEqual(await gone(['Production']), [2, 3, 4]);
  assert.deepEqual(await gone([]), [1, 2, 3, 4]);
  await collect({ inDays: 0, keepLast: 1, keepStages: ['Production', 'Staging'] });
  assert.deepEqual(await gone([]), [1, 2]);
});

const retired = (found: readonly Found[]): string[] =>
  found.flatMap((one) => (one.what === 'run' ? [one.id.slice(0, 1)] : []));
const active = async (): Promise<string> =>
  (await pool.query("SELECT run_id FROM slipway.runs WHERE lifecycle_stage = 'active' ORDER BY 1")).rows
    .map((row) => row.run_id[0])
    .join('');

test('retention of runs keeps the newest of each experiment and the young, and takes nothing unless it is asked to', async () => {
  for (const [index, letter] of [...'abcd'].entries()) await run(runId(letter), { daysOld: 40 - index * 10 });
  await run(runId('e'), { experiment: 2, daysOld: 90 });
  assert.equal((await collect({ inDays: 0 })).summary.runs, 0);
  assert.deepEqual(retired((await collect({ inDays: 0, runs: { keepLast: 3 }, dryRun: true })).found), ['a']);
  assert.deepEqual(retired((await collect({ inDays: 0, runs: { maxAgeMs: 25 * DAY }, dryRun: true })).found), [
    'a',
    'b',
    'e',
  ]);
  assert.equal(await active(), 'abcde');
  const { found, summary } = await collect({ inDays: 0, runs: { keepLast: 1, maxAgeMs: 25 * DAY } });
  assert.deepEqual([retired(found), summary.runs], [['a', 'b'], 2]);
  assert.equal(await active(), 'cde');
});

test('a run that was given up can be restored until the grace is over; then its bytes go, and with it what hangs on it', async () => {
  await run(runId('a'), { daysOld: 40 });
  await run(runId('b'), { daysOld: 1 });
  await put(`1/${runId('a')}/artifacts/x`);
  await collect({ inDays: 0, runs: { keepLast: 1 } });
  assert.deepEqual(await paths(), [`1/${runId('a')}/artifacts/x`]);
  await collect();
  assert.deepEqual(await paths(), []);
  assert.deepEqual((await pool.query('SELECT run_id FROM slipway.runs')).rows, [{ run_id: runId('b') }]);
});

test('nothing that goes on, and nothing a version refers to, is given up', async () => {
  const old = { daysOld: 90 };
  await run(runId('a'), { ...old, status: 'RUNNING' });
  await run(runId('b'), old);
  await version(1, `1/${runId('b')}/artifacts/model`, { run: runId('b') });
  await run(runId('c'), old);
  await model(modelId('c'));
  await pool.query('UPDATE slipway.logged_models SET source_run_id = $1', [runId('c')]);
  await version(2, `1/models/${modelId('c')}/artifacts`);
  await pool.query('UPDATE slipway.model_versions SET logged_model_id = $1 WHERE version = 2', [modelId('c')]);
  await version(3, 'elsewhere', {});
  await run(runId('d'), { ...old, runKey: 'd', published: { model: 'iris', version: 3 } });
  await run(runId('e'), { ...old, status: 'SCHEDULED' });
  await run(runId('f'), old);
  await run(runId('0'), { ...old, parent: runId('f'), status: 'RUNNING' });
  await run(runId('1'), { ...old, parent: runId('a') });
  await run(runId('2'), old);
  assert.deepEqual(retired((await collect({ inDays: 0, runs: { maxAgeMs: DAY } })).found), ['2']);
  await pool.query("UPDATE slipway.model_versions SET status = 'DELETED'");
  await pool.query("UPDATE slipway.runs SET status = 'FINISHED' WHERE status = 'RUNNING'");
  assert.deepEqual(retired((await collect({ inDays: 0, runs: { maxAgeMs: DAY } })).found), [...'01abcdf']);
});

test('trials have the place of their search: a large search pushes nobody out, and an old one goes with its trials', async () => {
  await run(runId('a'), { daysOld: 50, runKey: 'a' });
  await run(runId('b'), { daysOld: 49, runKey: 'b', parent: runId('a') });
  await run(runId('c'), { daysOld: 48, parent: runId('b') });
  await run(runId('d'), { daysOld: 30 });
  await run(runId('e'), { daysOld: 20, runKey: 'e' });
  for (const digit of '0123') await run(runId(digit), { daysOld: 19, parent: runId('e') });
  const keep = async (keepLast: number) =>
    retired((await collect({ inDays: 0, runs: { keepLast }, dryRun: true })).found);
  assert.deepEqual(await keep(3), []);
  assert.deepEqual(await keep(2), [...'abc']);
  assert.deepEqual(await keep(1), [...'abcd']);
});

test('a purged run of a job keeps a bare row that no client sees, so that it does not happen again', async () => {
  await run(runId('a'), { runKey: 'one', deletedDaysAgo: 1 });
  await set(runId('a'), 'spec', '{"inputs":[]}');
  for (const table of ['metrics', 'latest_metrics'])
    await pool.query(
      `INSERT INTO slipway.${table} (namespace, run_id, key, step, "timestamp", value) VALUES ($1, $2, 'm', 0, 0, 1)`,
      [NS, runId('a')],
    );
  assert.equal((await collect({ dryRun: true })).summary.rows, 1);
  const { found } = await collect();
  assert.deepEqual(
    found.map((one) => one.what === 'row' && [one.kind, one.id]),
    [['run', runId('a')]],
  );
  for (const table of ['metrics', 'latest_metrics', 'tags'])
    assert.equal((await pool.query(`SELECT FROM slipway.${table}`)).rowCount, 0, table);
  const { rows } = await pool.query('SELECT run_key, is_tracked, spec FROM slipway.runs');
  assert.deepEqual(rows, [{ run_key: 'one', is_tracked: false, spec: null }]);
  assert.equal((await collect()).summary.rows, 0);
});

test('requests for runs go when they were answered long ago, and wait as long as they have to', async () => {
  const ids = ['a', 'b', 'c'].map((letter) => `${letter.repeat(8)}-0000-0000-0000-000000000000`);
  for (const [index, id] of ids.entries())
    await pool.query(
      `INSERT INTO slipway.run_requests (namespace, request_id, training_job, requested_by, run_id, refused)
         VALUES ($1, $2, 'iris', 'me', $3, $4)`,
      [NS, id, index === 0 ? runId('a') : null, index === 1 ? 'unknown parameter' : null],
    );
  assert.equal((await collect({ inDays: 1 })).summary.rows, 0);
  assert.equal((await collect()).summary.rows, 2);
  assert.deepEqual((await pool.query('SELECT request_id FROM slipway.run_requests')).rows, [{ request_id: ids[2] }]);
});

/** A trial of the search `search` that published a candidate; its attempt lies beside one that failed. */
async function trial(letter: string, search: string, over: RunRow = {}): Promise<string> {
  const folder = `1/${runId(letter)}/artifacts/${letter.repeat(12)}`;
  await run(runId(letter), { runKey: `${search}/c0`, parent: runId(search), ...over });
  await set(runId(letter), 'published_at', new Date());
  await set(runId(letter), 'parent_run_key', search);
  const artifact = { uri: `s3://${bucket}/${NS}/${folder}/model` };
  await set(runId(letter), 'candidate', { model: { artifact, lineage: { inputs: [{ sha256: '1'.repeat(64) }] } } });
  await put(`${folder}/model/m.onnx`);
  await put(`1/${runId(letter)}/artifacts/${'f'.repeat(12)}/model/m.onnx`);
  return `${folder}/model/m.onnx`;
}

test('what a trial published stays while its search goes on, even when somebody deletes the trial', async () => {
  await run(runId('a'), { runKey: 'a', status: 'RUNNING' });
  const kept = await trial('b', 'a', { deletedDaysAgo: 1 });
  await collect();
  assert.deepEqual(await paths(), [kept]);
  await set(runId('a'), 'status', 'FINISHED');
  await collect();
  assert.deepEqual(await paths(), []);
});

test('of an ended search the files of a trial stay with its run, other attempts of it go', async () => {
  await run(runId('a'), { runKey: 'a' });
  const kept = await trial('b', 'a');
  await collect();
  assert.deepEqual(await paths(), [kept]);
});

/** Two uploads of a.csv: what is asked is whether the first, superseded one stays. */
async function superseded(): Promise<() => Promise<boolean>> {
  const dataSets = openDataSets(pool);
  for (const digit of ['1', '2']) {
    const upload = digit.repeat(32);
    await put(`data/${upload}/a.csv`);
    await dataSets.add(NS, { name: 'a.csv', upload, size: 5, sha256: digit.repeat(64), contentType: 'text/csv' });
  }
  return async () => {
    await collect();
    return (await paths()).includes(`data/${'1'.repeat(32)}/a.csv`);
  };
}

test('data that a run was given stays, though no version was made of it, until the run is purged', async () => {
  const stays = await superseded();
  await run(runId('a'));
  await pool.query(
    `INSERT INTO slipway.datasets (namespace, experiment_id, name, digest, source_type, source) VALUES ($1, 1, 'train', $2, 'data', $3)`,
    [NS, '1'.repeat(32), JSON.stringify({ uri: 'data://a.csv', sha256: '1'.repeat(64) })],
  );
  await pool.query(
    "INSERT INTO slipway.run_datasets (namespace, run_id, experiment_id, name, digest) VALUES ($1, $2, 1, 'train', $3)",
    [NS, runId('a'), '1'.repeat(32)],
  );
  assert.equal(await stays(), true);
  await set(runId('a'), 'lifecycle_stage', 'deleted');
  await set(runId('a'), 'deleted_time', new Date());
  await collect();
  assert.equal(await stays(), false);
});

test('data that a run under way reads stays until it ends; other data does not', async () => {
  const stays = await superseded();
  await run(runId('a'), { runKey: 'a', status: 'RUNNING' });
  await set(runId('a'), 'spec', JSON.stringify({ inputs: [{ name: 'train', uri: 'data://a.csv' }] }));
  assert.equal(await stays(), true);
  await set(runId('a'), 'spec', JSON.stringify({ inputs: [{ name: 'train', uri: 'data://b.csv' }] }));
  assert.equal(await stays(), false);
});

test('data behind a candidate of a search stays', async () => {
  const stays = await superseded();
  await run(runId('a'), { runKey: 'a' });
  await trial('b', 'a');
  assert.equal(await stays(), true);
});

test('what a version was converted to stays as long as the version, and goes when it was never recorded', async () => {
  const [recorded, lost, deleted] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];
  const derive = async (number: number, digest: string) => {
    await pool.query(
      `INSERT INTO slipway.derived_artifacts (namespace, model, version, uri, files, digest, conversion)
         VALUES ($1, 'iris', $2, $3, '[]', $4, '{}')`,
      [NS, number, `s3://${bucket}/${NS}/derived/iris/${number}/${digest}`, digest],
    );
  };
  await version(1, 'models/pickle', {});
  await version(2, 'models/pickle', { status: 'DELETED' });
  await derive(1, recorded);
  await derive(2, deleted);
  const kept = [`derived/iris/1/${recorded}/manifest.json`, `derived/iris/1/${recorded}/model.onnx`];
  const garbage = [`derived/iris/1/${lost}/model.onnx`, `derived/iris/2/${deleted}/model.onnx`];
  for (const path of [...kept, ...garbage]) await put(path);
  await collect({ inDays: 1 });
  assert.equal((await paths()).length, 4, 'nothing is old yet');
  const { found } = await collect();
  assert.deepEqual(await paths(), kept);
  assert.deepEqual(
    found.filter((one) => 'path' in one).map(({ reason }) => reason),
    ['DerivedUnused', 'DerivedUnused'],
  );
});
