import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readTable } from '../data/table.ts';
import { train } from './train.ts';

const iris = await readTable(
  join(import.meta.dirname, '../../data/iris.csv'),
  { name: 'logistic-regression', target: 'species' },
  { maxCategories: 255 },
);
const options = { log: () => {}, onProgress: () => {} };

test('the same input gives the same bytes', () => {
  const [first, second] = [
    train(iris, 'logistic-regression', {}, options),
    train(iris, 'logistic-regression', {}, options),
  ];
  assert.ok(Buffer.from(first.onnx).equals(Buffer.from(second.onnx)));
  assert.deepEqual(first.metrics, second.metrics);
});

test('stopping before it has converged is said aloud', () => {
  const lines: string[] = [];
  const log = (level: string, message: string) => void lines.push(`${level} ${message}`);
  train(iris, 'logistic-regression', { max_iter: '2' }, { ...options, log });
  assert.ok(lines.includes('warn training stopped before it converged'));
});
