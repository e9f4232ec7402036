/** Requests that take the short way past node:http, and those that leave it: a client must not be able to tell. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Protocol } from '../src/protocols/protocol.ts';
import { type InProcess, serveHere, type Wire, wire } from './in-process.ts';
import { iris, irisRow, irisScores } from './models.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const FLOWER = [5.1, 3.5, 1.4, 0.2];
const OTHER = [6.7, 3, 5.2, 2.3];
const bodyOf = (flower: number[]): string => `{"samples":[${JSON.stringify(irisRow(flower))}]}`;
const BODY = bodyOf(FLOWER);
const request = (body: string, head = '', type = 'application/json'): string =>
  `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\n${head}content-length: ${body.length}\r\n\r\n${body}`;
/** Said in a way that the lane leaves to node:http. */
const unusual = (body: string, head = ''): string => request(body, head, 'application/json; charset=utf-8');
/** The lane writes its names small. */
const tookLane = (answer: string): boolean => /\r\nconnection: (keep-alive|close)\r\n/.test(answer);
const answersIn = (text: string): string[] => text.split('HTTP/1.1 ').slice(1);
const idIn = (answer: string | undefined): number => Number(/"class_id":\[(\d)\]/.exec(answer ?? '')?.[1]);

async function ask(client: Wire, ...pieces: string[]): Promise<string> {
  const before = answersIn(client.received()).length;
  for (const piece of pieces) {
    client.socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return answersIn(await client.answers(before + 1)).at(-1) as string;
}

for (const engine of ['compiled', 'onnxruntime'] as const) {
  describe(`the short way with the engine ${engine}`, () => {
    let here: InProcess;
    before(async () => {
      here = await serveHere(context, iris, { engine, limits: { maxRows: 100 } });
    });
    const connect = (): Promise<Wire> => wire(context, here.port);

    test('one request after the other on one connection, each with its own answer', async () => {
      const client = await connect();
      for (const flower of [FLOWER, OTHER, FLOWER, OTHER]) {
        const answer = await ask(client, request(bodyOf(flower)));
        assert.ok(tookLane(answer), answer);
        assert.equal(idIn(answer), irisScores(flower).id);
      }
    });

    test('head and body in pieces, as many clients send them', async () => {
      const client = await connect();
      const text = request(BODY);
      const at = text.indexOf('\r\n\r\n') + 4;
      const answers = [
        await ask(client, text.slice(0, at), text.slice(at)),
        await ask(client, text.slice(0, at + 10), text.slice(at + 10, at + 20), text.slice(at + 20)),
      ];
      for (const answer of answers) assert.equal(idIn(answer), irisScores(FLOWER).id);
      assert.ok(answers.every(tookLane));
      const inHead = await ask(client, text.slice(0, 20), text.slice(20));
      assert.equal(idIn(inHead), irisScores(FLOWER).id);
    });

    test('answers have the same fields either way, refusals too', async () => {
      const client = await connect();
      const other = await connect();
      const fields = (answer: string): string[] =>
        (answer.split('\r\n\r\n')[0] as string)
          .split('\r\n')
          .slice(1)
          .filter((line) => !/^(date|traceparent):/i.test(line))
          .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
          .sort();
      const id = 'x-request-id: a1\r\n';
      for (const body of [BODY, '{"samples":[]}', 'x', '{"samples":[{"sepal_length":1}]}']) {
        const short = await ask(client, request(body, id));
        const long = await ask(other, unusual(body, id));
        assert.ok(tookLane(short) && !tookLane(long));
        assert.deepEqual(fields(short), fields(long));
        assert.equal(short.split(' ')[0], long.split(' ')[0]);
        assert.equal(short.split('\r\n\r\n')[1], long.split('\r\n\r\n')[1]);
        assert.match(short, /\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
        assert.match(short, /\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n/);
      }
    });

    test("a caller's names are kept", async () => {
      const client = await connect();
      const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
      const answer = await ask(
        client,
        request(BODY, `x-request-id: mine\r\ntraceparent: 00-${trace}-00f067aa0ba902b7-01\r\n`),
      );
      assert.ok(tookLane(answer));
      assert.match(answer, /\r\nx-request-id: mine\r\n/);
      assert.match(answer, new RegExp(`traceparent: 00-${trace}-[0-9a-f]{16}-01`));
      const event = here.events.findLast(({ requestId }) => requestId === 'mine');
      assert.equal(event?.traceId, trace);
    });

    test('what is unusual is answered on the same connection, and so is what follows', async () => {
      const client = await connect();
      await ask(client, request(BODY));
      const health = await ask(client, 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
      assert.match(health, /^200 /);
      const chunked = await ask(
        client,
        `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
        `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
      );
      assert.equal(idIn(chunked), irisScores(FLOWER).id);
      assert.equal(idIn(await ask(client, request(bodyOf(OTHER)))), irisScores(OTHER).id);
    });

    test('requests that do not wait for answers are answered in their order', async () => {
      const client = await connect();
      const flowers = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? OTHER : FLOWER));
      client.socket.write(request(bodyOf(FLOWER)));
      client.socket.write(flowers.map((flower) => request(bodyOf(flower))).join(''));
      const answers = answersIn(await client.answers(31));
      assert.deepEqual(
        answers.slice(1).map(idIn),
        flowers.map((flower) => irisScores(flower).id),
      );
    });

    test('bytes after a request are the next request, whatever they look like', async () => {
      const client = await connect();
      client.socket.write(`${request(BODY)}GET /livez HTTP/1.1\r\nhost: x\r\n\r\n`);
      const answers = answersIn(await client.answers(2));
      assert.equal(idIn(answers[0]), irisScores(FLOWER).id);
      assert.match(answers[1] as string, /^200 [\s\S]*"status":"ok"/);
    });

    test('a client that sends no more still gets its answer', async () => {
      const client = await connect();
      client.socket.end(request(BODY));
      await client.closed;
      assert.equal(idIn(answersIn(client.received())[0]), irisScores(FLOWER).id);
    });

    test('a client that goes away in the middle of a body is counted, and nobody else hears of it', async () => {
      const count = () => here.events.filter(({ status }) => status === 499).length;
      const before = count();
      const client = await connect();
      client.socket.write(request(BODY).slice(0, -5));
      await new Promise((resolve) => setImmediate(resolve));
      client.socket.resetAndDestroy();
      while (count() === before) await new Promise((resolve) => setTimeout(resolve, 5));
      const next = await connect();
      assert.equal(idIn(await ask(next, request(bodyOf(OTHER)))), irisScores(OTHER).id);
    });
  });
}

test('a body that does not come is waited for no longer than by the long way', async () => {
  const here = await serveHere(context, iris, { requestTimeoutMs: 500 });
  const client = await wire(context, here.port);
  client.socket.write(request(BODY).slice(0, -5));
  await client.closed;
  assert.match(client.received(), /^HTTP\/1\.1 408 |^$/);
});

test('a connection on which nothing is ever asked is ended', async () => {
  const here = await serveHere(context, iris, { requestTimeoutMs: 300 });
  const client = await wire(context, here.port);
  await client.closed;
});

test("what comes after the last answer is nobody's", async () => {
  const here = await serveHere(context, iris, { engine: 'onnxruntime' });
  const client = await wire(context, here.port);
  await ask(client, request(BODY));
  here.state.isDraining = true;
  client.socket.write(request(BODY));
  await new Promise((resolve) => setImmediate(resolve));
  client.socket.write(request(bodyOf(OTHER)));
  await client.closed;
  const answers = answersIn(client.received());
  assert.equal(answers.length, 2);
  assert.match(answers[1] as string, /connection: close/);
});

test('requests sent one by one without waiting are answered in their order, while each takes a turn of its own', async () => {
  const here = await serveHere(context, iris, { engine: 'onnxruntime' });
  const client = await wire(context, here.port);
  const flowers = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? OTHER : FLOWER));
  for (const flower of flowers) {
    client.socket.write(request(bodyOf(flower)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const answers = answersIn(await client.answers(40));
  assert.deepEqual(
    answers.map(idIn),
    flowers.map((flower) => irisScores(flower).id),
  );
});

test('whoever does not read their answers is not read either, and gets all of them later', async () => {
  const here = await serveHere(context, iris, { engine: 'compiled' });
  const client = await wire(context, here.port);
  client.socket.pause();
  const body = `{"samples":[${new Array(3000).fill(JSON.stringify(irisRow(FLOWER))).join()}]}`;
  const text = request(body).replace('/predict', '/predict?probabilities=true');
  const count = 60;
  const answered = async (wanted: number, patienceMs: number): Promise<boolean> => {
    const until = performance.now() + patienceMs;
    while (here.events.length < wanted && performance.now() < until) await new Promise((go) => setTimeout(go, 2));
    return here.events.length >= wanted;
  };
  let sent = 0;
  // One at a time, so that each could take the lane, until the room between the two ends is used up.
  do client.socket.write(text);
  while ((await answered(++sent, 500)) && sent < count);
  assert.ok(here.events.length < count, 'all were answered, and nobody read it');
  client.socket.resume();
  for (; sent < count; sent++) client.socket.write(text);
  assert.ok(await answered(count, 20_000));
  here.state.isDraining = true;
  client.socket.write(request(BODY));
  await client.closed;
  const answers = answersIn(client.received());
  assert.equal(answers.length, count + 1);
  assert.ok(answers.every((answer) => answer.startsWith('200 ')));
});

test('while the server leaves, answers end their connection and idle connections are ended', async () => {
  const here = await serveHere(context, iris);
  const [asking, idle] = [await wire(context, here.port), await wire(context, here.port)];
  await ask(asking, request(BODY));
  await ask(idle, request(BODY));
  here.state.isDraining = true;
  const last = await ask(asking, request(bodyOf(OTHER)));
  assert.match(last, /\r\nconnection: close\r\n/);
  assert.equal(idIn(last), irisScores(OTHER).id);
  await asking.closed;
  assert.equal(idle.socket.destroyed, false);
  here.server.closeIdleConnections();
  await idle.closed;
});

for (const [way, field] of [
  ['short', ''],
  ['long', 'te: trailers\r\n'],
] as const) {
  test(`while the server leaves, whoever reads slowly gets the whole of an answer that came the ${way} way`, async () => {
    const size = 20_000_000;
    const large: Protocol = {
      endpoint: 'predict',
      contentTypes: ['application/json'],
      matches: (path) => path === '/predict',
      answer: () => ({ body: 'x'.repeat(size) }),
      refuse: () => '',
    };
    const here = await serveHere(context, iris, { protocols: [large] });
    const client = await wire(context, here.port);
    client.socket.pause();
    here.state.isDraining = true;
    client.socket.write(request('{}', field));
    while (here.events.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    here.server.closeIdleConnections();
    client.socket.resume();
    await client.closed;
    assert.equal(client.received().split('\r\n\r\n')[1]?.length, size);
  });
}

test('whoever may not ask is told so, and a good key opens the short way', async () => {
  const { Refusal } = await import('../src/request/refusal.ts');
  const here = await serveHere(context, iris, {
    authorize: ({ headers }) =>
      headers['x-api-key'] === 'good' ? undefined : new Refusal(401, 'Credentials are missing'),
  });
  const client = await wire(context, here.port);
  assert.match(await ask(client, request(BODY)), /^401 [\s\S]*Credentials are missing/);
  const answer = await ask(client, request(BODY, 'x-api-key: good\r\n'));
  assert.ok(tookLane(answer));
  assert.equal(idIn(answer), irisScores(FLOWER).id);
});

test('300 clients at once, each with flowers of its own: nobody gets the answer of another', async () => {
  const here = await serveHere(context, iris, { limits: { maxQueued: 4096 } });
  const clients = await Promise.all(Array.from({ length: 300 }, () => wire(context, here.port)));
  await Promise.all(
    clients.map(async (client, i) => {
      for (let k = 0; k < 5; k++) {
        const flower = [
          4 + ((i * 7 + k) % 40) / 10,
          2 + (i % 20) / 10,
          1 + ((i * 3 + k) % 55) / 10,
          ((i + k) % 25) / 10,
        ];
        const answer = await ask(client, request(bodyOf(flower), `x-request-id: c${i}-${k}\r\n`));
        assert.match(answer, new RegExp(`x-request-id: c${i}-${k}\\r\\n`));
        assert.equal(idIn(answer), irisScores(flower).id);
      }
    }),
  );
});
