import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interval, median, ratio } from './statistics.ts';

test('the middle of an odd and of an even number of rounds, in whatever order they came', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('an interval spans all rounds, and there is none of no rounds', () => {
  assert.deepEqual(interval([5, 9, 7]), { median: 7, low: 5, high: 9 });
  assert.throws(() => interval([]), /no values/);
});

test('a ratio compares the rounds that ran one after the other: a machine that slowed down for both changes nothing', () => {
  assert.deepEqual(ratio([100, 50, 100], [10, 5, 10]), { median: 10, low: 10, high: 10 });
});

test('who had fewer rounds is compared by the last of them, and none by nothing', () => {
  assert.deepEqual(ratio([20, 30, 40], [5, 10]), { median: 4, low: 3, high: 4 });
  assert.deepEqual(ratio([20], [10, 5]), { median: 3, low: 2, high: 4 });
  assert.throws(() => ratio([1], []), /no rounds/);
});
