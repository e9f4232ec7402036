import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { runIdFor, runKeyFor } from '@slipway/contract';
import { FakeKube } from '../../../test/fake-kube.ts';
import { FakeStores } from '../../../test/fake-stores.ts';
import type { KubeObject, OwnerReference } from '../api/meta.ts';
import { startServer } from '../http/server.ts';
import type { TokenHolder } from '../kube/callers.ts';
import { KubeError } from '../kube/errors.ts';
import type { DeclaredVersion } from '../kube/version-access.ts';
import { createCallers } from './callers.ts';
import { createControl } from './control.ts';
import { controlHandler } from './handler.ts';
import { createVersionControl, type VersionAccess } from './versions.ts';

const namespace = 'team-a';
const slipway = 'slipway.dev/v1alpha1';
const controlledBy = (kind: string, uid: string, name = kind.toLowerCase()): { ownerReferences: OwnerReference[] } => ({
  ownerReferences: [{ apiVersion: 'v1', kind, name, uid, controller: true }],
});
const object = (apiVersion: string, kind: string, name: string, uid: string, more: object = {}): KubeObject =>
  ({
    apiVersion,
    kind,
    metadata: { namespace, name, uid, ...('owner' in more ? (more.owner as object) : {}) },
    ...more,
  }) as KubeObject;

const pod = (name: string, uid: string, owner: object = {}) => object('v1', 'Pod', name, uid, { owner });
const forest = { name: 'random-forest', target: 'Rings' };
const trainingJob = (spec: object = { algorithm: forest }) =>
  object(slipway, 'TrainingJob', 'abalone', 'tj-uid', {
    spec: { model: 'abalone', inputs: [{ name: 'train', uri: 'builtin://abalone.csv' }], ...spec },
  });
const service = (spec: object = { api: { trainingJob: 'abalone' } }) =>
  object(slipway, 'InferenceService', 'abalone', 'svc-uid', { spec: { model: 'abalone', ...spec } });
const deployment = object('apps/v1', 'Deployment', 'abalone', 'deploy-uid', {
  owner: controlledBy('InferenceService', 'svc-uid', 'abalone'),
  spec: { replicas: 1, template: {} },
});

/** By token: whom the API server takes its bearer for; an error is thrown. */
const holders: Record<string, TokenHolder | KubeError> = {
  good: { username: 'system:serviceaccount:team-a:default', pod: { namespace, name: 'abalone-1', uid: 'pod-uid' } },
  'by-hand': { username: 'system:serviceaccount:team-a:default' },
  'other-pod': { username: 'x', pod: { namespace, name: 'notebook', uid: 'notebook-uid' } },
  'earlier-pod': { username: 'x', pod: { namespace, name: 'abalone-1', uid: 'earlier-uid' } },
  orphan: { username: 'x', pod: { namespace, name: 'orphan', uid: 'orphan-uid' } },
  training: { username: 'x', pod: { namespace, name: 'trainer', uid: 'trainer-uid' } },
  broken: new KubeError(0, 'Unreachable', 'the API server cannot be reached (ECONNREFUSED)'),
};

const nobodyElse: VersionAccess = {
  declared: async ({ spec }) => ({ version: String(spec.version), generation: 1 }),
  setVersion: async () => 2,
};

/** While it is set the API server takes its time. */
let hold: Promise<void> | undefined;

interface Heard {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers have many shapes
  readonly body: any;
  readonly headers: Headers;
}

