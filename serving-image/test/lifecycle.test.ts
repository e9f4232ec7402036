import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { open, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { filesOf, modelFolder } from './folder.ts';
import { iris, irisRow, network } from './models.ts';
import { run, serve, serveEnv } from './program.ts';

const SAMPLE = JSON.stringify({ samples: [irisRow([5.1, 3.5, 1.4, 0.2])] });
const predict = (url: string) =>
  fetch(`${url}/predict`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: SAMPLE });

const SLOW = Buffer.from('a file that takes its time');

/** A server whose model has a file that ends only when `finish` is called: until then it loads. */
async function loading(t: TestContext, change: (dir: string) => Promise<void> = async () => {}, env = {}) {
  const folder = await modelFolder(t, { slow: SLOW, ...filesOf(iris) });
  await change(folder.dir);
  const pipe = join(folder.dir, 'slow');
  await rm(pipe);
  execFileSync('mkfifo', [pipe]);
  const program = await run(t, 'serve', { ...serveEnv(folder), ...env });
  const { port } = await program.logged('listening');
  // Opens once the server reads the other end.
  const writer = await open(pipe, 'w');
  const finish = async (): Promise<void> => {
    await writer.writeFile(SLOW);
    await writer.close();
  };
  return { program, url: `http://127.0.0.1:${port}`, finish };
}

test('a ready server says what it serves', async (t) => {
  const server = await serve(t, iris);
  const health = (await (await fetch(`${server.url}/health`)).json()) as Record<string, unknown>;
  assert.equal(typeof health['uptime_seconds'], 'number');
  delete health['uptime_seconds'];
  assert.match(String(health['engine_reason']), /^linear classifier; equal to onnxruntime on \d+ rows$/);
  delete health['engine_reason'];
  assert.deepEqual(health, {
    status: 'ok',
    model_name: 'iris',
    model_version: '2',
    version: '2',
    model_uri: 'models:/iris/2',
    model_loaded: true,
    sha256: server.folder.digest,
    engine: 'compiled',
    tracking: 'disabled',
  });
  assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
});

test('metrics count requests by endpoint and status, and no client can add labels', async (t) => {
  const server = await serve(t, iris);
  await predict(server.url);
  await fetch(`${server.url}/predict`);
  for (let i = 0; i < 5; i++) await fetch(`${server.url}/made-up-${i}`);
  const text = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(text, /slipway_requests_total\{endpoint="predict",status="200",model="iris",version="2"\} 1/);
  assert.match(text, /slipway_requests_total\{endpoint="predict",status="405",model="iris",version="2"\} 1/);
  assert.match(text, /slipway_requests_total\{endpoint="other",status="404",model="iris",version="2"\} 5/);
  assert.match(text, /slipway_request_duration_seconds_count\{model="iris",version="2",endpoint="predict"\} 2/);
  assert.match(text, /slipway_model_ready\{model="iris",version="2"\} 1/);
  assert.doesNotMatch(text, /made-up/);
});

test('a changed artifact never serves: health answers, predictions do not, the process ends with the reason', async (t) => {
  const { program, url, finish } = await loading(t, async (dir) => {
    const bytes = Buffer.from(iris.onnx);
    bytes[60] = (bytes[60] as number) ^ 1;
    await writeFile(join(dir, 'model.onnx'), bytes);
  });
  const statuses = new Set<number>();
  const ask = async (): Promise<never> => {
    for (;;) {
      const [ready, prediction] = await Promise.all([fetch(`${url}/readyz`), predict(url)]);
      statuses.add(ready.status).add(prediction.status);
      if (statuses.size > 0) await finish().catch(() => undefined);
    }
  };
  await ask().catch(() => undefined);
  const { code } = await program.ended;
  assert.equal(code, 65);
  assert.deepEqual([...statuses], [503]);
  const message = await program.termination();
  assert.deepEqual([message?.stage, message?.reason], ['serve', 'DigestMismatch']);
  assert.match(message?.message ?? '', /file model\.onnx: expected sha256/);
});

