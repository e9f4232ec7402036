/** Publishing as a tenant's own role does it: gates, stages that wait for the proof, candidates of a search, untracked runs. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type GateVerdict, type PublishRequest, trialKeyFor } from '@slipway/contract';
import type pg from 'pg';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { publication, startRun } from '../testing/rows.ts';
import {
  connect,
  migrate,
  openModelRegistry,
  openStores,
  openTracking,
  PublishRefusedError,
  publishRun,
  type Run,
  type StartRun,
  type Stores,
} from './index.ts';

let postgres: TestPostgres;
let pool: pg.Pool;
let tenant: pg.Pool;
let stores: Stores;
let registry: ReturnType<typeof openModelRegistry>;
let connectAs: (username: string) => pg.Pool;
before(async () => {
  postgres = await startPostgres();
  const access = await postgres.freshDatabase();
  pool = connect(access, { applicationName: 'publish-test', max: 16 });
  connectAs = (username) => connect({ ...access, username, password: 'p' }, { applicationName: 'tenant' });
  await migrate(pool);
  stores = openStores(pool, { epoch: () => undefined });
  registry = openModelRegistry(pool);
});
after(async () => {
  await tenant.end();
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
  const { username } = await stores.tenants.ensureRole(namespace, 'p');
  await tenant?.end();
  tenant = connectAs(username);
});

let generation = 0;
const start = (over: Partial<StartRun> = {}) =>
  stores.runs.start(startRun({ namespace, ownerUid, generation: ++generation, spec: ASKED, ...over }));
const published = (run: Run, over: Partial<PublishRequest> = {}) => publishRun(tenant, publication(run, over));
/** A version whose registration asks for that. */
const registered = async (over: Partial<PublishRequest> = {}): Promise<number> =>
  (await published(await start(), over)).version as number;
const prove = (version: number, status: 'READY' | 'FAILED_REGISTRATION' = 'READY') =>
  stores.versions.recordVerification(namespace, 'iris', version, { status, message: '' });
const version = async (number: number) => stores.versions.find(namespace, 'iris', number);
const stages = async () =>
  Object.fromEntries((await stores.versions.list(namespace)).map((row) => [row.version, row.stage]));
const events = async () =>
  (
    await pool.query(
      `SELECT version, event, from_value AS "from", to_value AS "to", actor FROM slipway.model_events
         WHERE namespace = $1 AND event NOT IN ('Registered', 'StatusChanged') ORDER BY id`,
      [namespace],
    )
  ).rows;
const actor = 'trainingjob/iris';

/** What runs are started for. */
const ASKED = { model: 'iris', register: { stage: 'Production', aliases: ['champion', 'blue'] } };
const PRODUCTION = { register: { stage: 'Production', aliases: ['champion', 'blue'] } };
const passed: GateVerdict = { passed: true, results: [{ metric: 'accuracy', passed: true, message: '0.95 ≥ 0.9' }] };
const failed: GateVerdict = { passed: false, results: [{ metric: 'accuracy', passed: false, message: '0.5 < 0.9' }] };

test('stage and aliases are given when the version is proven, and until then whoever has them keeps them', async () => {
  const one = await registered(PRODUCTION);
  await prove(one);
  const two = await registered(PRODUCTION);
  assert.deepEqual(await stages(), { [one]: 'Production', [two]: 'None' });
  assert.deepEqual((await version(one))?.aliases, ['blue', 'champion']);
  await prove(two);
  assert.deepEqual(await stages(), { [one]: 'Archived', [two]: 'Production' });
  assert.deepEqual((await version(two))?.aliases, ['blue', 'champion']);
  assert.deepEqual((await version(one))?.aliases, []);
  assert.deepEqual(await events(), [
    { version: one, event: 'StageChanged', from: 'None', to: 'Production', actor },
    { version: one, event: 'AliasSet', from: null, to: 'blue', actor },
    { version: one, event: 'AliasSet', from: null, to: 'champion', actor },
    { version: one, event: 'StageChanged', from: 'Production', to: 'Archived', actor },
    { version: two, event: 'StageChanged', from: 'None', to: 'Production', actor },
    { version: two, event: 'AliasSet', from: String(one), to: 'blue', actor },
    { version: two, event: 'AliasSet', from: String(one), to: 'champion', actor },
  ]);
  await prove(two);
  assert.equal((await events()).length, 7, 'proving it again gives nothing again');
});