async function operator(t: Pick<TestContext, 'after'>, options: { missing?: string[]; access?: VersionAccess } = {}) {
  const kube = new FakeKube();
  kube.put(pod('abalone-1', 'pod-uid', controlledBy('ReplicaSet', 'rs-uid')));
  kube.put(pod('orphan', 'orphan-uid'));
  kube.put(pod('trainer', 'trainer-uid', controlledBy('Job', 'job-uid')));
  kube.put(deployment).put(service()).put(trainingJob());
  const stores = new FakeStores();
  const reviews: string[] = [];
  const enqueued: string[] = [];
  const answered: string[] = [];
  const logged: unknown[] = [];
  const stop = new AbortController();
  const log = {
    debug() {},
    info() {},
    warn: (fields: object) => logged.push(fields),
    error: (fields: object) => logged.push(fields),
  };
  const callerOf = createCallers({
    holderOf: async (token, audience) => {
      reviews.push(`${token} for ${audience}`);
      await hold;
      const holder = holders[token];
      if (holder instanceof KubeError) throw holder;
      return holder;
    },
    deploymentOf: async (_, { uid }) => (uid === 'rs-uid' ? { name: 'abalone', uid: 'deploy-uid' } : undefined),
    kube: () => kube,
    now: () => new Date(),
  });
  const control = createControl({
    runs: stores.runStore,
    requests: stores.requestStore,
    kube: () => kube,
    enqueue: ({ name }) => enqueued.push(name),
  });
  const onAnswer = (route: string, status: number) => answered.push(`${route} ${status}`);
  const handle = controlHandler({
    control,
    versions: createVersionControl({ kube: () => kube, access: options.access ?? nobodyElse, log }),
    callerOf,
    missing: () => options.missing ?? [],
    stopping: stop.signal,
    log,
    onAnswer,
  });
  const probes = {
    dead: () => [],
    missing: () => [],
    details: () => ({}),
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
  };
  const server = await startServer(0, probes, handle);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send = async (path: string, init: RequestInit = {}, token = 'good'): Promise<Heard> => {
    const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) };
    const response = await fetch(url + path, { ...init, headers });
    return { status: response.status, body: await response.json(), headers: response.headers };
  };
  const train = (parameters: object = {}, { token, key }: { token?: string; key?: string } = {}) =>
    send(
      '/control/v1/train',
      {
        method: 'POST',
        body: JSON.stringify({ parameters }),
        headers: key === undefined ? {} : { 'idempotency-key': key },
      },
      token,
    );
  /** What the leader does with a request. */
  const start = async (requestId: string) => {
    const runKey = runKeyFor('tj-uid', { kind: 'request', requestId });
    return stores.runStore.start({
      ...{
        namespace,
        experiment: 'e',
        trainingJob: 'abalone',
        ownerUid: 'tj-uid',
        runKey,
        generation: 1,
        specDigest: 'd',
      },
      ...{ spec: {}, cause: 'Api', parameters: {}, startTime: '2026-01-01T00:00:00Z', isTracked: true, requestId },
    });
  };
  return { kube, stores, reviews, enqueued, answered, logged, callerOf, send, train, start, url, stop };
}

test('a request becomes a row with its parameters as texts, the TrainingJob is looked at, and the run has its id already', async (t) => {
  const { train, stores, enqueued, answered } = await operator(t);
  const key = randomUUID();
  const { status, body } = await train(
    { n_estimators: 50, max_depth: null, bootstrap: false, max_features: 'sqrt' },
    { key },
  );
  assert.equal(status, 202);
  const run_id = runIdFor(runKeyFor('tj-uid', { kind: 'request', requestId: key }));
  assert.deepEqual(body, { status: 'RUNNING', run_id, request_id: key });
  const [request] = stores.requests;
  assert.deepEqual(request?.parameters, {
    n_estimators: '50',
    max_depth: 'none',
    bootstrap: 'false',
    max_features: 'sqrt',
  });
  assert.deepEqual([request?.trainingJob, request?.requestedBy], ['abalone', 'InferenceService abalone']);
  assert.deepEqual(enqueued, ['abalone']);
  assert.deepEqual(answered, ['train 202']);
});

const strangers: [what: string, token: string, status: number, says: RegExp][] = [
  ['a token for another audience, or no token of this cluster', 'unknown', 401, /audience slipway/],
  ['a token that somebody made by hand', 'by-hand', 403, /bound to no pod/],
  ['a pod that the operator did not make', 'other-pod', 403, /team-a\/notebook is not a pod of an InferenceService/],
  ['an earlier pod of the same name', 'earlier-pod', 403, /not a pod of an InferenceService/],
  ['a pod without an owner', 'orphan', 403, /not a pod of an InferenceService/],
  ['a pod of a training run', 'training', 403, /not a pod of an InferenceService/],
];
for (const [what, token, status, says] of strangers) {
  test(`${what} starts nothing: ${status}`, async (t) => {
    const { train, send, stores } = await operator(t);
    const refused = await train({}, { token });
    assert.equal(refused.status, status);
    assert.match(refused.body.detail, says);
    assert.equal((await send(`/control/v1/runs/${randomUUID()}`, {}, token)).status, status);
    assert.deepEqual(stores.requests, []);
  });
}