test('while the model loads, health answers and predictions are 503 with Retry-After', async (t) => {
  const { program, url, finish } = await loading(t);
  const [live, ready, health, v2, prediction] = await Promise.all([
    fetch(`${url}/livez`),
    fetch(`${url}/readyz`),
    fetch(`${url}/health`),
    fetch(`${url}/v2/models/iris`),
    predict(url),
  ]);
  assert.deepEqual(
    [live, ready, health, v2, prediction].map(({ status }) => status),
    [200, 503, 503, 503, 503],
  );
  assert.equal(prediction.headers.get('retry-after'), '1');
  assert.equal(prediction.headers.get('x-model-version'), '2');
  await finish();
  await program.logged('ready');
  assert.equal((await predict(url)).status, 200);
});

test('an environment that makes no sense is named', async (t) => {
  const folder = await modelFolder(t, filesOf(iris));
  const program = await run(t, 'serve', { ...serveEnv(folder), MODEL_ARTIFACT: '{' });
  assert.equal((await program.ended).code, 65);
  assert.equal((await program.termination())?.message, 'environment variable MODEL_ARTIFACT: expected JSON');
});

test('a client that sends its request too slowly is let go, others are not kept waiting', async (t) => {
  const server = await serve(t, iris, { REQUEST_TIMEOUT_MS: '1000' });
  const sockets = Array.from({ length: 50 }, () => connect(Number(new URL(server.url).port), '127.0.0.1'));
  t.after(() => sockets.map((socket) => socket.destroy()));
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.write('POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
  }
  assert.equal((await predict(server.url)).status, 200);
  const replies = await Promise.all(sockets.map(async (socket) => String((await once(socket, 'data'))[0])));
  assert.ok(
    replies.every((reply) => reply.startsWith('HTTP/1.1 408')),
    replies[0],
  );
});

test('SIGTERM before the model is ready ends the process at once', async (t) => {
  const { program, finish } = await loading(t, undefined, { DRAIN_DELAY_MS: '60000' });
  program.child.kill('SIGTERM');
  await program.logged('drained');
  await finish();
  assert.deepEqual(await program.ended, { code: 0, signal: null });
  assert.doesNotMatch(program.log(), /"message":"ready"/);
});

interface Tally {
  ok: number;
  failures: string[];
}

/** One keep-alive client: a request after the other to wherever `target` points, until `isDone`. */
async function client(target: () => string, isDone: () => boolean, thinkMs: number, tally: Tally): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (!isDone()) {
    await new Promise<void>((resolve) => {
      const sent = request(
        `${target()}/predict`,
        { agent, method: 'POST', headers: { 'content-type': 'application/json' } },
        (response) => {
          response.resume();
          response.on('end', () => {
            if (response.statusCode === 200) tally.ok++;
            else tally.failures.push(`status ${response.statusCode}`);
            resolve();
          });
        },
      );
      sent.on('error', (error) => {
        tally.failures.push(String(error));
        resolve();
      });
      sent.end(SAMPLE);
    });
    if (thinkMs > 0) await sleep(Math.random() * thinkMs);
  }
  agent.destroy();
}