test('a version that cannot be served gets nothing, not even when it is proven later after all', async () => {
  const one = await registered(PRODUCTION);
  await prove(one);
  const two = await registered(PRODUCTION);
  await prove(two, 'FAILED_REGISTRATION');
  await prove(two);
  assert.deepEqual(await stages(), { [one]: 'Production', [two]: 'None' });
  assert.deepEqual((await version(one))?.aliases, ['blue', 'champion']);
});

test('of two versions under way the later one keeps the stage, whichever is proven first', async () => {
  const [one, two] = [await registered(PRODUCTION), await registered(PRODUCTION)];
  await prove(two);
  await prove(one);
  assert.deepEqual(await stages(), { [one]: 'None', [two]: 'Production' });
  assert.deepEqual((await version(two))?.aliases, ['blue', 'champion']);
});

test('whom a person staged before the proof stays where the person put it', async () => {
  const one = await registered(PRODUCTION);
  await stores.versions.edit({ namespace, model: 'iris', version: one }, 'kubernetes/me', () => ({ stage: 'Staging' }));
  await prove(one);
  assert.deepEqual(await stages(), { [one]: 'Staging' });
});

test('many versions proven at once end with one in production, and nobody waits in a circle', async () => {
  const numbers: number[] = [];
  for (let i = 0; i < 8; i++) numbers.push(await registered(PRODUCTION));
  await Promise.all(numbers.map((number) => prove(number)));
  const staged = Object.entries(await stages()).filter(([, stage]) => stage === 'Production');
  assert.deepEqual(staged, [[String(numbers.at(-1)), 'Production']]);
});

test('tags and gate belong to the version; one whose gates failed is registered and gets no stage', async () => {
  const number = await registered({ gate: failed, versionTags: { team: 'blue' } });
  await prove(number);
  const row = await version(number);
  assert.deepEqual([row?.stage, row?.aliases, row?.tags], ['None', [], { team: 'blue' }]);
  assert.deepEqual(row?.lineage.gate, failed);
  const [run] = await stores.runs.list(namespace, ownerUid, 1);
  assert.deepEqual([run?.gate, run?.version], [failed, number]);
});

test('what was read is told as MLflow tells it', async () => {
  const run = await start();
  const sha256 = 'ab'.repeat(32);
  const inputs = [
    { name: 'train', uri: 'data://iris.csv', sha256, size: 5 },
    { name: 'extra', uri: 'https://example.org/a.csv', sha256, size: 7 },
  ];
  await published(run, { inputs });
  const [found] = await openTracking(pool).runsById(namespace, [run.runId]);
  const tags = [{ key: 'mlflow.data.context', value: 'training' }];
  assert.deepEqual(
    found?.datasets.map(({ source, ...rest }) => ({ ...rest, source: JSON.parse(source) })),
    [
      {
        uri: 'https://example.org/a.csv',
        url: 'https://example.org/a.csv',
        name: 'extra',
        sourceType: 'http',
        size: 7,
      },
      { uri: 'data://iris.csv', name: 'train', sourceType: 'data', size: 5 },
    ].map(({ name, sourceType, ...source }) => ({
      ...{ name, sourceType, digest: sha256.slice(0, 32), tags },
      source: { ...source, sha256 },
    })),
  );
});

test('of an untracked run its metrics are kept for its TrainingJob alone, and its version is registered', async () => {
  const run = await start({ isTracked: false });
  const inputs = [{ name: 'train', uri: 'builtin://iris.csv', sha256: 'a'.repeat(64), size: 5 }];
  const number = (await published(run, { inputs, ...PRODUCTION })).version as number;
  for (const table of ['metrics', 'latest_metrics', 'params', 'tags', 'run_datasets', 'datasets'])
    assert.equal(
      (await pool.query(`SELECT FROM slipway.${table} WHERE namespace = $1`, [namespace])).rowCount,
      0,
      table,
    );
  const after = await stores.runs.find(namespace, run.runKey);
  assert.deepEqual([after?.status, after?.metrics, after?.version], ['FINISHED', { accuracy: 0.95 }, number]);
  assert.equal((await version(number))?.runId, run.runId);
});

