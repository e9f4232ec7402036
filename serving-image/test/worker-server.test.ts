/** The program with a model that takes its time: what goes on meanwhile, and how it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesOf, modelFolder } from './folder.ts';
import { INSPECTED, inThread } from './inspector.ts';
import { iris, network, type TestModel } from './models.ts';
import { run, type Served, serve, serveEnv } from './program.ts';

const WIDTH = 64;
/** About a tenth of a second for a thousand rows. */
const slow: TestModel = network([WIDTH, 1500, 1500, 4]);

function ask(served: Served, rows: number): Promise<Response> {
  const values = Float32Array.from({ length: rows * WIDTH }, (_, i) => Math.sin(i));
  const head = Buffer.from(
    JSON.stringify({
      inputs: [
        { name: 'x', shape: [rows, WIDTH], datatype: 'FP32', parameters: { binary_data_size: values.byteLength } },
      ],
    }),
  );
  return fetch(`${served.url}/v2/models/iris/infer`, {
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.length),
    },
    body: Buffer.concat([head, Buffer.from(values.buffer)]),
  });
}

/** Resolves once the model's thread has work. */
async function untilAsked(served: Served): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${served.url}/metrics`)).text();
    if (/^slipway_run_rows_count[^\n]* [1-9]/m.test(text)) return;
  }
}

test('probes are answered at once while a prediction is computed, and the prediction is as well', async (t) => {
  const served = await serve(t, slow);
  const health = (await (await fetch(`${served.url}/health`)).json()) as Record<string, unknown>;
  assert.equal(health['engine'], 'onnxruntime-worker');
  assert.match(String(health['engine_reason']), /MB/);
  let isDone = false;
  const start = performance.now();
  const answer = ask(served, 4096).finally(() => {
    isDone = true;
  });
  const times: number[] = [];
  while (!isDone) {
    for (const path of ['/livez', '/readyz']) {
      const begin = performance.now();
      const response = await fetch(served.url + path);
      assert.equal(response.status, 200);
      await response.text();
      times.push(performance.now() - begin);
    }
  }
  const took = performance.now() - start;
  const response = await answer;
  assert.equal(response.status, 200);
  assert.equal(((await response.json()) as { outputs: { shape: number[] }[] }).outputs[0]?.shape[0], 4096);
  const sorted = times.sort((a, b) => a - b);
  const [median, slowest] = [sorted[sorted.length >> 1] as number, sorted.at(-1) as number];
  t.diagnostic(
    `${times.length} probes in ${took.toFixed(0)} ms: median ${median.toFixed(1)}, slowest ${slowest.toFixed(1)} ms`,
  );
  assert.ok(took > 100, `the prediction took ${took} ms: too short to say anything`);
  assert.ok(times.length >= 10 && median < 30, `${times.length} probes, median ${median} ms`);
});

test('a signal in the middle of a prediction: it is answered, and the process ends well', async (t) => {
  const served = await serve(t, slow);
  const answer = ask(served, 2048);
  await untilAsked(served);
  served.child.kill('SIGTERM');
  const response = await answer;
  assert.equal(response.status, 200);
  await response.arrayBuffer();
  assert.deepEqual(await served.ended, { code: 0, signal: null });
});

test('a signal while the thread loads the model: the process ends well', async (t) => {
  const folder = await modelFolder(t, filesOf(slow));
  const program = await run(t, 'serve', serveEnv(folder));
  await program.logged('listening');
  program.child.kill('SIGTERM');
  assert.deepEqual(await program.ended, { code: 0, signal: null });
});

test('a model that is refused after its thread has opened it: the reason, and no abort', async (t) => {
  const folder = await modelFolder(t, filesOf({ ...slow, ...(iris.signature && { signature: iris.signature }) }));
  const program = await run(t, 'serve', serveEnv(folder));
  const { signal } = await program.ended;
  assert.equal(signal, null);
  assert.equal((await program.termination())?.reason, 'SignatureMismatch');
});

test('the program ends, to be started again, when the thread that computes the model is lost', async (t) => {
  const served = await serve(t, slow, INSPECTED);
  await inThread(served, 'process.exit(3)');
  const { code } = await served.ended;
  assert.equal(code, 75);
  const said = 'the thread that computes the model ended by itself; the process ends, to be started again';
  const line = await served.logged(said);
  assert.equal(line['reason'], 'InternalError');
  assert.deepEqual(await served.termination(), { stage: 'serve', reason: 'InternalError', message: said });
});