test('without a token it is 401, and what the token was is written nowhere', async (t) => {
  const { send, train, logged } = await operator(t);
  const none = await send('/control/v1/train', { method: 'POST', body: '{}', headers: { authorization: '' } });
  assert.deepEqual([none.status, none.headers.get('www-authenticate')], [401, 'Bearer']);
  const away = await train({}, { token: 'broken' });
  assert.deepEqual([away.status, away.headers.get('retry-after')], [503, '2']);
  assert.doesNotMatch(JSON.stringify([logged, away.body, none.body]), /broken/);
});

test('the API server is asked once about a token, and the owners are looked up at each request', async (t) => {
  const { train, reviews, kube } = await operator(t);
  await Promise.all([train(), train(), train()]);
  assert.deepEqual(reviews, ['good for slipway']);
  kube.put({ ...service(), metadata: { ...service().metadata, uid: 'another-service' } });
  assert.equal((await train()).status, 403, 'the pod of a service that was deleted, under a new one of its name');
});

test('made-up tokens take no place from good ones, and the API server is asked about few at once', async (t) => {
  const { train, send, reviews, callerOf } = await operator(t);
  await train();
  for (let i = 0; i < 2400; i++) await assert.rejects(callerOf(`made-up-${i}`), { status: 401 });
  const before = reviews.length;
  assert.equal((await train()).status, 202);
  assert.equal(reviews.length, before, 'a good token is still known after 2400 others');

  const release = Promise.withResolvers<void>();
  hold = release.promise;
  t.after(() => {
    hold = undefined;
  });
  let refused = 0;
  const many = Array.from({ length: 40 }, async (_, i) => {
    const { status, headers } = await send(`/control/v1/runs/${randomUUID()}`, {}, `another-${i}`);
    if (status === 503 && headers.get('retry-after') === '2' && ++refused === 8) release.resolve();
    return status;
  });
  const statuses = await Promise.all(many);
  assert.equal(statuses.filter((status) => status === 401).length, 32);
  assert.equal(reviews.length, before + 32);
});

test('a service that names no TrainingJob starts none, whatever the body says', async (t) => {
  const { train, kube, stores } = await operator(t);
  kube.put(service({}));
  const { status, body } = await train({ trainingJob: 'abalone' });
  assert.equal(status, 403);
  assert.match(body.detail, /set spec\.api\.trainingJob/);
  assert.deepEqual(stores.requests, []);
});

