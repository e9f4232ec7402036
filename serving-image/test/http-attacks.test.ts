/** What hostile and broken clients send, against a server in this process. */
import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Refusal } from '../src/request/refusal.ts';
import { type InProcess, serveHere, type Wire, wire } from './in-process.ts';
import { iris, irisRow, irisScores, logarithm } from './models.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const FLOWER = [5.1, 3.5, 1.4, 0.2];
const RECORD = JSON.stringify(irisRow(FLOWER));
const SAMPLES = `{"samples":[${RECORD}]}`;
const JSON_TYPE = { 'content-type': 'application/json' };
/** Nothing of how the server is made, and no more than a kilobyte. */
function assertDiscreet(text: string): void {
  assert.ok(text.length <= 1024, `${text.length} characters`);
  assert.doesNotMatch(text, /node_modules|file:|\/src\/|\.ts\b|\.js\b|\n\s+at |onnxruntime|Error:|stack/i);
}

const raw = (body: string, head = ''): string =>
  `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${head}content-length: ${body.length}\r\n\r\n${body}`;
const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status as string);

describe('attacks over HTTP', () => {
  let here: InProcess;
  before(async () => {
    here = await serveHere(context, iris, { limits: { maxRows: 100 } });
  });
  const post = (body: string | Buffer, headers: Record<string, string> = JSON_TYPE, path = '/predict') =>
    fetch(here.url + path, { method: 'POST', body: body as string, headers });
  const stillAnswers = async (): Promise<void> => assert.equal((await post(SAMPLES)).status, 200);

  const change = (name: string, literal: string): string =>
    RECORD.replace(/("petal_width":)[0-9.]+/, `$1${literal}`).replace('petal_width', name);
  const refused: [name: string, body: string, type: string][] = [
    ['1e999', change('petal_width', '1e999'), 'finite_number'],
    ['1e39, which a float32 cannot hold', change('petal_width', '1e39'), 'finite_number'],
    ['-1e39', change('petal_width', '-1e39'), 'finite_number'],
    ['a list where a number belongs', change('petal_width', '[1,[2]]'), 'float_type'],
    ['nothing', '', 'missing'],
    ['a byte order mark', `\ufeff${RECORD}`, 'json_invalid'],
    ['two documents', RECORD + RECORD, 'json_invalid'],
    ['a comma too many', RECORD.replace('}', ',}'), 'json_invalid'],
    ['a number with a zero in front', change('petal_width', '01'), 'json_invalid'],
    ['an empty list', '{"samples":[]}', 'too_short'],
    ['too many rows', `{"samples":[${new Array(101).fill(RECORD).join()}]}`, 'too_long'],
    ['rows of different width', `{"samples":[${RECORD},{"sepal_length":1}]}`, 'missing'],
    ['a feature twice', `${RECORD.slice(0, -1)},"petal_width":9}`, 'duplicate_field'],
    ['a feature twice, once as escapes', `${RECORD.slice(0, -1)},"petal\\u005fwidth":9}`, 'duplicate_field'],
    ['a feature twice in two spellings', `${RECORD.slice(0, -1)},"petal width (cm)":9}`, 'ambiguous_name'],
    [
      'a feature twice in the last of many rows',
      `{"samples":[${RECORD},${RECORD.slice(0, -1)},"petal_width":9}]}`,
      'duplicate_field',
    ],
    ['samples twice', `{"samples":[],"samples":[${RECORD}]}`, 'duplicate_field'],
    ['__proto__ beside the features', `${RECORD.slice(0, -1)},"__proto__":{"petal_width":9}}`, 'extra_forbidden'],
    ['__proto__ instead of a feature', `{"samples":[{"__proto__":${RECORD}}]}`, 'missing'],
    ['constructor', `${RECORD.slice(0, -1)},"constructor":{"prototype":{}}}`, 'extra_forbidden'],
    ['49,000 lists, one in the other', `{"samples":${'['.repeat(49_000)}${']'.repeat(49_000)}}`, 'dict_type'],
    ['49,000 objects, one in the other', '{"a":'.repeat(49_000) + 1 + '}'.repeat(49_000), 'missing'],
    ['49,000 lists that do not end', '['.repeat(49_000), 'json_invalid'],
  ];
  for (const [name, body, type] of refused) {
    test(`${name}: 422 ${type}`, async () => {
      const response = await post(body);
      const text = await response.text();
      assert.equal(response.status, 422, text);
      assert.equal(JSON.parse(text).detail[0].type, type);
      assert.equal(JSON.parse(text).detail.length, 1);
      assertDiscreet(text);
    });
  }

  test('nothing of a prototype is ever a feature', async () => {
    assert.equal(Object.hasOwn(Object.prototype, 'petal_width'), false);
    await stillAnswers();
  });

  test('ragged tensors are refused', async () => {
    const infer = (data: string) =>
      post(
        `{"inputs":[{"name":"features","datatype":"FP32","shape":[2,4],"data":${data}}]}`,
        JSON_TYPE,
        '/v2/models/iris/infer',
      );
    for (const data of ['[[1,2,3,4],[1,2,3]]', '[[1,2,3,4],[1,2,3,4,5]]', '[1,2,3]', '[1e39,1,1,1,1,1,1,1]']) {
      const response = await infer(data);
      assert.equal(response.status, 400, data);
      assertDiscreet(await response.text());
    }
  });

  test('a compressed body is not unpacked, whatever it would become', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage.rss();
    for (const encoding of ['gzip', 'br', 'deflate', 'gzip, gzip', 'identity, gzip']) {
      const response = await post(bomb, { ...JSON_TYPE, 'content-encoding': encoding });
      assert.equal(response.status, 415, encoding);
      assertDiscreet(await response.text());
    }
    assert.ok(process.memoryUsage.rss() - before < 64 * 1024 * 1024);
  });

  test('other content types are refused, however they are written', async () => {
    for (const type of [
      'text/plain',
      'application/xml',
      'application/json, text/plain',
      'application/jsonp',
      'x'.repeat(4000),
    ]) {
      const response = await post(SAMPLES, { 'content-type': type });
      assert.equal(response.status, 415, type.slice(0, 40));
      assertDiscreet(await response.text());
    }
    assert.equal((await post(SAMPLES, { 'content-type': 'Application/JSON ; charset="utf-8"' })).status, 200);
  });

  test('a head that is too large is refused and read no further', async () => {
    const client = await wire(context, here.port);
    client.socket.write(raw(SAMPLES, `x-long: ${'a'.repeat(40_000)}\r\n`));
    await client.closed;
    assert.deepEqual(statuses(client.received()), ['431']);
    await stillAnswers();
  });

  const confused: [name: string, head: string][] = [
    ['length and chunks', 'content-length: 6\r\ntransfer-encoding: chunked\r\n'],
    ['chunks and length', 'transfer-encoding: chunked\r\ncontent-length: 6\r\n'],
    ['two lengths', 'content-length: 6\r\ncontent-length: 5\r\n'],
    ['a length that is no number', 'content-length: 6x\r\n'],
    ['a negative length', 'content-length: -1\r\n'],
    ['an unknown coding', 'transfer-encoding: xchunked\r\n'],
    ['chunks that are not last', 'transfer-encoding: chunked, identity\r\n'],
    ['a space before the colon', 'transfer-encoding : chunked\r\n'],
    ['a folded line', 'x-a: b\r\n transfer-encoding: chunked\r\n'],
  ];
  for (const [name, head] of confused) {
    test(`where a body ends must be clear: ${name}`, async () => {
      const client = await wire(context, here.port);
      const hidden = 'GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n';
      client.socket.write(
        `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${head}\r\n0\r\n\r\n${hidden}`,
      );
      await client.closed;
      assert.equal(statuses(client.received()).length, 1, client.received());
      assert.match(statuses(client.received())[0] as string, /^4/);
      await stillAnswers();
    });
  }

  test('what is left of a body nobody read is not the next request', async () => {
    const hidden = raw(SAMPLES);
    for (const head of [
      'POST /predict HTTP/1.1\r\ncontent-type: text/plain',
      'GET /predict HTTP/1.1\r\ncontent-type: application/json',
    ]) {
      const client = await wire(context, here.port);
      client.socket.write(`${head}\r\nhost: x\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`);
      await client.answers(1);
      // The body was read to its end: the connection is good for the request that comes next, and for that alone.
      client.socket.write(raw(SAMPLES, 'x-request-id: the-next-one\r\n'));
      const text = await client.answers(2);
      assert.deepEqual(statuses(text).slice(1), ['200'], text);
      assert.match(text.split('HTTP/1.1 ')[2] ?? '', /x-request-id: the-next-one/);
    }
  });

  test('requests sent one after the other without waiting are answered in order, each with its own', async () => {
    const flowers = Array.from({ length: 40 }, (_, i) => [4 + i / 10, 2 + (i % 7) / 3, 1 + (i % 11) / 2, (i % 5) / 2]);
    const client = await wire(context, here.port);
    const bodies = flowers.map((flower, i) =>
      i % 10 === 9 ? '{"samples":[{}]}' : `{"samples":[${JSON.stringify(irisRow(flower))}]}`,
    );
    client.socket.write(bodies.map((body, i) => raw(body, `x-request-id: n${i}\r\n`)).join(''));
    const text = await client.answers(40);
    const parts = text.split('HTTP/1.1 ').slice(1);
    parts.forEach((part, i) => {
      assert.match(part, new RegExp(`x-request-id: n${i}\\r\\n`));
      if (i % 10 === 9) assert.match(part, /^422/);
      else assert.match(part, new RegExp(`"class_id":\\[${irisScores(flowers[i] as number[]).id}\\]`));
    });
    client.socket.destroy();
  });

  test('300 clients that send a byte now and then do not keep others waiting, and are let go', async () => {
    const slow = await serveHere(context, iris, { requestTimeoutMs: 1000 });
    const clients: Wire[] = await Promise.all(Array.from({ length: 300 }, () => wire(context, slow.port)));
    for (const [i, { socket }] of clients.entries()) {
      socket.write(i % 2 === 0 ? 'POST /predict HTTP/1.1\r\nhost:' : raw(SAMPLES).slice(0, -5));
    }
    const drip = setInterval(() => {
      for (const { socket } of clients) if (!socket.destroyed) socket.write(' ');
    }, 700);
    for (let i = 0; i < 20; i++) {
      const response = await fetch(`${slow.url}/predict`, { method: 'POST', body: SAMPLES, headers: JSON_TYPE });
      assert.equal(response.status, 200);
    }
    await Promise.all(clients.map(({ closed }) => closed));
    clearInterval(drip);
    assert.ok(clients.every(({ received }) => /^HTTP\/1\.1 (408|200|4\d\d)|^$/.test(received())));
    assert.ok(slow.events.filter(({ status }) => status === 499).length > 0, 'those that had begun a body are counted');
  });

  test('no client can make new series of metrics', async () => {
    const series = async () =>
      (await here.metrics.registry.metrics())
        .split('\n')
        .filter((line) => line && !line.startsWith('#') && !/_bucket/.test(line))
        .map((line) => line.split(' ')[0]);
    await Promise.all(['/a', '/predict?x=1', '/v2/models/a/infer'].map((path) => post('{}', JSON_TYPE, path)));
    const known = new Set(await series());
    for (let i = 0; i < 300; i++) {
      await post(
        '{}',
        { ...JSON_TYPE, 'x-request-id': `id-${i}`, 'user-agent': `a${i}` },
        [`/p${i}`, `/predict?x${i}=1`, `/v2/models/m${i}/infer`][i % 3],
      );
    }
    assert.deepEqual(
      (await series()).filter((name) => !known.has(name as string)),
      [],
    );
    assert.ok(known.has('slipway_predictions_total{class="setosa",model="iris",version="2"}'));
  });
});

