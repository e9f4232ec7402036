/** `Expect: 100-continue`, and targets as they are sent to proxies: what a connection says byte by byte. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../src/request/refusal.ts';
import { serveHere, wire } from './in-process.ts';
import { iris } from './models.ts';

const BODY = '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}';
const ANSWER = '{"status":"success","prediction":"setosa","probability":';
const GO_ON = 'HTTP/1.1 100 Continue\r\n\r\n';

const head = (more: readonly string[] = [], line = 'POST /predict HTTP/1.1', length = BODY.length): string =>
  [line, 'host: x', 'content-type: application/json', `content-length: ${length}`, ...more, '', ''].join('\r\n');
const EXPECT = 'expect: 100-continue';

const statusOf = (text: string): string => text.slice('HTTP/1.1 '.length, 'HTTP/1.1 '.length + 3);

describe('a client that asks before it sends', () => {
  test('is told to go on, once, and gets its answer', async (t) => {
    const { port } = await serveHere(t, iris);
    const { socket, answers, received } = await wire(t, port);
    socket.write(head([EXPECT]));
    while (received() !== GO_ON) await new Promise((resolve) => socket.once('data', resolve));
    socket.write(BODY);
    assert.equal((await answers(2)).split('100 Continue').length, 2);
    assert.ok(received().startsWith(GO_ON) && received().includes(ANSWER), received());
  });

  const authorize = () => new Refusal(401, 'Credentials are missing');
  const refused: [status: string, head: string, options?: Parameters<typeof serveHere>[2]][] = [
    ['405', head([EXPECT], 'PUT /predict HTTP/1.1')],
    ['404', head([EXPECT], 'POST /nowhere HTTP/1.1')],
    ['415', head([EXPECT]).replace('application/json', 'text/html')],
    // What is twice the limit would be read to its end from a client that did not ask.
    ['413', head([EXPECT], undefined, 2 * 1024), { maxBodyBytes: 1024 }],
    ['401', head([EXPECT]), { authorize }],
    ['401', head([EXPECT], 'POST /v1/models HTTP/1.1'), { authorize }],
    ['401', head([EXPECT]), { authorize: async () => authorize() }],
  ];
  for (const [status, text, options] of refused) {
    test(`is refused with ${status} before it has sent anything: ${text.slice(0, 14)}`, async (t) => {
      const { port } = await serveHere(t, iris, options);
      const { socket, received, closed } = await wire(t, port);
      socket.write(text);
      await closed;
      const heard = received();
      assert.equal(statusOf(heard), status, heard);
      assert.ok(!heard.includes('100 Continue'), heard);
      // What the client may send all the same must not be taken for a request.
      assert.match(heard, /\r\nconnection: close\r\n/i);
    });
  }
});

describe('a target with scheme and host', () => {
  const asked: [line: string, status: string][] = [
    ['POST http://x/predict HTTP/1.1', '200'],
    ['POST HTTPS://model.example:8080/predict?probabilities=true HTTP/1.1', '200'],
    ['POST http://x/v1/models/iris:predict HTTP/1.1', '400'],
    ['POST http://x HTTP/1.1', '404'],
    ['POST http://x?predict HTTP/1.1', '404'],
    ['PUT http://x/predict HTTP/1.1', '405'],
  ];
  const ask = async (t: TestContext, line: string) => {
    const { port, events } = await serveHere(t, iris);
    const { socket, answers } = await wire(t, port);
    socket.write(head([], line) + BODY);
    return { heard: await answers(1), events };
  };
  for (const [line, status] of asked) {
    test(`${line}: ${status}`, async (t) => {
      const { heard } = await ask(t, line);
      assert.equal(statusOf(heard), status, heard);
    });
  }

  test('is refused in the form of its protocol, and counts as the same endpoint', async (t) => {
    const { heard, events } = await ask(t, 'POST http://x/v1/models/iris:predict HTTP/1.1');
    assert.match(heard, /\{"error":"Expected/);
    assert.deepEqual(
      events.map(({ endpoint }) => endpoint),
      ['v1_predict'],
    );
  });

  test('reaches what express answers', async (t) => {
    const { port } = await serveHere(t, iris);
    const { socket, answers } = await wire(t, port);
    socket.write('GET http://x/v2/models HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.match(await answers(1), /\{"models":\["iris"\]\}/);
  });
});

test('what nobody can do with a model is not there, however it is asked', async (t) => {
  const { url } = await serveHere(t, iris);
  for (const [method, path, status] of [
    ['POST', 'iris:foo', 404],
    ['GET', 'iris:foo', 404],
    ['POST', 'iris', 405],
    ['GET', 'iris:predict', 405],
    ['GET', 'iris', 200],
  ] as const) {
    const response = await fetch(`${url}/v1/models/${path}`, { method });
    assert.equal(response.status, status, `${method} ${path}`);
    assert.equal(response.headers.get('content-type')?.split(';')[0], 'application/json');
    await response.body?.cancel();
  }
});
