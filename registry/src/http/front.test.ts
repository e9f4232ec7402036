import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, type Server, request as send } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import pino from 'pino';
import { eventually } from '../../../test/support/eventually.ts';
import { ApiError } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { jsonObjectOf } from './body.ts';
import { type Area, type Exchange, sendJson } from './exchange.ts';
import { createFront } from './front.ts';

let server: Server;
let port: number;
let seen: Pick<Exchange, 'namespace' | 'path' | 'query'>[] = [];
let logged: string[] = [];
const metrics = createMetrics();

/** Below /api: what the path says. */
const area: Area = {
  owns: (path) => path.startsWith('/api/'),
  async answer(exchange) {
    const { namespace, path, query, request, response } = exchange;
    exchange.route = '/api/:what';
    seen.push({ namespace, path, query });
    if (path === '/api/refuse') throw new ApiError('UNAUTHENTICATED', 'who?');
    if (path === '/api/broken') throw new TypeError('canary');
    sendJson(response, 200, await jsonObjectOf(request));
  },
};

before(async () => {
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const front = createFront({
    areas: [area],
    otherwise: (request, response) => void response.end(`otherwise ${request.url}`),
    defaultNamespace: 'default',
    metrics,
    log,
  });
  server = createServer(front).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
beforeEach(() => {
  seen = [];
  logged = [];
});
after(() => {
  server.close();
  server.closeAllConnections();
});

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
after(() => agent.destroy());

async function ask(path: string, body?: string) {
  const headers = { 'content-type': 'application/json', ...(body && { 'content-length': Buffer.byteLength(body) }) };
  const request = send({ port, host: '127.0.0.1', path, method: body ? 'POST' : 'GET', headers, agent });
  request.end(body);
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, text, reused: request.reusedSocket };
}

for (const [url, namespace, path, query] of [
  ['/api/x', 'default', '/api/x', ''],
  ['/n/team-a/api/x?a=1&b=%2F', 'team-a', '/api/x', 'a=1&b=%2F'],
  ['/n/team-a/api/a%2Fb', 'team-a', '/api/a%2Fb', ''],
  ['/n/..%2fteam-a/api/x', '..%2fteam-a', '/api/x', ''],
] as const)
  test(`${url} speaks for ${namespace}`, async () => {
    await ask(url);
    assert.deepEqual(seen, [{ namespace, path, query }]);
  });

test('what no area owns goes on without its namespace', async () => {
  assert.equal((await ask('/n/team-a/health')).text, 'otherwise /health');
  assert.equal((await ask('/n/team-a')).text, 'otherwise /');
  assert.equal((await ask('/x?a=1')).text, 'otherwise /x?a=1');
});

test('a refusal of a short body is answered, and the connection lives on', async () => {
  const body = JSON.stringify({ text: 'x'.repeat(300_000) });
  const refused = await ask('/api/refuse', body);
  assert.deepEqual(
    [refused.status, refused.headers.connection, refused.headers['www-authenticate']],
    [401, 'keep-alive', 'Bearer, Basic realm="slipway"'],
  );
  const next = await ask('/api/x', '{"a":1}');
  assert.deepEqual([next.text, next.reused], ['{"a":1}', true]);
});

test('what goes wrong inside is 500 with the id that the log has, and no more', async () => {
  const { status, text, headers } = await ask('/api/broken', '{}');
  assert.equal(status, 500);
  assert.doesNotMatch(text, /canary/);
  assert.ok(text.includes(headers['x-request-id']) && logged.join().includes(headers['x-request-id']));
});

for (const [what, body, status, message] of [
  ['not JSON', '{bad', 400, /not JSON/],
  ['a list', '[1]', 400, /not a JSON object/],
  ['null', 'null', 400, /not a JSON object/],
  ['an object in a string, as old clients send it', '"{\\"a\\":1}"', 200, /^\{"a":1\}$/],
] as const)
  test(`a body that is ${what}: ${status}`, async () => {
    const answer = await ask('/api/x', body);
    assert.equal(answer.status, status);
    assert.match(answer.text, message);
  });

test('a body that announces more than is allowed is refused before it is sent', async () => {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write('POST /api/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n');
  await once(socket, 'end');
  assert.match(text, /^HTTP\/1\.1 413 .*connection: close.*smaller batches/is);
});

test('a client that goes away in the middle is no error of ours', async () => {
  const socket = connect(port, '127.0.0.1');
  socket.write('POST /api/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"a"');
  await eventually(() => assert.equal(seen.length, 1));
  socket.destroy();
  await eventually(async () => assert.match(await metrics.registry.metrics(), /route="\/api\/:what",status="499"\} 1/));
  assert.deepEqual(logged, []);
});
