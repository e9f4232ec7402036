import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitLinearRegression } from './linear-regression.ts';
import { predictValues } from './predict.ts';
import { designOf, randomDesign } from './testing/designs.ts';

const near = (got: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(got - expected) <= tolerance * Math.max(1, Math.abs(expected)), `${got}, expected ${expected}`);
const plain = { alpha: 0, fitIntercept: true };

test('what is linear is found again, however far the columns are from zero and however large they are', () => {
  const [a, b, c] = randomDesign(2500, 3, 1).columns as Float32Array[];
  const far = (a as Float32Array).map((value) => Math.fround(1_000_000 + 1000 * value));
  const tiny = (b as Float32Array).map((value) => Math.fround(1e-6 * value));
  const design = designOf(far, tiny, c as Float32Array);
  const y = Float64Array.from(far, (value, i) => 0.5 * value - 2e6 * (tiny[i] as number) + 7);
  const model = fitLinearRegression(design, y, plain);
  near(model.coefficients[0] as number, 0.5);
  near(model.coefficients[1] as number, -2e6);
  near(model.coefficients[2] as number, 0, 1e-6);
  near(model.intercept, 7, 1e-4);
  predictValues(model, design).forEach((value, i) => {
    near(value, y[i] as number);
  });
});

test('of one column the coefficient is the quotient of the sums of products, with alpha below', () => {
  const x = [1, 2, 4, 7];
  const y = Float64Array.of(3, 1, 6, 8);
  const sxx = x.reduce((sum, value) => sum + (value - 3.5) ** 2, 0);
  const sxy = x.reduce((sum, value, i) => sum + (value - 3.5) * (y[i] as number), 0);
  for (const alpha of [0, 2.5]) {
    const model = fitLinearRegression(designOf(x), y, { alpha, fitIntercept: true });
    near(model.coefficients[0] as number, sxy / (sxx + alpha));
    near(model.intercept, 4.5 - (3.5 * sxy) / (sxx + alpha));
  }
});

test('without an intercept the line passes through zero', () => {
  const model = fitLinearRegression(designOf([1, 2, 3]), Float64Array.of(2, 3, 7), { alpha: 0, fitIntercept: false });
  assert.equal(model.intercept, 0);
  near(model.coefficients[0] as number, (2 + 6 + 21) / 14);
});

test('columns that tell the same share the coefficient as the shortest answer does, and a constant one gets none', () => {
  const x = randomDesign(400, 1, 2).columns[0] as Float32Array;
  const twice = x.map((value) => 2 * value);
  const y = Float64Array.from(x, (value) => 10 * value + 1);
  const model = fitLinearRegression(designOf(x, twice, new Float32Array(400).fill(0.1)), y, plain);
  // a + 2b = 10 with the least a² + b².
  near(model.coefficients[0] as number, 2);
  near(model.coefficients[1] as number, 4);
  assert.equal(model.coefficients[2], 0);
  near(model.intercept, 1);
});

test('of all categories of a text as columns the coefficients are those around their mean', () => {
  const kinds = Array.from({ length: 300 }, (_, i) => i % 3);
  const columns = [0, 1, 2].map((kind) => Uint8Array.from(kinds, (value) => (value === kind ? 1 : 0)));
  const y = Float64Array.from(kinds, (kind) => [5, 6, 10][kind] as number);
  const model = fitLinearRegression(designOf(...columns), y, plain);
  [-2, -1, 3].forEach((expected, j) => {
    near(model.coefficients[j] as number, expected);
  });
  near(model.intercept, 7);
});

test('more columns than rows: every row is met, by the shortest coefficients there are', () => {
  const design = randomDesign(20, 50, 3);
  const y = Float64Array.from({ length: 20 }, (_, i) => Math.sin(i));
  const model = fitLinearRegression(design, y, plain);
  predictValues(model, design).forEach((value, i) => {
    near(value, y[i] as number, 1e-8);
  });
  // The shortest are the limit of ridge regression as the penalty vanishes.
  const ridge = fitLinearRegression(design, y, { alpha: 1e-9, fitIntercept: true });
  model.coefficients.forEach((value, j) => {
    near(value, ridge.coefficients[j] as number, 1e-6);
  });
});

test('ridge by rows and by columns is the same at the border of the two', () => {
  const design = randomDesign(30, 31, 4);
  const y = Float64Array.from({ length: 30 }, (_, i) => Math.cos(i));
  const byRows = fitLinearRegression(design, y, { alpha: 0.7, fitIntercept: false });
  // A row of zeros changes nothing but the number of rows.
  const padded = designOf(...design.columns.map((column) => Float32Array.from([...column, 0])));
  const byColumns = fitLinearRegression(padded, Float64Array.from([...y, 0]), { alpha: 0.7, fitIntercept: false });
  byRows.coefficients.forEach((value, j) => {
    near(value, byColumns.coefficients[j] as number);
  });
});
