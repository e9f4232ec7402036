import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Table } from '../model.ts';
import { profileOf } from './profile.ts';

const table: Table = {
  rows: 6,
  targetName: 't',
  target: { task: 'classification', ids: Int32Array.of(0, 1, 1, 0, 1, 0), labels: ['no', 'yes'] },
  features: [
    { kind: 'number', name: 'a', values: Float32Array.of(3, 1, 2, Number.NaN, 5, 1000), missing: 1 },
    { kind: 'number', name: 'b', values: Float32Array.of(7, 7, 7, 7, 7, 0), missing: 0 },
    { kind: 'category', name: 'c', ids: Int16Array.of(0, 1, -1, 0, 0, 2), categories: ['x', 'y', 'z'], missing: 1 },
  ],
};
/** All but the last row. */
const profile = profileOf(table, Int32Array.of(0, 1, 2, 3, 4));

test('a column of numbers is told by its moments, quantiles and a histogram, of the rows asked for alone', () => {
  const [a] = profile.features;
  assert.ok(a?.type === 'number');
  assert.deepEqual([a.count, a.missing, a.mean, a.min, a.max], [4, 1, 2.75, 1, 5]);
  assert.equal(a.std, Math.sqrt((0.0625 + 3.0625 + 0.5625 + 5.0625) / 4));
  assert.equal(a.quantiles?.length, 21);
  // numpy: quantile([1, 2, 3, 5], [0, 0.25, 0.5, 1])
  assert.deepEqual(
    [0, 5, 10, 20].map((i) => a.quantiles?.[i]),
    [1, 1.75, 2.5, 5],
  );
  assert.equal(a.histogram?.edges.length, 21);
  assert.deepEqual(
    a.histogram?.counts.flatMap((count, bin) => (count > 0 ? [[bin, count]] : [])),
    [
      [0, 1],
      [5, 1],
      [10, 1],
      [19, 1],
    ],
  );
});

test('a column of one value has one bin', () => {
  const [, b] = profile.features;
  assert.deepEqual(b?.type === 'number' && b.histogram, { edges: [7, 7], counts: [5] });
});

test('categories are counted, those no row has too; so are the classes of the target', () => {
  assert.deepEqual(profile.features[2], {
    ...{ name: 'c', type: 'category', count: 4, missing: 1 },
    categories: { x: 3, y: 1, z: 0 },
  });
  assert.deepEqual(profile.target, {
    name: 't',
    type: 'category',
    count: 5,
    missing: 0,
    categories: { no: 2, yes: 3 },
  });
});
