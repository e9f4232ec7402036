import assert from 'node:assert/strict';
import { test } from 'node:test';
import { iris, network, regressor } from '../../../test/models.ts';
import { FailureError } from '../../failure.ts';
import { inspectModel } from './inspect.ts';
import { bufferBytes } from './wire.ts';

const inspect = (onnx: Buffer) => inspectModel(bufferBytes(onnx));

/** A small generator of numbers that are the same in every run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

test('a summary tells versions and size', () => {
  const { irVersion, opsets, nodes } = inspect(regressor.onnx);
  assert.deepEqual(
    [irVersion, nodes, [...opsets]],
    [
      8,
      4,
      [
        ['ai.onnx', 17],
        ['ai.onnx.ml', 3],
      ],
    ],
  );
});

test('ten thousand damaged files are each accepted or refused with a reason, quickly', () => {
  const random = seeded(42);
  const sources = [iris.onnx, regressor.onnx, network([3, 4, 2]).onnx];
  const started = performance.now();
  const reasons = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const damaged = Buffer.from(sources[i % sources.length] as Buffer);
    for (let flips = 1 + random(4); flips > 0; flips--) {
      damaged[random(damaged.length)] = random(256);
    }
    const cut = random(4) === 0 ? damaged.subarray(0, random(damaged.length)) : damaged;
    let outcome = 'accepted';
    try {
      inspect(cut);
    } catch (error) {
      assert.ok(error instanceof FailureError, `${error}`);
      assert.ok(error.message.length < 1000);
      outcome = error.reason;
    }
    reasons.set(outcome, (reasons.get(outcome) ?? 0) + 1);
  }
  assert.deepEqual([...reasons.keys()].sort(), ['InvalidModel', 'UnsupportedOperator', 'accepted']);
  assert.ok(performance.now() - started < 20_000);
});

test('a length that claims the whole address space allocates nothing', () => {
  const huge = Buffer.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  assert.throws(() => inspect(huge), { reason: 'InvalidModel', message: /runs past/ });
});
