import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createBatcher } from '../src/model/batcher.ts';
import { openSession } from '../src/model/session.ts';
import type { Tensor } from '../src/model/tensor.ts';
import { openPlaced } from '../src/model/worker/placement.ts';
import { ModelThreadLostError, openWorkerSession } from '../src/model/worker/worker-session.ts';
import { assertClose } from './close.ts';
import { temporaryFolder } from './folder.ts';
import { manyTypes, network, regressor, type TestModel } from './models.ts';

async function fileOf(t: TestContext, bytes: Buffer): Promise<string> {
  const path = join(await temporaryFolder(t), 'model.onnx');
  await writeFile(path, bytes);
  return path;
}

const never = (error: Error): never => assert.fail(error);

async function inThread(t: TestContext, { onnx }: TestModel) {
  const session = await openWorkerSession({ path: await fileOf(t, onnx), threads: 1 }, never);
  t.after(() => session.release());
  return session;
}

const floats = (dims: number[], ...values: number[]): Tensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(values),
});
const plain = (tensors: readonly Tensor[]) =>
  tensors.map(({ type, dims, data }) => ({ type, dims, data: Array.from(data as ArrayLike<unknown>) }));

describe('a model on a thread of its own', () => {
  test('has the same inputs and outputs and gives the same results, for every type', async (t) => {
    const path = await fileOf(t, manyTypes.onnx);
    const here = await openSession({ path, threads: 1 });
    const there = await inThread(t, manyTypes);
    t.after(() => here.release());
    assert.deepEqual(there.inputs, here.inputs);
    assert.deepEqual(there.outputs, here.outputs);
    const inputs = here.inputs.map(({ type }): Tensor => {
      const values = { int64: BigInt64Array, uint64: BigUint64Array, string: undefined } as const;
      if (type === 'string') return { type, dims: [2], data: ['a', 'grün'] };
      if (type === 'int64' || type === 'uint64') return { type, dims: [2], data: values[type].from([7n, 2n ** 62n]) };
      const arrays = { float16: Float16Array, float32: Float32Array, float64: Float64Array, int8: Int8Array } as const;
      const rest = { int16: Int16Array, int32: Int32Array, uint8: Uint8Array, uint16: Uint16Array } as const;
      const all = { ...arrays, ...rest, uint32: Uint32Array, bool: Uint8Array };
      return { type, dims: [2], data: all[type].from([1, 0]) };
    });
    const [expected, got] = [await here.run(inputs), await there.run(inputs)];
    assert.deepEqual(plain(got), plain(expected));
    assert.deepEqual(Array.from(inputs[1]?.data as Float32Array), [1, 0], 'what was sent is still there');
  });

  test('takes values out of the middle of a larger body', async (t) => {
    const { onnx } = network([2, 2]);
    const session = await inThread(t, { onnx });
    const body = Float32Array.from([9, 9, 1, 2, 9, 9]);
    const [middle] = await session.run([{ type: 'float32', dims: [1, 2], data: body.subarray(2, 4) }]);
    const [alone] = await session.run([floats([1, 2], 1, 2)]);
    assert.deepEqual(middle?.data, alone?.data);
  });

  test('answers each of many questions with its own result, in any number at once', async (t) => {
    const session = await inThread(t, regressor);
    const ask = async (length: number): Promise<unknown> => {
      const [output] = await session.run([{ type: 'string', dims: [1, 1], data: ['I'] }, floats([1, 1], length)]);
      return output?.data[0];
    };
    const numbers = Array.from({ length: 64 }, (_, i) => i);
    assert.deepEqual(
      await Promise.all(numbers.map(ask)),
      numbers.map((value) => 2 + 2 * value),
    );
  });

  test('a run that fails fails alone', async (t) => {
    const session = await inThread(t, network([2, 2]));
    const results = await Promise.allSettled([
      session.run([floats([1, 3], 1, 2, 3)]),
      session.run([floats([1, 2], 1, 2)]),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
  });

  test('a model that cannot be loaded is refused with the reason it would have here', async (t) => {
    const source = { path: await fileOf(t, Buffer.from('no model')), threads: 1 };
    const here = await openSession(source).catch((error: unknown) => error as Error);
    assert.ok(here instanceof Error);
    await assert.rejects(openWorkerSession(source, never), {
      name: 'FailureError',
      reason: 'InvalidModel',
      message: here.message,
    });
  });

  test('what is asked before the order to stop is answered, and nothing is left', async (t) => {
    const session = await openWorkerSession(
      { path: await fileOf(t, network([64, 512, 512, 8]).onnx), threads: 1 },
      never,
    );
    const asked = Array.from({ length: 8 }, () => session.run([floats([64, 64], ...new Array(64 * 64).fill(0.5))]));
    await session.release();
    assert.equal((await Promise.all(asked)).length, 8);
    await session.release();
  });

  test('a thread that ends by itself is noticed once: what waits fails, and what comes later', async (t) => {
    const folder = await temporaryFolder(t);
    const entry = join(folder, 'dying.mjs');
    await writeFile(
      entry,
      `import { parentPort } from 'node:worker_threads';
       parentPort.postMessage({ kind: 'opened', inputs: [], outputs: [] });
       parentPort.on('message', () => { throw new Error('gone'); });`,
    );
    const lost: Error[] = [];
    const session = await openWorkerSession(
      { path: 'none', threads: 1 },
      (error) => lost.push(error),
      pathToFileURL(entry),
    );
    await Promise.all([1, 2].map(() => assert.rejects(async () => session.run([]), ModelThreadLostError)));
    await assert.rejects(async () => session.run([]), ModelThreadLostError);
    await session.release();
    assert.equal(lost.length, 1);
    assert.match(lost[0]?.message ?? '', /gone/);
  });

  test('while it computes, requests gather and share the next run', async (t) => {
    const session = await inThread(t, network([32, 1024, 1024, 4]));
    const runs: number[] = [];
    const batcher = createBatcher(session, {
      coalesce: true,
      maxRows: 64,
      maxQueued: 100,
      onRun: (requests) => runs.push(requests),
    });
    const row = (value: number): Tensor => floats([1, 32], ...new Array(32).fill(value));
    const first = batcher.run([floats([2048, 32], ...new Array(2048 * 32).fill(0.1))]);
    // The first run has begun once the loop has turned.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const later = [0.1, 0.2, 0.3].map((value) => batcher.run([row(value)]));
    await Promise.all([first, ...later]);
    assert.deepEqual(runs, [1, 3]);
    const alone = await session.run([row(0.2)]);
    const shared = (await later[1])?.[0]?.data as Float32Array;
    assertClose(Array.from(shared), Array.from(alone[0]?.data as Float32Array));
  });
});

describe('where a model computes', () => {
  const engineOf = async (t: TestContext, { onnx }: TestModel, rows: number, width: number): Promise<string> => {
    const session = await openPlaced({ path: await fileOf(t, onnx), threads: 1 }, never);
    t.after(() => session.release());
    await session.moveIfSlow([floats([rows, width], ...new Array(rows * width).fill(0.5))]);
    assert.equal((await session.run([floats([1, width], ...new Array(width).fill(0.5))])).length, 1);
    return session.placement().engine;
  };

  test('a small model stays where requests are answered', async (t) =>
    assert.equal(await engineOf(t, network([4, 3]), 1, 4), 'onnxruntime'));
  test('a slow one gets a thread, however small its file', async (t) =>
    assert.equal(await engineOf(t, network([16, 512, 512, 4]), 4096, 16), 'onnxruntime-worker'));
  test('so does one with a large file', async (t) =>
    assert.equal(await engineOf(t, network([1024, 1400, 4]), 1, 1024), 'onnxruntime-worker'));
  test('where no thread is offered it stays', async (t) => {
    const session = await openPlaced({ path: await fileOf(t, network([1024, 1400, 4]).onnx), threads: 1 });
    t.after(() => session.release());
    assert.equal(session.placement().engine, 'onnxruntime');
  });
});
