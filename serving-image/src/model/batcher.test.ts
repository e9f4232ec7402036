import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBatcher, createDirect } from './batcher.ts';
import type { Tensor } from './tensor.ts';

const tensor = (...values: number[]): Tensor => ({
  type: 'float32',
  dims: [values.length, 1],
  data: Float32Array.from(values),
});
const valuesOf = (outputs: readonly Tensor[]): number[] => Array.from(outputs[0]?.data as Float32Array);

/** Doubles every value; fails for a run with a negative one; notes the size of each run. */
function doubling() {
  const runs: number[] = [];
  const run = async ([input]: readonly Tensor[]): Promise<Tensor[]> => {
    const data = input?.data as Float32Array;
    runs.push(data.length);
    if (data.some((value) => value < 0)) throw new Error('negative');
    return [{ type: 'float32', dims: input?.dims ?? [], data: data.map((value) => value * 2) }];
  };
  return { runs, run };
}

test('requests of one turn share a run and each gets its own rows', async () => {
  const session = doubling();
  const batcher = createBatcher(session, { coalesce: true, maxRows: 64, maxQueued: 10 });
  const answers = await Promise.all([[1], [2, 3], [4]].map((values) => batcher.run([tensor(...values)])));
  assert.deepEqual(answers.map(valuesOf), [[2], [4, 6], [8]]);
  assert.deepEqual(session.runs, [4]);
});

test('a run is not filled beyond its limit, and a larger request runs alone', async () => {
  const session = doubling();
  const batcher = createBatcher(session, { coalesce: true, maxRows: 3, maxQueued: 10 });
  await Promise.all([[1, 1], [1, 1], [1, 1, 1, 1, 1], [1]].map((values) => batcher.run([tensor(...values)])));
  assert.deepEqual(session.runs, [2, 2, 5, 1]);
});

test('a request that fails does not fail those it shared a run with', async () => {
  const session = doubling();
  const batcher = createBatcher(session, { coalesce: true, maxRows: 64, maxQueued: 10 });
  const answers = await Promise.allSettled([[1], [-1], [2]].map((values) => batcher.run([tensor(...values)])));
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
});

test('where rows influence each other every request runs alone', async () => {
  const session = doubling();
  const batcher = createBatcher(session, { coalesce: false, maxRows: 64, maxQueued: 10 });
  await Promise.all([[1], [2]].map((values) => batcher.run([tensor(...values)])));
  assert.deepEqual(session.runs, [1, 1]);
});

test('beyond its length the queue refuses at once, and recovers', async () => {
  const session = doubling();
  const batcher = createBatcher(session, { coalesce: true, maxRows: 64, maxQueued: 2 });
  const answers = await Promise.allSettled([1, 2, 3].map((value) => batcher.run([tensor(value)])));
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  assert.equal(((answers[2] as PromiseRejectedResult).reason as Error).name, 'OverloadedError');
  assert.deepEqual(valuesOf(await batcher.run([tensor(5)])), [10]);
  assert.equal(batcher.queued(), 0);
});

test('a model that answers at once is not waited for, and its failure is thrown', () => {
  const runs: number[] = [];
  const run = ([input]: readonly Tensor[]): Tensor[] => {
    if ((input?.data[0] as number) < 0) throw new Error('negative');
    return [tensor(...Array.from(input?.data as Float32Array, (value) => value * 2))];
  };
  const direct = createDirect({ run }, { maxQueued: 1, onRun: (_, rows) => void runs.push(rows) });
  assert.deepEqual(valuesOf(direct.run([tensor(1, 2)]) as readonly Tensor[]), [2, 4]);
  assert.throws(() => direct.run([tensor(-1)]), /negative/);
  assert.deepEqual(runs, [2, 1]);
  assert.equal(direct.queued(), 0);
});

test('of runs that take their time no more than the queue holds are begun', async () => {
  const direct = createDirect(doubling(), { maxQueued: 1 });
  const first = direct.run([tensor(1)]);
  assert.throws(() => direct.run([tensor(2)]), { name: 'OverloadedError' });
  assert.deepEqual(valuesOf(await first), [2]);
  assert.deepEqual(valuesOf(await direct.run([tensor(3)])), [6]);
});
