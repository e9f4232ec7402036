import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { type Asked, fakeOperator, never, RUN_ID, running, type Told } from './fake-operator.ts';
import { iris, irisRow } from './models.ts';
import { serve } from './program.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (url: string, body: string | undefined, headers: Record<string, string> = JSON_TYPE) =>
  fetch(`${url}/train`, { method: 'POST', headers, ...(body !== undefined && { body }) });

const finished = { status: 'FINISHED', run_id: RUN_ID, version: 3, metrics: { r2: 0.53, rmse: null } };
const accepted: Told = { status: 202, body: { ...running, request_id: 'the-request' } };
const isPost = ({ method }: Asked): boolean => method === 'POST';
/** Takes the request, and says of the run what `then` says. */
const taking = (then: object | Promise<Told>) => (asked: Asked) =>
  isPost(asked) ? accepted : then instanceof Promise ? then : { status: 200, body: then };

test('a run that ends in time is answered with its result; parameters arrive as they were written', async (t) => {
  const operator = await fakeOperator(t, taking(finished));
  const server = await serve(t, iris, operator.env);
  const response = await post(server.url, '{"n_estimators":50,"max_depth":null}');
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), finished);
  assert.equal(response.headers.get('location'), null);
  const [train, wait] = operator.asked;
  assert.deepEqual([train?.method, train?.path], ['POST', '/control/v1/train']);
  assert.deepEqual(JSON.parse(train?.body ?? ''), { parameters: { n_estimators: 50, max_depth: null } });
  assert.match(wait?.path ?? '', /^\/control\/v1\/runs\/the-request\?wait=\d+$/);
});

test('no body is no parameters; the key is the client’s own, else one nobody had before', async (t) => {
  const operator = await fakeOperator(t, taking(finished));
  const server = await serve(t, iris, operator.env);
  assert.equal((await post(server.url, undefined, {})).status, 200);
  await post(server.url, '{}');
  await post(server.url, '{}', { ...JSON_TYPE, 'idempotency-key': 'order-17' });
  const [first, second, third] = operator.asked.filter(isPost);
  assert.equal(first?.body, '{"parameters":{}}');
  assert.match(first?.key ?? '', /^[0-9a-f-]{36}$/);
  assert.notEqual(first?.key, second?.key);
  assert.equal(third?.key, 'order-17');
});