/** What a script registers under its run. */
async function scripted({ runId }: Run): Promise<number> {
  await registry.createModel(namespace, { name: 'iris', description: '', tags: {} });
  const made = await registry.createVersion(
    namespace,
    {
      ...{ model: 'iris', sourceUri: `s3://slipway/${namespace}/m`, clientSource: 'models:/m', format: 'onnx', runId },
      ...{ status: 'PENDING_REGISTRATION', runLink: '', description: '', tags: { a: 'script' } },
    },
    'mlflow',
  );
  return made?.version as number;
}

test('an adopted version gets gate and tags, and its stage at once when it was proven before', async () => {
  const run = await start();
  const number = await scripted(run);
  await prove(number);
  const { model: _, ...request } = publication(run);
  await publishRun(tenant, { ...request, ...PRODUCTION, adopt: 'iris', gate: passed, versionTags: { b: 'job' } });
  const row = await version(number);
  assert.deepEqual([row?.stage, row?.aliases], ['Production', ['blue', 'champion']]);
  assert.deepEqual([row?.tags, row?.lineage.gate], [{ a: 'script', b: 'job' }, passed]);
});

const searchOf = async (count: number, over: Partial<StartRun> = {}) => {
  const search = await start(over);
  const trials: Run[] = [];
  for (let index = 0; index < count; index++) {
    const keys = { runKey: trialKeyFor(search.runKey, index), parentRunKey: search.runKey, cause: 'Search' };
    trials.push(await start({ ...over, ...keys, parameters: { C: String(index) } }));
  }
  return { search, trials: trials as [Run, ...Run[]] };
};
const ENDED = '2026-01-01T01:00:00.000Z';
const conclude = (search: Run, trial: Run) =>
  stores.runs.concludeSearch(namespace, search.runKey, { trialKey: trial.runKey, endTime: ENDED });
const candidate = (trial: Run, accuracy: number, over: Partial<PublishRequest> = {}) =>
  published(trial, {
    ...{ isCandidate: true, metrics: [{ key: 'accuracy', value: accuracy, step: 3, timestamp: 9 }] },
    ...{ params: { ...trial.parameters }, gate: passed, versionTags: { team: 'blue' }, ...PRODUCTION, ...over },
  });

test('a candidate is no version; concluding the search registers the best one, once, and ends the search like it', async () => {
  const { search, trials } = await searchOf(3, { parameters: { tol: '1' } });
  const inputs = [{ name: 'train', uri: 'data://iris.csv', sha256: 'a'.repeat(64), size: 5 }];
  for (const [index, trial] of trials.entries())
    assert.equal((await candidate(trial, 0.9 + index / 100, { inputs })).version, null);
  assert.deepEqual(await stores.versions.list(namespace), []);
  const best = trials[1] as Run;
  const ends = await Promise.all([conclude(search, best), conclude(search, best), conclude(search, trials[0])]);
  assert.equal(new Set(ends.map((run) => JSON.stringify(run))).size, 1, 'the first conclusion is everybody’s');
  const concluded = ends[0] as Run;
  assert.deepEqual([concluded.status, concluded.endTime, concluded.version], ['FINISHED', ENDED, 1]);
  const winner = (await stores.runs.trials(namespace, search.runKey)).find((run) => run.version === 1) as Run;
  assert.deepEqual(concluded.metrics, winner.metrics);
  assert.deepEqual(concluded.gate, passed);
  const [row] = await stores.versions.list(namespace);
  assert.deepEqual([row?.runId, row?.tags, row?.lineage.gate], [winner.runId, { team: 'blue' }, passed]);
  await prove(1);
  assert.deepEqual(await stages(), { 1: 'Production' });
  assert.deepEqual(await publishRun(tenant, publication(search)), { version: 1, alreadyPublished: true });
  const [told] = await openTracking(pool).runsById(namespace, [search.runId]);
  assert.deepEqual(
    told?.params.map(({ key, value }) => [key, value]),
    [
      ['C', winner.parameters['C']],
      ['tol', '1'],
    ],
  );
  assert.deepEqual(
    told?.datasets.map(({ name }) => name),
    ['train'],
  );
});

