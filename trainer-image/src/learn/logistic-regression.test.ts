import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinearClassifier } from '../model.ts';
import { fitLogisticRegression, type LogisticOptions } from './logistic-regression.ts';
import { predictProbabilities } from './predict.ts';
import { randomFrom } from './random.ts';
import { designOf, iris, randomDesign, rowsOf } from './testing/designs.ts';

const options: LogisticOptions = {
  C: 1,
  maxIterations: 1000,
  tolerance: 1e-8,
  fitIntercept: true,
  classWeight: null,
};

const assertClose = (got: Float64Array, expected: ArrayLike<number>, tolerance: number): void => {
  assert.equal(got.length, expected.length);
  got.forEach((value, i) => {
    const wanted = expected[i] as number;
    assert.ok(Math.abs(value - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `[${i}] ${value}, not ${wanted}`);
  });
};

test('iris: the coefficients are those that scikit-learn gives', () => {
  const { design, ids } = iris();
  const model = fitLogisticRegression(design, ids, 3, options);
  assert.equal(model.converged, true);
  assertClose(model.coefficients.subarray(0, 4), [-0.42351, 0.96735, -2.517152, -1.079337], 1e-5);
  assertClose(model.intercepts, [9.849568, 2.237206, -12.086774], 1e-5);
});

/** The largest component of the gradient of C · Σ loss + ½ Σ w², which is zero at the optimum. */
function steepest(model: LinearClassifier, design: ReturnType<typeof designOf>, ids: Int32Array, C: number): number {
  const p = predictProbabilities(model, design);
  const outputs = model.intercepts.length;
  const columns = design.columns.length;
  let most = 0;
  for (let k = 0; k < outputs; k++) {
    const id = outputs === 1 ? 1 : k;
    for (let j = 0; j < columns; j++) {
      let slope = model.coefficients[k * columns + j] as number;
      for (let i = 0; i < design.rows; i++) {
        const error = (p[i * model.classes + id] as number) - (ids[i] === id ? 1 : 0);
        slope += C * error * ((design.columns[j] as Float32Array)[i] as number);
      }
      most = Math.max(most, Math.abs(slope));
    }
  }
  return most;
}

/** Classes by the largest of noisy sums of columns. */
function classesOf(design: ReturnType<typeof designOf>, classes: number, seed: number): Int32Array {
  const random = randomFrom(seed);
  return Int32Array.from({ length: design.rows }, (_, i) => {
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) {
      const value = ((design.columns[k % design.columns.length] as Float32Array)[i] as number) + random();
      if (value > most) [most, best] = [value, k];
    }
    return best;
  });
}

for (const [what, rows, columns, classes, tolerance] of [
  ['two classes, more rows than the curvature is taken from', 20_000, 5, 2, 1e-3],
  ['coefficients of all classes together', 1500, 6, 4, 1e-4],
  ['too many coefficients to look at together', 600, 30, 12, 1e-4],
  ['more columns than the curvature is worth', 200, 600, 2, 1e-4],
] as const) {
  test(`${what}: it ends where nothing leads further down`, () => {
    const design = randomDesign(rows, columns, 5);
    const ids = classesOf(design, classes, 6);
    const model = fitLogisticRegression(design, ids, classes, options);
    assert.equal(model.converged, true);
    assert.ok(steepest(model, design, ids, 1) < tolerance, `slope ${steepest(model, design, ids, 1)}`);
  });
}

test('columns of very different size, one of them of bytes, are no obstacle', () => {
  const [a, b] = randomDesign(800, 2, 7).columns as Float32Array[];
  const large = (a as Float32Array).map((value) => 1e6 + 1e4 * value);
  const bytes = Uint8Array.from(b as Float32Array, (value) => (value > 0.3 ? 1 : 0));
  const design = designOf(large, bytes, b as Float32Array);
  const ids = Int32Array.from(large, (value, i) => (value - 1e6 + 1e4 * (bytes[i] as number) > (i % 7) * 1e3 ? 1 : 0));
  const model = fitLogisticRegression(design, ids, 2, options);
  assert.equal(model.converged, true);
  assert.equal(model.coefficients.length, 3);
  assert.ok(model.iterations < 100);
});

test('balanced classes weigh as if their rows were repeated until all are as many', () => {
  const { design, ids } = iris();
  const few = [...ids.keys()].filter((row) => ids[row] !== 0 || row % 5 === 0);
  const repeated = few.flatMap((row) => (ids[row] === 0 ? [row, row, row, row, row] : [row]));
  const pick = (rows: readonly number[]) => Int32Array.from(rows, (row) => ids[row] as number);
  // The weights of the one add up to its own rows, so that C counts for fewer.
  const weighted = fitLogisticRegression(rowsOf(design, few), pick(few), 3, {
    ...options,
    C: repeated.length / few.length,
    classWeight: 'balanced',
  });
  const plain = fitLogisticRegression(rowsOf(design, repeated), pick(repeated), 3, options);
  assertClose(weighted.coefficients, plain.coefficients, 1e-5);
});

test('without an intercept there is none, and too few iterations are told', () => {
  const { design, ids } = iris();
  const through = fitLogisticRegression(design, ids, 3, { ...options, fitIntercept: false });
  assert.deepEqual([...through.intercepts], [0, 0, 0]);
  assert.equal(through.converged, true);
  const short = fitLogisticRegression(design, ids, 3, { ...options, maxIterations: 2 });
  assert.equal(short.converged, false);
  assert.equal(short.iterations, 2);
});

test('progress is told for every iteration, never falls, and changes nothing', () => {
  const { design, ids } = iris();
  const fractions: number[] = [];
  const told = fitLogisticRegression(design, ids, 3, { ...options, onProgress: (at) => fractions.push(at.fraction) });
  assert.equal(fractions.length, told.iterations);
  assert.deepEqual(
    fractions,
    fractions.toSorted((a, b) => a - b),
  );
  assert.deepEqual(told, fitLogisticRegression(design, ids, 3, options));
});
