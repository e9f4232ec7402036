import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expOf, transform } from './post-transform.ts';

describe('exponents of scores', () => {
  test('have nine digits, for everything that is at most zero and has a float32', () => {
    for (let x = -86.999; x <= 0; x += 0.0137) {
      const share = expOf(x) / Math.exp(x);
      assert.ok(Math.abs(share - 1) < 1e-9, `${x}: off by ${share - 1}`);
    }
    assert.equal(expOf(0), 1);
  });
  test('are JavaScript’s own beyond that', () => {
    for (const x of [-87, -103.2, -1e6, -Infinity, Number.NaN, 0.5, 90]) assert.equal(expOf(x), Math.exp(x));
  });
});

const softmax = (scores: readonly number[]): number[] => {
  const most = Math.max(...scores);
  const parts = scores.map((score) => Math.exp(score - most));
  const sum = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / sum);
};
const ROWS: readonly (readonly number[])[] = [
  [1, 2, 3],
  [0, 0, 0],
  [-0.5, 17.25, 17.25],
  [1e30, -1e30, 3],
  [-200, -300, -100],
  [5, -3],
  [0.1, 0.2, 0.3, -80],
];

describe('softmax', () => {
  for (const row of ROWS) {
    test(`of ${row}`, () => {
      const scores = Float32Array.from([9, ...row, 9]);
      transform('SOFTMAX', scores, 1, row.length);
      const expected = softmax(row);
      for (const [i, share] of expected.entries()) assert.ok(Math.abs((scores[i + 1] as number) - share) < 1e-7);
      assert.deepEqual([scores[0], scores.at(-1)], [9, 9]);
    });
  }
  test('of doubles has the digits of doubles', () => {
    const scores = Float64Array.from([1, 2, 3]);
    transform('SOFTMAX', scores, 0, 3);
    for (const [i, share] of softmax([1, 2, 3]).entries()) assert.ok(Math.abs((scores[i] as number) - share) < 1e-15);
  });
  test('of what is not finite is not finite, whatever the number of classes', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const row of [
        [bad, 1, 2],
        [1, 2, bad],
        [1, 2, bad, 3],
      ]) {
        const scores = Float32Array.from(row);
        transform('SOFTMAX', scores, 0, row.length);
        assert.ok(scores.some((score) => !Number.isFinite(score)));
      }
    }
  });
});