test('of versions that the trials’ scripts registered themselves only the best is promoted', async () => {
  const { search, trials } = await searchOf(2);
  for (const trial of trials) {
    await prove(await scripted(trial));
    const { model: _, ...request } = publication(trial);
    await publishRun(tenant, { ...request, ...PRODUCTION, adopt: 'iris', gate: passed, versionTags: { b: 'job' } });
  }
  assert.deepEqual(await stages(), { 1: 'None', 2: 'None' });
  const concluded = await conclude(search, trials[0]);
  assert.deepEqual([concluded?.model, concluded?.version], ['iris', 1]);
  assert.deepEqual(await stages(), { 1: 'Production', 2: 'None' });
  assert.deepEqual((await version(1))?.tags, { a: 'script', b: 'job' });
});

test('a search whose best trial failed its gates registers it without a stage', async () => {
  const { search, trials } = await searchOf(1);
  await published(trials[0], { isCandidate: true, gate: failed });
  const concluded = await conclude(search, trials[0]);
  assert.deepEqual([concluded?.version, concluded?.gate], [1, failed]);
  await prove(1);
  assert.deepEqual(await stages(), { 1: 'None' });
});

test('a search without a model ends with metrics alone, an untracked one too', async () => {
  for (const isTracked of [true, false]) {
    const { search, trials } = await searchOf(1, { isTracked });
    const { model: _, ...request } = publication(trials[0]);
    await publishRun(tenant, request);
    const concluded = await conclude(search, trials[0]);
    assert.deepEqual(
      [concluded?.status, concluded?.version, concluded?.metrics],
      ['FINISHED', undefined, { accuracy: 0.95 }],
    );
  }
});

test('a search is not concluded by a trial that goes on, by a stranger, or after it failed', async () => {
  const { search, trials } = await searchOf(2);
  const other = await searchOf(1);
  await candidate(other.trials[0], 1);
  await assert.rejects(conclude(search, trials[0]), /no trial of this search that ended well/);
  await assert.rejects(conclude(search, other.trials[0]), /no trial of this search/);
  assert.equal((await stores.runs.find(namespace, search.runKey))?.status, 'RUNNING');
  await candidate(trials[0], 1);
  const failure = { status: 'KILLED', reason: 'Replaced', message: 'm', endTime: ENDED } as const;
  await stores.runs.fail(namespace, search.runKey, failure);
  assert.equal((await conclude(search, trials[0]))?.status, 'KILLED');
  assert.deepEqual(await stores.versions.list(namespace), []);
});

test('what is ill-formed or too much is refused by name, and nothing is half done', async () => {
  const run = await start();
  const raw = async (change: object) => {
    const error = await tenant
      .query('SELECT slipway.publish_run($1::jsonb)', [JSON.stringify({ ...publication(run), ...change })])
      .catch((e) => e);
    assert.equal(error.code, 'SL002', `${JSON.stringify(change).slice(0, 80)}: ${error}`);
    return error.message as string;
  };
  assert.match(await raw({ isCandidate: true }), /for the trials of a search/);
  assert.match(await raw({ isCandidate: 'yes' }), /isCandidate must be true or false/);
  assert.match(await raw({ isCandidate: true, model: undefined }), /isCandidate needs a model/);
  assert.match(await raw({ register: { stage: 'Archived' } }), /register\.stage must be Staging or Production/);
  assert.match(await raw({ register: { stage: null } }), /register\.stage must be/);
  assert.match(await raw({ register: [] }), /register must be a map/);
  assert.match(await raw({ register: { aliases: Array(17).fill('a') } }), /at most 16/);
  for (const alias of ['latest', 'V2', 'a b', '', 7])
    assert.match(await raw({ register: { aliases: [alias] } }), /aliases: expected/);
  assert.match(await raw({ register: { stage: 'Production' }, gate: failed }), /absent when the gates failed/);
  assert.match(await raw({ versionTags: { a: 1 } }), /versionTags a: expected/);
  assert.match(await raw({ versionTags: 'a' }), /versionTags must be a map/);
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`t${n}`, 'x']));
  assert.match(await raw({ versionTags: many }), /more than 64/);
  assert.match(await raw({ gate: { passed: 'yes', results: [] } }), /gate: expected/);
  assert.match(
    await raw({ gate: { passed: true, results: [{ metric: 'a', passed: true }] } }),
    /gate\.results: expected/,
  );
  assert.match(await raw({ inputs: {} }), /inputs must be a list/);
  assert.match(await raw({ inputs: [{ name: 'a', uri: 'b', sha256: 'c', size: 1 }] }), /inputs: expected/);
  assert.equal((await stores.runs.find(namespace, run.runKey))?.status, 'RUNNING');
  assert.deepEqual(await stores.versions.list(namespace), []);
});

