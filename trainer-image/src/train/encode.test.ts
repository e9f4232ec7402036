import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FeatureColumn } from '../model.ts';
import { designOf, ENCODING_RULES, encodingsFor } from './encode.ts';

const features: readonly FeatureColumn[] = [
  { kind: 'number', name: 'a', values: Float32Array.of(1, 2, Number.NaN, 9, 100), missing: 1 },
  { kind: 'number', name: 'b', values: Float32Array.of(1, 2, 3, 4, 5), missing: 0 },
  { kind: 'category', name: 'c', ids: Int16Array.of(0, 2, -1, 2, 1), categories: ['x', 'y', 'z'], missing: 1 },
];
/** All but the last row, which has an outlier and a category of its own. */
const training = Int32Array.of(0, 1, 2, 3);
const all = Int32Array.of(0, 1, 2, 3, 4);

const columnsFor = (algorithm: keyof typeof ENCODING_RULES) => {
  const encodings = encodingsFor(features, training, ENCODING_RULES[algorithm]);
  const { columns } = designOf(features, all, encodings);
  return columns.map((column) => [...column]);
};

test('linear models get the training mean for what is missing, forests the median, boosting nothing', () => {
  assert.deepEqual(columnsFor('ridge')[0], [1, 2, 4, 9, 100]);
  assert.deepEqual(columnsFor('random-forest')[0], [1, 2, 2, 9, 100]);
  assert.deepEqual(columnsFor('gradient-boosting')[0], [1, 2, Number.NaN, 9, 100]);
});

test('every category of the training rows is a column; a missing or a new one is 0 in all of them', () => {
  assert.deepEqual(columnsFor('logistic-regression').slice(2), [
    [1, 0, 0, 0, 0],
    [0, 1, 0, 1, 0],
  ]);
});

test('without a penalty the first category is left out', () => {
  assert.deepEqual(columnsFor('linear-regression').slice(2), [[0, 1, 0, 1, 0]]);
});

test('rows come in the order they are asked for', () => {
  const encodings = encodingsFor(features, training, ENCODING_RULES.ridge);
  assert.deepEqual([...(designOf(features, Int32Array.of(3, 0), encodings).columns[1] ?? [])], [4, 1]);
});

test('a column without a value among the training rows becomes 0', () => {
  const late: FeatureColumn = { kind: 'number', name: 'a', values: Float32Array.of(Number.NaN, 7), missing: 1 };
  const encodings = encodingsFor([late], Int32Array.of(0), ENCODING_RULES.ridge);
  assert.deepEqual([...(designOf([late], Int32Array.of(0, 1), encodings).columns[0] ?? [])], [0, 7]);
});