test('clients that leave in the middle of a shared run never cost another one its answer', async () => {
  const here = await serveHere(context, iris);
  const flower = (i: number) => [4 + (i % 41) / 10, 2 + (i % 23) / 10, 1 + (i % 59) / 10, (i % 29) / 12];
  let next = 0;
  let left = 0;
  const ask = async (i: number): Promise<void> => {
    const leaves = i % 3 === 0;
    const abort = new AbortController();
    const answer = fetch(`${here.url}/predict?probabilities=true`, {
      ...{ method: 'POST', headers: JSON_TYPE, signal: abort.signal },
      body: JSON.stringify({ samples: [irisRow(flower(i))] }),
    });
    if (leaves) setImmediate(() => abort.abort());
    const response = await answer.catch(() => undefined);
    const body = await response?.json().catch(() => undefined);
    if (body === undefined) {
      assert.ok(leaves, 'only those who leave get nothing');
      left++;
      return;
    }
    const { class_id, probabilities } = body as { class_id: number[]; probabilities: Record<string, number>[] };
    const expected = irisScores(flower(i));
    assert.equal(class_id[0], expected.id, `request ${i}`);
    Object.values(probabilities[0] ?? {}).forEach((share, k) => {
      assert.ok(Math.abs(share - (expected.probabilities[k] as number)) < 1e-4, `request ${i}`);
    });
  };
  await Promise.all(
    Array.from({ length: 256 }, async () => {
      while (next < 3000) await ask(next++);
    }),
  );
  assert.ok(left > 100, `${left} left`);
  assert.ok(
    here.runs.some((requests) => requests > 1),
    'requests shared runs',
  );
});

