/** `front` before a server that a test plays: what clients hear of it, when it is ready, and how it ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { frontConfig } from '../src/config.ts';
import type { FailureError } from '../src/failure.ts';
import { front } from '../src/front/front.ts';
import { temporaryFolder } from './folder.ts';
import { run } from './program.ts';

const DIGEST = 'd'.repeat(64);
const EXAMPLE = '{"inputs": [[1, 2]]}';

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
  return text;
}

/** What a server of the protocol mlflow does, unless the test says otherwise. */
const MLFLOW: RequestListener = async (asked, response) => {
  if (asked.url === '/ping') return void response.end('\n');
  const body = await bodyOf(asked);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ predictions: [body.length] }));
};

async function backend(t: TestContext, answer: RequestListener = MLFLOW, port = 0): Promise<Server & { port: number }> {
  const server = createServer((asked, response) => answer(asked, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

interface World {
  readonly url: string;
  readonly port: number;
  /** Sends what SIGTERM says; resolves when the front has ended. */
  readonly stop: () => Promise<void>;
  readonly ended: Promise<void>;
  readonly ready: (status?: number) => Promise<void>;
}

interface Given {
  readonly port: number;
  readonly protocol?: 'mlflow' | 'v1' | 'v2';
  readonly readyWithinSeconds?: number;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

async function world(
  t: TestContext,
  { port, protocol = 'mlflow', readyWithinSeconds = 60, files = {}, env = {} }: Given,
) {
  const dir = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const config = frontConfig({
    MODEL_ARTIFACT: JSON.stringify({ namespace: 'ns', uri: 's3://b/ns/m', digest: DIGEST }),
    MODEL_DIR: dir,
    MODEL_NAME: 'iris',
    MODEL_VERSION: '3',
    PORT: '0',
    HOST: '127.0.0.1',
    DRAIN_DELAY_MS: '20',
    RUNTIME: JSON.stringify({ protocol, port, readyWithinSeconds }),
    ...env,
  });
  const stopped = Promise.withResolvers<undefined>();
  const listening = Promise.withResolvers<number>();
  const ended = front(config, pino({ level: 'silent' }), { stopped: stopped.promise, onListen: listening.resolve });
  ended.catch(() => undefined);
  const at = await Promise.race([listening.promise, ended.then(() => 0)]);
  const stop = (): Promise<void> => {
    stopped.resolve(undefined);
    return ended;
  };
  t.after(() => stop().catch(() => undefined));
  const url = `http://127.0.0.1:${at}`;
  const ready = async (status = 200): Promise<void> => {
    while ((await fetch(`${url}/readyz`)).status !== status) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { url, port: at, stop, ended, ready } satisfies World;
}

const invoke = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: EXAMPLE,
  });

test('every answer names the version and the digest, whoever gives it', async (t) => {
  const { port } = await backend(t, (asked, response) => {
    response.setHeader('x-model-version', 'mine');
    response.setHeader('x-served-by', 'mlflow');
    return MLFLOW(asked, response);
  });
  const { url, ready } = await world(t, { port });
  await ready();
  for (const path of ['/invocations', '/ping', '/health', '/metrics', '/model/version', '/version', '/train']) {
    const answer = await fetch(`${url}${path}`, path === '/invocations' ? { method: 'POST', body: EXAMPLE } : {});
    await answer.arrayBuffer();
    assert.equal(answer.headers.get('x-model-version'), '3', path);
    assert.equal(answer.headers.get('x-artifact-sha256'), DIGEST, path);
    assert.ok(answer.headers.get('x-request-id'), path);
  }
  const answer = await invoke(url, { 'x-request-id': 'mine-1' });
  assert.deepEqual(await answer.json(), { predictions: [EXAMPLE.length] });
  assert.equal(answer.headers.get('x-request-id'), 'mine-1');
  assert.equal(answer.headers.get('x-served-by'), 'mlflow');
  const health = (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>;
  assert.deepEqual(
    [health['status'], health['version'], health['engine'], health['protocol']],
    ['ok', '3', 'runtime', 'mlflow'],
  );
});

test('the server gets the request as it came, with the id and the trace, and no header of the connection', async (t) => {
  const heard: Asked[] = [];
  const { port } = await backend(t, async (asked, response) => {
    if (asked.url === '/ping') return void response.end();
    heard.push({ method: asked.method ?? '', url: asked.url ?? '', headers: asked.headers, body: await bodyOf(asked) });
    response.writeHead(201, 'Made', { 'set-cookie': ['a=1', 'b=2'], 'access-control-allow-origin': '*' }).end('yes');
  });
  const { url, port: at, ready } = await world(t, { port });
  await ready();
  const options = {
    ...{ host: '127.0.0.1', port: at, method: 'PUT', path: '/v2/x%20y?a=b&c', agent: new Agent({ keepAlive: true }) },
    headers: { connection: 'x-mine', 'x-mine': '1', 'x-other': '2', te: 'trailers', authorization: 'Bearer t' },
  };
  const sent = request(options);
  sent.end('body');
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  assert.equal(await bodyOf(answer), 'yes');
  assert.deepEqual([answer.statusCode, answer.statusMessage], [201, 'Made']);
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(answer.headers['access-control-allow-origin'], undefined, 'spec.cors decides that');
  const [{ headers, ...rest } = assert.fail('nothing came')] = heard;
  assert.deepEqual(rest, { method: 'PUT', url: '/v2/x%20y?a=b&c', body: 'body' });
  assert.deepEqual([headers['x-mine'], headers['x-other'], headers.te], [undefined, '2', undefined]);
  assert.equal(headers.authorization, 'Bearer t');
  assert.equal(headers['x-request-id'], answer.headers['x-request-id']);
  assert.ok(headers['traceparent']);
  options.agent.destroy();
  assert.ok(url);
});

test('a long body and a long answer stream through without being held', async (t) => {
  const size = 8 * 1024 * 1024;
  const { port } = await backend(t, (asked, response) => {
    if (asked.url === '/ping') return void response.end();
    asked.pipe(response);
  });
  const { url, ready } = await world(t, { port });
  await ready();
  const body = Buffer.alloc(size, 'x');
  const answer = await fetch(`${url}/invocations`, { method: 'POST', body });
  assert.equal((await answer.arrayBuffer()).byteLength, size);
});

test('an answer that comes in pieces reaches the client piece by piece', async (t) => {
  const rest = Promise.withResolvers<void>();
  const { port } = await backend(t, async (asked, response) => {
    if (asked.url === '/ping') return void response.end();
    response.write('first');
    await rest.promise;
    response.end(' second');
  });
  const { url, ready } = await world(t, { port });
  await ready();
  const answer = await invoke(url);
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  assert.equal(Buffer.from((await reader.read()).value as Uint8Array).toString(), 'first');
  rest.resolve();
  assert.equal(Buffer.from((await reader.read()).value as Uint8Array).toString(), ' second');
});

test('connections to the server are kept, and one it has just closed costs no client its answer', async (t) => {
  let connections = 0;
  let asked = 0;
  const behind = await backend(t, async (incoming, response) => {
    if (incoming.url === '/ping') return void response.end();
    await bodyOf(incoming);
    asked += 1;
    // Closed as the next request is on its way, without a word, as servers do with idle connections.
    if (asked === 3) return void incoming.socket.destroy();
    response.end('{}');
  });
  behind.on('connection', () => {
    connections += 1;
  });
  const { url, ready } = await world(t, { port: behind.port, env: {} });
  await ready();
  const before = connections;
  for (let i = 0; i < 5; i++) assert.equal((await invoke(url)).status, 200);
  assert.equal(asked, 6, 'one was asked twice');
  assert.ok(connections - before <= 4, `${connections - before} connections for 6 requests`);
});

test('it is ready only after the version’s own example was predicted', async (t) => {
  const bodies: string[] = [];
  let status = 503;
  const { port } = await backend(t, async (asked, response) => {
    if (asked.url === '/ping') return void response.end();
    bodies.push(await bodyOf(asked));
    response.writeHead(status).end('{"predictions": [1]}');
  });
  const { url, ready } = await world(t, { port, files: { 'serving_input_example.json': EXAMPLE } });
  while (bodies.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await fetch(`${url}/readyz`)).status, 503);
  assert.equal((await invoke(url)).status, 503, 'nobody is let through to a server that does not predict');
  status = 200;
  await ready();
  assert.ok(bodies.every((body) => body === EXAMPLE));
});

test('the rows a trainer of ours left are an example too', async (t) => {
  const bodies: string[] = [];
  const { port } = await backend(t, async (asked, response) => {
    if (asked.url !== '/ping') bodies.push(await bodyOf(asked));
    response.end('{}');
  });
  const examples = JSON.stringify({
    inputs: [
      { a: 1, b: 'x' },
      { a: 2, b: 'y' },
    ],
    outputs: {},
  });
  const { ready } = await world(t, { port, files: { 'examples.json': examples } });
  await ready();
  assert.deepEqual(bodies, ['{"dataframe_records":[{"a":1,"b":"x"}]}']);
});

const failing: readonly [
  name: string,
  given: Omit<Given, 'port'>,
  answer: RequestListener,
  reason: string,
  words: RegExp,
][] = [
  [
    'a server that answers the example with a fault',
    { files: { 'serving_input_example.json': EXAMPLE } },
    (asked, response) => {
      response
        .writeHead(asked.url === '/ping' ? 200 : 400)
        .end(asked.url === '/ping' ? '' : '{"error_code": "BAD_REQUEST"}');
    },
    'InvalidModel',
    /example was answered with 400 at \/invocations: .*BAD_REQUEST/,
  ],
  [
    'a server that never says that it is ready',
    { readyWithinSeconds: 1 },
    (_, response) => void response.writeHead(500).end('no model here'),
    'LoadTimeout',
    /progressDeadline.*GET \/ping .*500: no model here/,
  ],
  [
    'a server of V1 with a model of another name',
    { readyWithinSeconds: 1, protocol: 'v1' },
    (_, response) => void response.writeHead(404).end(),
    'LoadTimeout',
    /\/v1\/models\/iris .*404: it serves a model of another name/,
  ],
];
for (const [name, given, answer, reason, words] of failing) {
  test(`${name} ends the front with the reason`, async (t) => {
    const { port } = await backend(t, answer);
    const { ended } = await world(t, { port, ...given });
    await assert.rejects(ended, (error: FailureError) => {
      assert.equal(error.reason, reason);
      assert.match(error.message, words);
      return true;
    });
  });
}

test('examples that nobody would have made are none', async (t) => {
  const bodies: string[] = [];
  const { port } = await backend(t, async (asked, response) => {
    if (asked.url !== '/ping') bodies.push(await bodyOf(asked));
    response.end();
  });
  const large = ' '.repeat(5 * 1024 * 1024);
  const { ready } = await world(t, { port, files: { 'serving_input_example.json': large, 'examples.json': large } });
  await ready();
  assert.deepEqual(bodies, []);
});

test('nothing listens: it is said with the port', async (t) => {
  const behind = await backend(t);
  await new Promise((resolve) => behind.close(resolve));
  const { ended } = await world(t, { port: behind.port, readyWithinSeconds: 1 });
  await assert.rejects(ended, new RegExp(`nothing listens at port ${behind.port}`));
});

const protocols: readonly [protocol: 'v1' | 'v2', path: string, notYet: string, ready: string][] = [
  ['v1', '/v1/models/iris', '{"name":"iris","ready":false}', '{"name":"iris","ready":true}'],
  ['v2', '/v2/health/ready', '', ''],
];
for (const [protocol, path, notYet, ready] of protocols) {
  test(`${protocol}: readiness is what ${path} says`, async (t) => {
    let isReady = false;
    const paths = new Set<string>();
    const { port } = await backend(t, (asked, response) => {
      paths.add(asked.url ?? '');
      const status = protocol === 'v1' || isReady ? 200 : 503;
      response.writeHead(status).end(isReady ? ready : notYet);
    });
    const { url, ready: readied } = await world(t, { port, protocol });
    while (!paths.has(path)) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal((await fetch(`${url}/readyz`)).status, 503);
    isReady = true;
    await readied();
  });
}

test('a server that ends is taken out at once, and is back when it answers again', async (t) => {
  const behind = await backend(t);
  const { url, ready } = await world(t, { port: behind.port });
  await ready();
  behind.close();
  behind.closeAllConnections();
  await ready(503);
  const refused = await invoke(url);
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
  assert.deepEqual(await refused.json(), { detail: 'The model server is not ready; try again' });
  assert.equal((await fetch(`${url}/livez`)).status, 200);
  await backend(t, MLFLOW, behind.port);
  await ready();
});

test('a server that breaks off, or is silent for too long, is no answer', async (t) => {
  const { port } = await backend(t, (asked, response) => {
    if (asked.url === '/ping') response.end();
    else if (asked.url === '/v2/cut') asked.socket.destroy();
    else if (asked.url === '/half') response.write('{"predictions": [', () => asked.socket.destroy());
  });
  const { url, ready } = await world(t, { port, env: { ANSWER_TIMEOUT_MS: '50' } });
  await ready();
  const cut = await fetch(`${url}/v2/cut`);
  assert.equal(cut.status, 502);
  assert.deepEqual(Object.keys((await cut.json()) as object), ['error']);
  assert.equal((await invoke(url)).status, 504);
  await assert.rejects(
    fetch(`${url}/half`).then((answer) => answer.text()),
    'half an answer is none',
  );
});

test('a client that goes away ends what the server does for it', async (t) => {
  const gone = Promise.withResolvers<void>();
  const came = Promise.withResolvers<void>();
  const { port } = await backend(t, (asked, response) => {
    if (asked.url === '/ping') return void response.end();
    came.resolve();
    response.once('close', () => gone.resolve());
  });
  const { port: at, ready } = await world(t, { port });
  await ready();
  const socket = connect(at, '127.0.0.1');
  socket.write('POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}');
  await came.promise;
  socket.destroy();
  await gone.promise;
});

test('told to stop: not ready at once, what comes and what goes on is answered with `Connection: close`, and then it ends', async (t) => {
  const rest = Promise.withResolvers<void>();
  const came = Promise.withResolvers<void>();
  const { port } = await backend(t, async (asked, response) => {
    if (asked.url === '/ping') return void response.end();
    if (asked.url === '/slow') {
      came.resolve();
      await rest.promise;
    }
    response.end('{}');
  });
  const { url, ready, stop } = await world(t, { port, env: { DRAIN_DELAY_MS: '300' } });
  await ready();
  const slow = fetch(`${url}/slow`);
  await came.promise;
  const ended = stop();
  await ready(503);
  const late = await invoke(url);
  assert.deepEqual([late.status, late.headers.get('connection')], [200, 'close']);
  rest.resolve();
  const answer = await slow;
  assert.deepEqual([answer.status, answer.headers.get('connection')], [200, 'close']);
  await answer.text();
  await ended;
  await assert.rejects(fetch(url));
});

test('keys are asked for before the server, which never sees them; its health is open', async (t) => {
  const heard: (string | undefined)[] = [];
  const { port } = await backend(t, (asked, response) => {
    if (asked.url !== '/ping') heard.push(asked.headers['x-api-key'] as string, asked.headers.authorization);
    response.end('{}');
  });
  const keys = await temporaryFolder(t);
  mkdirSync(join(keys, 'mounted'));
  writeFileSync(join(keys, 'mounted', 'shop'), 'a-key-of-the-shop');
  const env = { SERVE_SETTINGS: '{"auth":{"apiKeys":true}}', API_KEYS_DIR: join(keys, 'mounted') };
  const { url, ready } = await world(t, { port, env });
  await ready();
  for (const path of ['/invocations', '/docs', '/docs/../invocations', '/v2/health/x', '/anything']) {
    assert.equal((await fetch(`${url}${path}`)).status, 401, path);
  }
  assert.equal((await fetch(`${url}/invocations`, { method: 'OPTIONS' })).status, 401);
  assert.equal((await fetch(`${url}/ping`)).status, 200);
  const answer = await invoke(url, { 'x-api-key': 'a-key-of-the-shop' });
  assert.equal(answer.status, 200);
  assert.deepEqual(heard, [undefined, undefined]);
});

test('pages of a listed origin may read the answers of any server', async (t) => {
  const { port } = await backend(t, (asked, response) => {
    response.setHeader('vary', 'Accept');
    return MLFLOW(asked, response);
  });
  const { url, ready } = await world(t, {
    port,
    env: { SERVE_SETTINGS: '{"cors":{"origins":["https://a.example"]}}' },
  });
  await ready();
  const answer = await invoke(url, { origin: 'https://a.example' });
  assert.equal(answer.headers.get('access-control-allow-origin'), 'https://a.example');
  assert.equal(answer.headers.get('vary'), 'Origin, Accept');
  const preflight = await fetch(`${url}/invocations`, {
    method: 'OPTIONS',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
  });
  assert.equal(preflight.status, 204);
});

test('requests are counted with their status, and readiness is a metric', async (t) => {
  const { port } = await backend(t);
  const { url, ready } = await world(t, { port });
  await ready();
  await (await invoke(url)).text();
  const text = await (await fetch(`${url}/metrics`)).text();
  assert.match(text, /slipway_requests_total\{[^}]*endpoint="invocations"[^}]*status="200"[^}]*version="3"[^}]*\} 1/);
  assert.match(text, /slipway_model_ready\{[^}]*\} 1/);
});

test('as a container: why it ended is where the kubelet looks, and SIGTERM ends it well', async (t) => {
  const env = (port: number, readyWithinSeconds: number) => ({
    ...{
      MODEL_ARTIFACT: JSON.stringify({ namespace: 'ns', uri: 's3://b/ns/m', digest: DIGEST }),
      MODEL_DIR: '/nonexistent',
    },
    ...{ MODEL_NAME: 'iris', MODEL_VERSION: '3', PORT: '0', HOST: '127.0.0.1', DRAIN_DELAY_MS: '0' },
    RUNTIME: JSON.stringify({ protocol: 'mlflow', port, readyWithinSeconds }),
  });
  const sick = await backend(t, (_, response) => void response.writeHead(503).end());
  const well = await backend(t);
  const [lost, kept] = await Promise.all([run(t, 'front', env(sick.port, 1)), run(t, 'front', env(well.port, 60))]);
  assert.deepEqual(await lost.ended, { code: 65, signal: null });
  assert.equal((await lost.termination())?.reason, 'LoadTimeout');
  await kept.logged('the server behind is ready');
  kept.child.kill('SIGTERM');
  assert.deepEqual(await kept.ended, { code: 0, signal: null });
});
