import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeClasses } from './classes.ts';
import { stratifiedSplit } from './split.ts';

const repeated = (counts: Readonly<Record<string, number>>) =>
  encodeClasses(Object.entries(counts).flatMap(([name, count]) => Array.from({ length: count }, () => name)));

test('the same seed splits the same way, another seed differently', () => {
  const classes = repeated({ a: 50, b: 50, c: 50 });
  assert.deepEqual(stratifiedSplit(classes, 0.25, 42), stratifiedSplit(classes, 0.25, 42));
  assert.notDeepEqual(stratifiedSplit(classes, 0.25, 42), stratifiedSplit(classes, 0.25, 43));
});

test('every row is on exactly one side, and every class has its share on both', () => {
  const classes = repeated({ a: 80, b: 16, c: 4 });
  const { train, validation } = stratifiedSplit(classes, 0.25, 1);
  assert.deepEqual(
    [...train, ...validation].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
  const counts = [0, 1, 2].map((id) => validation.filter((row) => classes.ids[row] === id).length);
  assert.deepEqual(counts, [20, 4, 1]);
});

test('a share is rounded up, and a whole number counts rows', () => {
  const classes = repeated({ a: 50, b: 50, c: 50 });
  assert.equal(stratifiedSplit(classes, 0.25, 42).validation.length, 38);
  assert.equal(stratifiedSplit(classes, 30, 42).validation.length, 30);
});

test('what cannot be split is refused by name', () => {
  assert.throws(() => stratifiedSplit(repeated({ a: 9, b: 1 }), 0.25, 42), /class "b" has one row/);
  assert.throws(() => stratifiedSplit(repeated({ a: 2, b: 2 }), 0.25, 42), /test_size: 1 of 4 rows/);
  assert.throws(() => stratifiedSplit(repeated({ a: 2, b: 2 }), 100, 42), /test_size: 100 of 4 rows/);
});

test('class names sort by code point, whole numbers by value', () => {
  assert.deepEqual(encodeClasses(['b', 'Z', 'é', '\u{1f600}', '\uffee', 'a']).labels, [
    'Z',
    'a',
    'b',
    'é',
    '\uffee',
    '\u{1f600}',
  ]);
  const numbers = encodeClasses(['10', '9', '-1', '010']);
  assert.deepEqual(numbers.labels, ['-1', '9', '10']);
  assert.deepEqual([...numbers.ids], [2, 1, 0, 2]);
});

test('one class, or too many, cannot be learnt', () => {
  assert.throws(() => encodeClasses(['a', 'a']), { reason: 'InvalidTarget', message: /only "a"/ });
  const many = Array.from({ length: 1025 }, (_, i) => `c${i}`);
  assert.throws(() => encodeClasses(many), { reason: 'InvalidTarget', message: /got 1025/ });
});