test('the caller’s trace goes on to the operator, with its state untouched', async (t) => {
  const operator = await fakeOperator(t, taking(finished));
  const server = await serve(t, iris, operator.env);
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const trace = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: 'vendor=a,other=b' };
  const response = await post(server.url, '{}', { ...JSON_TYPE, ...trace });
  const [asked] = operator.asked;
  assert.match(asked?.trace.parent ?? '', new RegExp(`^00-${traceId}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
  assert.equal(asked?.trace.state, trace.tracestate);
  assert.equal(response.headers.get('traceparent'), asked?.trace.parent);
});

test('the token is read at each use, as the kubelet has renewed it', async (t) => {
  const operator = await fakeOperator(t, taking(finished));
  const server = await serve(t, iris, operator.env);
  await post(server.url, '{}');
  await operator.rotateToken('second-token\n');
  await post(server.url, '{}');
  const tokens = operator.asked.filter(isPost).map(({ token }) => token);
  assert.deepEqual(tokens, ['Bearer first-token', 'Bearer second-token']);
});

test('a run that failed is an answer too', async (t) => {
  const error = { reason: 'OOMKilled', message: 'it took too much memory' };
  const operator = await fakeOperator(t, taking({ status: 'FAILED', run_id: RUN_ID, metrics: {}, error }));
  const server = await serve(t, iris, operator.env);
  const response = await post(server.url, '{}');
  assert.deepEqual(
    [response.status, await response.json()],
    [200, { status: 'FAILED', run_id: RUN_ID, metrics: {}, error }],
  );
});

test('a run that takes longer is 202 with where to look, and there the same is told any time later', async (t) => {
  const operator = await fakeOperator(t, taking(running));
  const server = await serve(t, iris, { ...operator.env, TRAIN_WAIT_MS: '1000' });
  const response = await post(server.url, '{}');
  const location = `/train/${RUN_ID}`;
  assert.equal(response.status, 202);
  assert.equal(response.headers.get('location'), location);
  assert.deepEqual(await response.json(), { ...running, location });
  const later = await fetch(server.url + location);
  assert.deepEqual([later.status, await later.json()], [202, { ...running, location }]);
  assert.equal(operator.asked.at(-1)?.path, `/control/v1/runs/${RUN_ID}?wait=0`);
  operator.answer = taking(finished);
  const ended = await fetch(server.url + location);
  assert.deepEqual([ended.status, await ended.json()], [200, finished]);
});

test('Prefer: respond-async is answered at once', async (t) => {
  const operator = await fakeOperator(t, taking(never));
  const server = await serve(t, iris, operator.env);
  for (const prefer of ['respond-async', 'wait=10, Respond-Async']) {
    const response = await post(server.url, '{}', { ...JSON_TYPE, prefer });
    assert.equal(response.status, 202, prefer);
    assert.equal(response.headers.get('preference-applied'), 'respond-async');
    assert.equal(response.headers.get('location'), `/train/${RUN_ID}`);
  }
  assert.ok(operator.asked.every(isPost), 'nobody waited');
});

const refused: [status: number, detail: unknown, retry?: string][] = [
  [403, 'InferenceService team-a/iris starts no runs'],
  [404, 'TrainingJob team-a/gone (spec.api.trainingJob of InferenceService iris) does not exist'],
  [409, 'no run comes of this request: the parameter x is unknown'],
  [422, [{ loc: ['body', 'max_depth'], msg: 'parameter max_depth: expected …, got "x"', type: 'value_error' }]],
  [429, 'too many requests are waiting for runs: try again', '1'],
];
for (const [status, detail, retry = null] of refused) {
  test(`what the operator refuses with ${status} is told in its own words`, async (t) => {
    const operator = await fakeOperator(t, () => ({ status, body: { detail } }));
    const server = await serve(t, iris, operator.env);
    for (const response of [
      await post(server.url, '{"max_depth":"x"}'),
      await fetch(`${server.url}/train/${RUN_ID}`),
    ]) {
      assert.equal(response.status, status);
      assert.deepEqual(await response.json(), { detail });
      assert.equal(response.headers.get('retry-after'), retry);
    }
  });
}

test('while the operator is away, or does not take this pod’s token, it is 503 with Retry-After, and why is in the log', async (t) => {
  const operator = await fakeOperator(t, () => ({ status: 503, body: { detail: 'Postgres is unavailable' } }));
  const server = await serve(t, iris, operator.env);
  const away = async () => {
    const response = await post(server.url, '{}');
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '5']);
    return ((await response.json()) as { detail: string }).detail;
  };
  assert.match(await away(), /operator does not answer/);
  const keys = new Set(operator.asked.map(({ key }) => key));
  assert.deepEqual([operator.asked.length > 1, keys.size], [true, 1], 'it is tried again under the same key');
  operator.answer = () => ({ status: 401, body: { detail: 'the token is not good' } });
  assert.doesNotMatch(await away(), /token/);
  await operator.stop();
  await away();
  assert.match(server.log(), /Postgres is unavailable/);
  assert.match(server.log(), /the token is not good/);
  assert.doesNotMatch(server.log(), /first-token/);
});

test('an operator that goes away while somebody waits, and comes back, is not noticed', async (t) => {
  let looks = 0;
  const operator = await fakeOperator(t, (asked) => {
    if (isPost(asked)) return accepted;
    looks++;
    return looks === 1 ? { status: 503, body: { detail: 'restarting' } } : { status: 200, body: finished };
  });
  const server = await serve(t, iris, operator.env);
  const response = await post(server.url, '{}');
  assert.deepEqual([response.status, await response.json()], [200, finished]);
});

test('a service without a TrainingJob refuses, naming the field', async (t) => {
  const server = await serve(t, iris);
  for (const response of [await post(server.url, '{}'), await fetch(`${server.url}/train/${RUN_ID}`)]) {
    assert.equal(response.status, 403);
    assert.match(((await response.json()) as { detail: string }).detail, /spec\.api\.trainingJob/);
  }
});

test('bodies are refused as at /predict, and then nobody is asked', async (t) => {
  const operator = await fakeOperator(t, taking(finished));
  const server = await serve(t, iris, operator.env);
  const invalid: [body: string, loc: unknown[], type: string][] = [
    ['{', ['body', 1], 'json_invalid'],
    ['[1]', ['body'], 'dict_type'],
    ['"x"', ['body'], 'dict_type'],
    ['null', ['body'], 'dict_type'],
  ];
  for (const [body, loc, type] of invalid) {
    const response = await post(server.url, body);
    const { detail } = (await response.json()) as { detail: { loc: unknown[]; type: string }[] };
    assert.deepEqual([response.status, detail.length, detail[0]?.loc, detail[0]?.type], [422, 1, loc, type], body);
  }
  assert.equal((await post(server.url, 'a=1', { 'content-type': 'application/x-www-form-urlencoded' })).status, 415);
  assert.equal((await post(server.url, '{}', { ...JSON_TYPE, 'content-encoding': 'gzip' })).status, 415);
  assert.equal((await post(server.url, JSON.stringify({ x: 'x'.repeat(70_000) }))).status, 413);
  assert.equal((await post(server.url, '{}', { ...JSON_TYPE, 'idempotency-key': 'k'.repeat(300) })).status, 422);
  const get = await fetch(`${server.url}/train`);
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
  assert.equal((await fetch(`${server.url}/train/${RUN_ID}`, { method: 'DELETE' })).status, 405);
  assert.deepEqual(operator.asked, []);
});

test('while runs are waited for, predictions are answered; beyond so many it is 429, and who goes away makes room', async (t) => {
  const operator = await fakeOperator(t, taking(never));
  const server = await serve(t, iris, operator.env);
  const gone = new AbortController();
  const waiting = Array.from({ length: 32 }, () =>
    fetch(`${server.url}/train`, { method: 'POST', signal: gone.signal }).catch(() => 'gone'),
  );
  await operator.heard(64);
  const predict = await fetch(`${server.url}/predict`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify({ samples: [irisRow([5.1, 3.5, 1.4, 0.2])] }),
  });
  assert.equal(predict.status, 200);
  const one = await post(server.url, '{}');
  assert.deepEqual([one.status, one.headers.get('retry-after')], [429, '1']);
  gone.abort();
  await Promise.all(waiting);
  operator.answer = taking(finished);
  let status = 429;
  while (status === 429) status = (await post(server.url, '{}')).status;
  assert.equal(status, 200);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /slipway_requests_total\{endpoint="train",status="200",/);
});

test('a client that goes away while it sends does no harm', async (t) => {
  const operator = await fakeOperator(t, taking(finished));
  const server = await serve(t, iris, operator.env);
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => {});
  const head = 'POST /train HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{';
  await new Promise((resolve) => socket.write(head, resolve));
  socket.resetAndDestroy();
  assert.equal((await post(server.url, '{}')).status, 200);
  assert.doesNotMatch(server.log(), /"level":"error"/);
});

test('a pod that leaves answers whoever waits: with the result when it comes, else with where to look', async (t) => {
  const end = Promise.withResolvers<Told>();
  const operator = await fakeOperator(t, (asked) => {
    if (isPost(asked))
      return { status: 202, body: { ...running, request_id: asked.body.includes('long') ? 'long' : 'short' } };
    return asked.path.includes('/long?') ? never : end.promise;
  });
  const server = await serve(t, iris, operator.env);
  const [short, long] = [post(server.url, '{"short":1}'), post(server.url, '{"long":1}')];
  await operator.heard(4);
  server.child.kill('SIGTERM');
  await server.logged('draining');
  end.resolve({ status: 200, body: finished });
  const first = await short;
  assert.deepEqual([first.status, first.headers.get('connection')], [200, 'close']);
  const second = await long;
  assert.deepEqual([second.status, second.headers.get('location')], [202, `/train/${RUN_ID}`]);
  assert.deepEqual(await server.ended, { code: 0, signal: null });
});