test('a switch under load loses nothing: 24 busy and 8 slow keep-alive clients, SIGTERM twice', async (t) => {
  const settings = { DRAIN_DELAY_MS: '2000' };
  const [old, next] = await Promise.all([
    serve(t, iris, settings),
    serve(t, iris, { ...settings, MODEL_VERSION: '3' }),
  ]);
  let target = old.url;
  let isDone = false;
  const tally: Tally = { ok: 0, failures: [] };
  t.after(() => {
    isDone = true;
  });
  const clients = Array.from({ length: 32 }, (_, i) =>
    client(
      () => target,
      () => isDone,
      i < 24 ? 0 : 400,
      tally,
    ),
  );
  while (tally.ok < 1000) await sleep(5);
  old.child.kill('SIGTERM');
  await old.logged('draining');
  const ready = await fetch(`${old.url}/readyz`);
  assert.equal(ready.status, 503);
  const late = await predict(old.url);
  assert.deepEqual([late.status, late.headers.get('connection')], [200, 'close']);
  old.child.kill('SIGTERM');
  // The endpoint is taken out of the service a little later, as it is in a cluster.
  await sleep(300);
  target = next.url;
  assert.deepEqual(await old.ended, { code: 0, signal: null });
  const before = tally.ok;
  while (tally.ok < before + 500) await sleep(5);
  isDone = true;
  await Promise.all(clients);
  assert.deepEqual(tally.failures, []);
});

test('requests in flight at SIGTERM are finished', async (t) => {
  const server = await serve(t, network([64, 2048, 2048, 8]));
  const row = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`x_${i}`, i / 64]));
  const body = JSON.stringify({ samples: Array.from({ length: 512 }, () => row) });
  const send = async (): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${server.url}/predict`, { method: 'POST', headers, body });
    await response.text();
    return response.status;
  };
  const sent = Array.from({ length: 6 }, send);
  const count = (text: string, metric: RegExp): number => Number(metric.exec(text)?.[1] ?? 0);
  // All six have arrived when those answered and those in flight, but for the question itself, are six.
  for (let arrived = 0; arrived < 6; ) {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const answered = count(text, /slipway_requests_total\{endpoint="predict"[^}]*\} (\d+)/);
    arrived = answered + count(text, /slipway_requests_in_flight\{[^}]*\} (\d+)/) - 1;
    assert.ok(answered < 6, 'the model is fast enough to leave nothing in flight');
  }
  server.child.kill('SIGTERM');
  assert.deepEqual(await Promise.all(sent), [200, 200, 200, 200, 200, 200]);
  assert.deepEqual(await server.ended, { code: 0, signal: null });
});

test('overload is refused with 429 and Retry-After, and is over as soon as it ends', async (t) => {
  const server = await serve(t, network([64, 2048, 2048, 8]), { MAX_QUEUED_REQUESTS: '1' });
  const row = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`x_${i}`, i / 64]));
  const body = JSON.stringify({ samples: Array.from({ length: 100 }, () => row) });
  const ask = async (): Promise<{ status: number; retry: string | null }> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${server.url}/predict`, { method: 'POST', headers, body });
    await response.text();
    return { status: response.status, retry: response.headers.get('retry-after') };
  };
  const refused: Awaited<ReturnType<typeof ask>>[] = [];
  // A busy machine may send so slowly that nobody has to wait: then it was no overload.
  while (refused.length === 0) {
    const answers = await Promise.all(Array.from({ length: 64 }, ask));
    refused.push(...answers.filter(({ status }) => status !== 200));
  }
  assert.ok(refused.every(({ status }) => status === 429));
  assert.ok(refused.every(({ retry }) => retry === '1'));
  assert.equal((await ask()).status, 200);
});

test('clients that go away in the middle of anything do the server no harm', async (t) => {
  const server = await serve(t, iris);
  const port = Number(new URL(server.url).port);
  const head = `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${SAMPLE.length}\r\n\r\n`;
  const requests = [
    head,
    head + SAMPLE.slice(0, 20),
    head + SAMPLE,
    `${head}${SAMPLE}`.repeat(50),
    'nonsense\r\n\r\n',
    '',
  ];
  for (let i = 0; i < 60; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(requests[i % requests.length] as string, () => socket.resetAndDestroy());
  }
  assert.equal((await predict(server.url)).status, 200);
  const inFlight = async (): Promise<string | undefined> =>
    /slipway_requests_in_flight\{[^}]*\} (\d+)/.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1];
  while ((await inFlight()) !== '1') await sleep(10);
  assert.doesNotMatch(server.log(), /"level":"error"/);
});