test('a candidate must lie below its own trial, like every model', async () => {
  const { search, trials } = await searchOf(1);
  const elsewhere = publication(search).model;
  await assert.rejects(published(trials[0], { isCandidate: true, ...(elsewhere && { model: elsewhere }) }), (error) => {
    return error instanceof PublishRefusedError && /artifact\.uri must lie under/.test(error.message);
  });
});

test('the role of a tenant may call none of what publishing is made of', async () => {
  for (const call of [
    `conclude_search('${namespace}', 'a', 'b', now())`,
    `settle_promotion('${namespace}', 'iris', 1)`,
    `hold_version('${namespace}', 'iris', 1)`,
    `set_stage('${namespace}', 'iris', 1, 'Production', true, 'me')`,
    `last_values('[]')`,
    `check_registration('{}')`,
  ])
    await assert.rejects(tenant.query(`SELECT slipway.${call}`), { code: '42501' }, call);
});

const beyond: { what: string; spec: object; over: object; says: RegExp }[] = [
  {
    what: 'a stage nobody asked for',
    spec: { model: 'iris' },
    over: PRODUCTION,
    says: /register\.stage must be what .*nothing/,
  },
  {
    what: 'another stage',
    spec: { ...ASKED, register: { stage: 'Staging' } },
    over: PRODUCTION,
    says: /register\.stage must be what .*Staging/,
  },
  {
    what: 'an alias nobody asked for',
    spec: { ...ASKED, register: { stage: 'Production', aliases: ['blue'] } },
    over: PRODUCTION,
    says: /register\.aliases must be among/,
  },
  {
    what: 'a stage without the verdict of its gates',
    spec: { ...ASKED, register: { ...ASKED.register, gate: [{ metric: 'accuracy', min: '0.9' }] } },
    over: PRODUCTION,
    says: /needs a gate that passed/,
  },
  { what: 'another model', spec: { model: 'abalone' }, over: {}, says: /model must be what .*abalone/ },
  { what: 'a model of a run that only tracks', spec: {}, over: {}, says: /model must be what .*nothing/ },
  {
    what: 'a version to adopt of another model',
    spec: ASKED,
    over: { adopt: 'abalone' },
    says: /spec\.model/,
  },
];
for (const { what, spec, over, says } of beyond) {
  test(`the credential of a training pod cannot publish ${what}`, async () => {
    const before = await registered(PRODUCTION);
    await prove(before);
    const run = await start({ spec });
    const { model, ...request } = publication(run, over);
    await assert.rejects(
      publishRun(tenant, 'adopt' in over ? request : { ...request, ...(model && { model }) }),
      (error) => error instanceof PublishRefusedError && says.test(error.message),
    );
    assert.deepEqual(await stages(), { [before]: 'Production' });
    assert.equal((await stores.runs.find(namespace, run.runKey))?.status, 'RUNNING');
  });
}

test('a publication and a promotion of the same model wait for each other in one order: neither is thrown back', async () => {
  const first = await registered(PRODUCTION);
  const run = await start();
  const promoting = await pool.connect();
  try {
    await promoting.query('BEGIN');
    await promoting.query('SELECT slipway.hold_version($1, $2, $3)', [namespace, 'iris', first]);
    const publishing = published(run);
    const until = performance.now() + 5_000;
    const blocked = 'SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))';
    while ((await promoting.query(blocked)).rows.length === 0) {
      if (performance.now() > until) throw new Error('nobody waited');
    }
    await promoting.query(`SELECT slipway.set_stage($1, $2, $3, 'Production', true, 'somebody')`, [
      ...[namespace, 'iris', first],
    ]);
    await promoting.query('COMMIT');
    assert.equal((await publishing).version, first + 1);
  } finally {
    promoting.release(true);
  }
});
