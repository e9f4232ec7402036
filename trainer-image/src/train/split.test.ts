import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Target } from '../model.ts';
import { foldsOf, splitRows } from './split.ts';

function repeated(counts: Readonly<Record<string, number>>) {
  const labels = Object.keys(counts);
  const ids = Object.values(counts).flatMap((count, id) => Array.from({ length: count }, () => id));
  return { task: 'classification', ids: Int32Array.from(ids), labels } satisfies Target;
}
const quantities = (rows: number): Target => ({
  task: 'regression',
  values: Float64Array.from({ length: rows }, Math.sqrt),
});
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const ascending = (rows: readonly number[]) => rows.toSorted((a, b) => a - b);

test('the same seed splits the same way, another seed differently', () => {
  for (const target of [repeated({ a: 50, b: 50, c: 50 }), quantities(150)]) {
    assert.deepEqual(splitRows(target, 0.25, 42), splitRows(target, 0.25, 42));
    assert.notDeepEqual(splitRows(target, 0.25, 42), splitRows(target, 0.25, 43));
  }
});

test('every row is on exactly one side, and every class has its share on both', () => {
  const target = repeated({ a: 80, b: 16, c: 4 });
  const { train, validation } = splitRows(target, 0.25, 1);
  assert.deepEqual(ascending([...train, ...validation]), numbers(100));
  const counts = [0, 1, 2].map((id) => [...validation].filter((row) => target.ids[row] === id).length);
  assert.deepEqual(counts, [20, 4, 1]);
});

test('a share is rounded up, and a whole number counts rows', () => {
  const target = repeated({ a: 50, b: 50, c: 50 });
  assert.equal(splitRows(target, 0.25, 42).validation.length, 38);
  assert.equal(splitRows(target, 30, 42).validation.length, 30);
  assert.equal(splitRows(quantities(10), 0.25, 42).validation.length, 3);
});

test('what cannot be split is refused by name', () => {
  assert.throws(() => splitRows(repeated({ a: 9, b: 1 }), 0.25, 42), /class "b" has one row.*another$/);
  assert.throws(
    () => splitRows(repeated({ 1.5: 9, 2.5: 1 }), 0.25, 42),
    /class "2.5" has one row.*learn it with task regression/,
  );
  assert.throws(() => splitRows(repeated({ a: 2, b: 2 }), 0.25, 42), /test_size: 1 of 4 rows/);
  assert.throws(() => splitRows(repeated({ a: 2, b: 2 }), 100, 42), /test_size: 100 of 4 rows/);
  assert.throws(() => splitRows(quantities(3), 0.25, 42), /test_size: 1 of 3 rows/);
});

test('every training row validates in exactly one fold, with its share of every class, and trains in the others', () => {
  const target = repeated({ a: 50, b: 25, c: 5 });
  const rows = splitRows(target, 20, 7).train;
  const folds = foldsOf(target, rows, 5, 7);
  assert.deepEqual(ascending(folds.flatMap(({ validation }) => [...validation])), [...rows]);
  for (const { train, validation } of folds) {
    assert.deepEqual(ascending([...train, ...validation]), [...rows]);
    assert.equal(validation.length, 12);
    const ofA = [...validation].filter((row) => target.ids[row] === 0).length;
    assert.ok(ofA === 7 || ofA === 8, `${ofA} rows of the largest class`);
  }
  assert.deepEqual(folds, foldsOf(target, rows, 5, 7));
});

test('folds without enough rows are refused', () => {
  const scarce = repeated({ a: 9, b: 1 });
  const refusal = { reason: 'InvalidParameter', message: /parameter cv: 5 folds need .* two of every class, got 10/ };
  assert.throws(() => foldsOf(scarce, Int32Array.from(numbers(10)), 5, 1), refusal);
  assert.throws(() => foldsOf(quantities(9), Int32Array.from(numbers(9)), 5, 1), /at least 10 training rows, got 9/);
});