test('one bad row among many requests fails alone', async () => {
  const here = await serveHere(context, logarithm);
  const answers = await Promise.all(
    [1, -1, 2, 3, -5, 4].map((x) =>
      fetch(`${here.url}/predict`, { method: 'POST', headers: JSON_TYPE, body: `{"samples":[{"x_0":${x},"x_1":1}]}` }),
    ),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 500, 200, 200, 500, 200],
  );
  for (const answer of answers) assertDiscreet(await answer.text());
  assert.equal(here.events.filter(({ error, refusal }) => error !== undefined && refusal?.status === 500).length, 2);
});

test('beyond the queue requests are told to come again', async () => {
  const here = await serveHere(context, iris, { limits: { maxQueued: 1 } });
  const client = await wire(context, here.port);
  client.socket.write(raw(SAMPLES).repeat(4));
  const text = await client.answers(4);
  assert.deepEqual(statuses(text), ['200', '429', '429', '429']);
  assert.match(text, /retry-after: 1/i);
});

test('a client that sends much where it may not hears why: what it still sends is read first', async () => {
  const here = await serveHere(context, iris);
  const body = 'x'.repeat(5 * 1024 * 1024);
  const heard = await Promise.all(
    ['/predict', '/nowhere', '/v2/models/iris/infer'].flatMap((path) =>
      [1, 2, 3].map(async () => {
        const response = await fetch(`${here.url}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'text/plain' },
          body,
        });
        await response.text();
        return response.status;
      }),
    ),
  );
  assert.deepEqual(heard, [415, 415, 415, 404, 404, 404, 415, 415, 415]);
});

test('who may not ask is told so before the body is read, and in the protocol’s words', async () => {
  let isLate = true;
  const denied = new Refusal(401, 'Show a key', { 'www-authenticate': 'Bearer' });
  const authorize = () => (isLate ? new Promise<Refusal>((resolve) => setImmediate(resolve, denied)) : denied);
  const app: RequestListener = (_, response) => void response.writeHead(404).end();
  const here = await serveHere(context, iris, { authorize, app });
  for (isLate of [true, false]) {
    for (const [path, text] of [
      ['/predict', '{"detail":"Show a key"}'],
      ['/v2/models/iris/infer', '{"error":"Show a key"}'],
      ['/docs/x', undefined],
      ['/train', '{"detail":"Show a key"}'],
      ['/livez', undefined],
    ] as const) {
      const response = await fetch(here.url + path, { method: 'POST', body: SAMPLES, headers: JSON_TYPE });
      assert.equal(response.status, text === undefined ? 404 : 401, path);
      if (text !== undefined) assert.equal(await response.text(), text);
      if (text !== undefined) assert.equal(response.headers.get('www-authenticate'), 'Bearer');
    }
  }
  const failing = await serveHere(context, iris, {
    authorize: () => {
      throw new Error('secret');
    },
  });
  const response = await fetch(`${failing.url}/predict`, { method: 'POST', body: SAMPLES, headers: JSON_TYPE });
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /secret/);
});

test('every answer is told of once, with what was predicted or why not', async () => {
  const here = await serveHere(context, iris);
  const ask = (body: string, id: string) =>
    fetch(`${here.url}/predict`, { method: 'POST', body, headers: { ...JSON_TYPE, 'x-request-id': id } });
  await ask(RECORD, 'a');
  await ask('{}', 'b');
  await ask(SAMPLES, 'not a sane id');
  const client = await wire(context, here.port);
  client.socket.write(raw(SAMPLES).slice(0, -5));
  await ask(SAMPLES, 'd');
  client.socket.destroy();
  while (here.events.length < 5) await new Promise((resolve) => setImmediate(resolve));
  const [record, refusal, samples, , left] = here.events;
  assert.deepEqual(
    [record?.status, record?.requestId, record?.answer?.isRecord, record?.endpoint],
    [200, 'a', true, 'predict'],
  );
  assert.equal(record?.answer?.scored?.inputs[0]?.dims[0], 1);
  assert.deepEqual([refusal?.status, refusal?.refusal?.detail?.type, refusal?.answer], [422, 'missing', undefined]);
  assert.deepEqual([samples?.status, samples?.answer?.isRecord], [200, false]);
  assert.match(samples?.requestId ?? '', /^[0-9a-f]{16}-\d+$/);
  assert.equal(left?.status, 499);
  assert.ok((record?.latencyMs ?? -1) >= 0);
});

test('nobody who is told of answers can break one', async () => {
  const here = await serveHere(context, iris, {
    onAnswered: () => {
      throw new Error('no');
    },
  });
  for (let i = 0; i < 2; i++) {
    assert.equal(
      (await fetch(`${here.url}/predict`, { method: 'POST', body: SAMPLES, headers: JSON_TYPE })).status,
      200,
    );
  }
});