test('a TrainingJob that is missing, or on its way out, is named', async (t) => {
  const { train, kube } = await operator(t);
  kube.put(service({ api: { trainingJob: 'gone' } }));
  const missing = await train();
  assert.equal(missing.status, 404);
  assert.match(missing.body.detail, /TrainingJob team-a\/gone .* does not exist/);
  kube.put(service());
  kube.put({ ...trainingJob(), metadata: { ...trainingJob().metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
  assert.match((await train()).body.detail, /is being deleted/);
});

const container = { container: { image: 'trainer' }, parameters: { lr: '0.1', epochs: '3' } };
const searching = {
  algorithm: forest,
  search: { method: 'grid', space: { max_depth: { values: ['1'] } }, objective: { metric: 'r2', goal: 'maximize' } },
};
const invalid: [what: string, given: string, loc: string[], type: string, spec?: object][] = [
  [
    'a parameter the algorithm does not know',
    '{"n_estimators":5,"trees":1,"x":1}',
    ['body', 'trees'],
    'extra_forbidden',
  ],
  ['a number out of range', '{"n_estimators":0}', ['body', 'n_estimators'], 'value_error'],
  ['a text for a number', '{"n_estimators":"many"}', ['body', 'n_estimators'], 'value_error'],
  ['a fraction for a whole number', '{"n_estimators":1.5}', ['body', 'n_estimators'], 'value_error'],
  ['null where none means nothing', '{"n_estimators":null}', ['body', 'n_estimators'], 'value_error'],
  ['a list', '{"max_depth":[1]}', ['body', 'max_depth'], 'string_type'],
  ['an object', '{"max_depth":{}}', ['body', 'max_depth'], 'string_type'],
  ['a number that no double holds', '{"max_depth":1e999}', ['body', 'max_depth'], 'finite_number'],
  ['a parameter a search tries', '{"max_depth":3}', ['body', 'max_depth'], 'value_error', searching],
  ['a name a container is not told of', '{"lr":1,"momentum":1}', ['body', 'momentum'], 'extra_forbidden', container],
  ['digits a JSON number loses', '{"lr":12345678901234567890}', ['body', 'lr'], 'int_parsing_size', container],
  ['a text Postgres cannot hold', '{"lr":"\\u0000"}', ['body', 'lr'], 'value_error', container],
  ['half of a character', '{"lr":"\\ud800"}', ['body', 'lr'], 'value_error', container],
];
for (const [what, given, loc, type, spec] of invalid) {
  test(`${what} is 422 ${type} where it stands, and nothing is started`, async (t) => {
    const { send, stores, kube } = await operator(t);
    if (spec) kube.put(trainingJob(spec));
    const { status, body } = await send('/control/v1/train', { method: 'POST', body: `{"parameters":${given}}` });
    assert.equal(status, 422);
    assert.equal(body.detail.length, 1, 'exactly the first fault');
    assert.deepEqual([body.detail[0].loc, body.detail[0].type], [loc, type]);
    assert.deepEqual(stores.requests, []);
  });
}

test('a container takes any text for the parameters its spec names', async (t) => {
  const { train, kube, stores } = await operator(t);
  kube.put(trainingJob(container));
  assert.equal((await train({ lr: 'warm', epochs: 10 })).status, 202);
  assert.deepEqual(stores.requests[0]?.parameters, { lr: 'warm', epochs: '10' });
});

test('the same key is the same run; with other parameters it is refused', async (t) => {
  const { train, stores } = await operator(t);
  const key = randomUUID();
  const [first, again] = [
    await train({ n_estimators: 5 }, { key }),
    await train({ n_estimators: '5' }, { key: key.toUpperCase() }),
  ];
  assert.deepEqual(again.body, first.body);
  const other = await train({ n_estimators: 6 }, { key });
  assert.deepEqual([other.status, other.body.detail[0].loc], [422, ['header', 'Idempotency-Key']]);
  const named = [
    await train({}, { key: 'order 17' }),
    await train({}, { key: 'order 17' }),
    await train({}, { key: 'order 18' }),
  ];
  assert.equal(named[0]?.body.run_id, named[1]?.body.run_id);
  assert.notEqual(named[0]?.body.run_id, named[2]?.body.run_id);
  assert.equal(stores.requests.length, 3);
});

test('whoever waits hears of the end when it comes, by the id of the request and of the run', async (t) => {
  const { train, send, start, stores } = await operator(t);
  const { request_id, run_id } = (await train()).body;
  const waiting = Promise.all([request_id, run_id].map((id) => send(`/control/v1/runs/${id}?wait=20`)));
  const run = await start(request_id);
  assert.equal(run.runId, run_id, 'as it was foretold');
  assert.deepEqual((await send(`/control/v1/runs/${run_id}`)).body, { status: 'RUNNING', run_id });
  stores.publish(run.runKey, 'abalone', { r2: 0.5 });
  const ended = { status: 'FINISHED', run_id, version: 1, metrics: { r2: 0.5 } };
  for (const { status, body } of await waiting) assert.deepEqual([status, body], [200, ended]);
});

test('a run that failed says why', async (t) => {
  const { train, send, start, stores } = await operator(t);
  const { request_id, run_id } = (await train()).body;
  const { runKey } = await start(request_id);
  const failure = { reason: 'OOMKilled', message: 'it took too much memory' };
  await stores.runStore.fail(namespace, runKey, { status: 'FAILED', ...failure, endTime: '2026-01-01T00:01:00Z' });
  assert.deepEqual((await send(`/control/v1/runs/${run_id}`)).body, {
    status: 'FAILED',
    run_id,
    metrics: {},
    error: failure,
  });
});

test('a request that was refused is 409 with the reason, also by the id of the run that never was', async (t) => {
  const { train, send, stores } = await operator(t);
  const { request_id, run_id } = (await train()).body;
  await stores.requestStore.refuse(namespace, request_id, 'the TrainingJob cannot run');
  for (const id of [request_id, run_id]) {
    const { status, body } = await send(`/control/v1/runs/${id}?wait=20`);
    assert.equal(status, 409);
    assert.match(body.detail, /the TrainingJob cannot run/);
  }
});

test('runs of another TrainingJob, of other causes, and unknown ones are not shown', async (t) => {
  const { train, send, stores, kube } = await operator(t);
  const { request_id, run_id } = (await train()).body;
  kube.put({ ...trainingJob(), metadata: { ...trainingJob().metadata, name: 'other', uid: 'other-uid' } });
  kube.put(service({ api: { trainingJob: 'other' } }));
  const scheduled = await stores.runStore.start({
    ...{
      namespace,
      experiment: 'e',
      trainingJob: 'other',
      ownerUid: 'other-uid',
      runKey: 'other-uid/g1',
      generation: 1,
    },
    ...{
      specDigest: 'd',
      spec: {},
      cause: 'Created',
      parameters: {},
      startTime: '2026-01-01T00:00:00Z',
      isTracked: true,
    },
  });
  for (const id of [request_id, run_id, scheduled.runId, randomUUID(), 'f'.repeat(32), '..%2f..', 'x']) {
    assert.equal((await send(`/control/v1/runs/${id}`)).status, 404, id);
  }
});

test('while Postgres or the caches are away it is 503 with Retry-After', async (t) => {
  const { train, send, stores } = await operator(t);
  stores.health = { ...stores.health, postgres: { up: false, since: '2026-01-01T00:00:00Z' } as never };
  for (const { status, headers } of [await train(), await send(`/control/v1/runs/${randomUUID()}`)]) {
    assert.deepEqual([status, headers.get('retry-after')], [503, '2']);
  }
  const starting = await operator(t, { missing: ['Pod: not listed yet'] });
  const { status, body } = await starting.train();
  assert.equal(status, 503);
  assert.match(body.detail, /Pod: not listed yet/);
});

test('a process that ends answers whoever waits', async (t) => {
  const { train, send, stop, stores } = await operator(t);
  const { request_id } = (await train()).body;
  let looks = 0;
  const looked = Promise.withResolvers<void>();
  const { find } = stores.requestStore;
  Object.assign(stores.requestStore, {
    find: (...of: Parameters<typeof find>) => {
      if (++looks === 1) looked.resolve();
      return find(...of);
    },
  });
  const waiting = send(`/control/v1/runs/${request_id}?wait=30`);
  await looked.promise;
  stop.abort();
  assert.equal((await waiting).body.status, 'RUNNING');
  assert.ok(looks <= 2, `it went on looking: ${looks} times`);
});

test('bodies that are too large or no request, other methods and paths are refused', async (t) => {
  const { send, stores } = await operator(t);
  const post = (body: string) => send('/control/v1/train', { method: 'POST', body });
  assert.equal((await post(`{"parameters":{"x":"${'x'.repeat(70_000)}"}}`)).status, 413);
  for (const body of ['', '{', '[]', '{"parameters":[]}', '{"parameters":{},"trainingJob":"other"}']) {
    assert.equal((await post(body)).status, 400, body);
  }
  const get = await send('/control/v1/train');
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
  assert.equal((await send('/control/v1/runs/x', { method: 'POST' })).status, 405);
  assert.equal((await send('/control/v1/other', { method: 'POST' })).status, 404);
  assert.equal((await send('/livez', { method: 'POST' })).status, 405);
  assert.deepEqual(stores.requests, []);
});

test('one namespace may wait for so many runs at once and no more; what ends makes room', async (t) => {
  const { train, send, start, stores } = await operator(t);
  const { request_id } = (await train()).body;
  const { runKey } = await start(request_id);
  let waiting = 0;
  const full = Promise.withResolvers<void>();
  const many = Array.from({ length: 97 }, async () => {
    const answer = await send(`/control/v1/runs/${request_id}?wait=30`);
    if (answer.status === 429) full.resolve();
    waiting++;
    return answer.status;
  });
  await full.promise;
  assert.equal(waiting, 1, 'one is refused while the others wait');
  stores.publish(runKey, 'abalone');
  const statuses = await Promise.all(many);
  assert.deepEqual([statuses.filter((s) => s === 200).length, statuses.filter((s) => s === 429).length], [96, 1]);
  assert.equal((await send(`/control/v1/runs/${request_id}`)).status, 200);
});

test('what waits to be started is bounded: the client hears 429, and what was asked for before is answered', async (t) => {
  const { train, stores, start } = await operator(t);
  const first = randomUUID();
  await train({}, { key: first });
  for (let asked = 1; asked < 100; asked++) assert.equal((await train()).status, 202);
  const refused = await train();
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '2']);
  assert.match(refused.body.detail, /100 runs of TrainingJob abalone wait for their turn already/);
  assert.equal((await train({}, { key: first })).status, 202);
  assert.equal(stores.requests.length, 100);
  await start(first);
  assert.equal((await train()).status, 202);
});

test('a fault of ours says nothing of its cause', async (t) => {
  const { train, stores, logged } = await operator(t);
  Object.assign(stores.requestStore, { add: () => Promise.reject(new Error('secret path /app')) });
  const { status, body } = await train();
  assert.equal(status, 500);
  assert.doesNotMatch(JSON.stringify(body), /secret/);
  assert.equal(logged.length, 1);
});

const digest = 'a'.repeat(64);
const modelVersion = (version: number, more: { ready?: 'True' | 'False'; stage?: string; model?: string } = {}) => {
  const { ready = 'True', stage = 'None', model = 'abalone' } = more;
  const artifact = { uri: `s3://b/${version}`, files: [{ path: 'model.onnx', sha256: digest, size: 1 }], digest };
  const said = { reason: 'Verified', message: 'the words of the version', lastTransitionTime: '2026-01-01T00:00:00Z' };
  return object(slipway, 'ModelVersion', `${model}-v${version}`, `mv-${model}-${version}`, {
    spec: { model, version, source: { uri: `s3://b/${version}` }, format: 'onnx', stage },
    status: { version, artifact, conditions: [{ type: 'Ready', status: ready, ...said }] },
  });
};
const switchable = (spec: object = {}) => service({ api: { allowVersionSwitch: true }, version: '1', ...spec });
/** The service with what the operator says of it. */
const saying = (status: string, reason: string, { version = 1, generation = 1 } = {}) => {
  const told = switchable();
  const condition = { type: 'Ready', status, reason, message: 'the words of the service', observedGeneration: 1 };
  const conditions = [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z' }];
  return { ...told, metadata: { ...told.metadata, generation }, status: { version, conditions } };
};

/** An operator whose service may be switched, with versions 1 (Production), 2, and 3, which is not ready. */
async function switching(
  t: Pick<TestContext, 'after'>,
  { fails, ...now }: Partial<DeclaredVersion> & { fails?: KubeError } = {},
) {
  const set: string[] = [];
  const setVersion: VersionAccess['setVersion'] = async ({ metadata }, version) => {
    if (fails) throw fails;
    set.push(`${metadata.uid} ${version}`);
    return 7;
  };
  const declared: VersionAccess['declared'] = async ({ spec }) => ({
    ...{ version: String(spec.version), generation: 1 },
    ...now,
  });
  const told = await operator(t, { access: { declared, setVersion } });
  told.kube
    .put(switchable())
    .put(modelVersion(1, { stage: 'Production' }))
    .put(modelVersion(2));
  told.kube.put(modelVersion(3, { ready: 'False' })).put(modelVersion(9, { model: 'other' }));
  const ask = (version: unknown) =>
    told.send('/control/v1/version', { method: 'POST', body: JSON.stringify({ version }) });
  return { ...told, ask, set };
}

test('a client may ask for a version by number, stage or latest, and the very object of its pod is changed', async (t) => {
  const { ask, set, answered } = await switching(t);
  for (const version of [2, '2', 'Production', 'latest']) {
    const { status, body } = await ask(version);
    assert.deepEqual([status, body], [202, { status: 'ROLLING_OUT', requested: String(version), generation: 7 }]);
  }
  assert.deepEqual(set, ['svc-uid 2', 'svc-uid 2', 'svc-uid Production', 'svc-uid latest']);
  assert.deepEqual(new Set(answered), new Set(['version 202']));
});

const unswitchable: [what: string, version: unknown, status: number, says: RegExp][] = [
  ['a number no version has', '8', 404, /no version 8; there are 3, 2, 1/],
  ['the number of another model', '9', 404, /no version 9/],
  ['a stage no version is in', 'Staging', 404, /in stage Staging/],
  ['an alias nobody gave', '@champion', 404, /alias champion/],
  ['a version that is not proven', '3', 409, /not ready: Verified: the words of the version/],
  ['what is no version', 'newest', 422, /got another string/],
  ['a fraction', 1.5, 422, /got number/],
  ['nothing', null, 422, /got null/],
];
for (const [what, version, status, says] of unswitchable) {
  test(`${what} is ${status}, and nothing is changed`, async (t) => {
    const { ask, set } = await switching(t);
    const heard = await ask(version);
    assert.equal(heard.status, status);
    assert.match(JSON.stringify(heard.body.detail), says);
    assert.deepEqual(set, []);
  });
}

test('a service that does not allow it is not switched, nor one whose version somebody else declares', async (t) => {
  const { ask, set, kube } = await switching(t, { applier: 'argocd' });
  const declared = await ask('2');
  assert.equal(declared.status, 409);
  assert.match(declared.body.detail, /declared by the field manager argocd/);
  assert.equal((await ask('1')).status, 202, 'what is asked for already needs no change');
  for (const api of [undefined, { trainingJob: 'abalone' }, { allowVersionSwitch: false }]) {
    kube.put(service({ version: '1', ...(api && { api }) }));
    const closed = await ask('2');
    assert.equal(closed.status, 403);
    assert.match(closed.body.detail, /set spec\.api\.allowVersionSwitch/);
  }
  assert.deepEqual(set, []);
});

test('what was asked for a moment ago counts, though the cache has not seen it', async (t) => {
  const { ask, set, kube } = await switching(t, { version: '2', generation: 2 });
  kube.put(saying('True', 'Serving'));
  assert.deepEqual((await ask('2')).body, { status: 'ROLLING_OUT', requested: '2', generation: 2 });
  assert.deepEqual(set, []);
  assert.equal((await ask('1')).body.status, 'ROLLING_OUT', 'not what answered before');
  assert.deepEqual(set, ['svc-uid 1']);
});

const unwritable: [what: string, error: KubeError, status: number, says: RegExp][] = [
  ['a rule of the cluster', new KubeError(403, 'Forbidden', 'User "system:x" cannot'), 403, /the cluster refuses/],
  ['a webhook', new KubeError(422, 'Invalid', 'secret-rule'), 403, /the cluster refuses another spec\.version/],
  ['an object made anew', new KubeError(409, 'Conflict', 'uid'), 409, /replaced meanwhile: ask again/],
  ['an object that is gone', new KubeError(404, 'NotFound', 'x'), 409, /replaced meanwhile/],
  ['an API server that is away', new KubeError(0, 'Unreachable', 'ECONNREFUSED'), 503, /try again/],
];
for (const [what, fails, status, says] of unwritable) {
  test(`a version that cannot be written because of ${what} is ${status}, without the words of the API server`, async (t) => {
    const { ask } = await switching(t, { fails });
    const heard = await ask('2');
    assert.equal(heard.status, status);
    assert.match(heard.body.detail, says);
    assert.equal(heard.body.detail.includes(fails.message), false);
  });
}

test('how the rollout goes is read off the object, and never off an older one than was asked about', async (t) => {
  const { send, kube } = await switching(t);
  const look = async (query = '') => (await send(`/control/v1/version${query}`)).body;
  assert.deepEqual(await look(), { status: 'ROLLING_OUT', requested: '1', generation: 1 });
  kube.put(saying('True', 'Serving'));
  assert.deepEqual(await look(), { status: 'SERVING', requested: '1', generation: 1, version: 1 });
  assert.deepEqual(await look('?generation=2'), { status: 'ROLLING_OUT', requested: '1', generation: 2 });
  kube.put(saying('True', 'Serving', { generation: 2 }));
  assert.equal((await look()).status, 'ROLLING_OUT', 'the operator has not looked at this state yet');
  kube.put(saying('False', 'RollingOut'));
  assert.equal((await look()).status, 'ROLLING_OUT');
  kube.put(saying('False', 'VersionRejected'));
  const error = { reason: 'VersionRejected', message: 'the words of the service' };
  assert.deepEqual(await look(), { status: 'FAILED', requested: '1', generation: 1, error });
});

test('whoever comes to wait at an operator that stops is sent away for a while, not answered over and over', async (t) => {
  const { send, kube, stop } = await switching(t);
  kube.put(saying('False', 'RollingOut'));
  stop.abort();
  assert.equal((await send('/control/v1/version')).body.status, 'ROLLING_OUT', 'who does not wait is told');
  const again = await send('/control/v1/version?wait=20');
  assert.deepEqual([again.status, again.headers.get('retry-after')], [503, '2']);
  assert.match(again.body.detail, /is stopping: try again/);
});

test('whoever waits for a rollout is answered when it is done', async (t) => {
  const { send, kube } = await switching(t);
  kube.put(saying('False', 'RollingOut'));
  const waiting = send('/control/v1/version?wait=20');
  kube.put(saying('True', 'Serving'));
  assert.equal((await waiting).body.status, 'SERVING');
});
