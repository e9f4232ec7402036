import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TreeEnsemble } from '../model.ts';
import { fitGradientBoosting } from './gradient-boosting.ts';
import { fitLinearRegression } from './linear-regression.ts';
import { featureGains, predictProbabilities, predictValues } from './predict.ts';
import { fitRandomForest } from './random-forest.ts';
import { designOf, randomDesign } from './testing/designs.ts';

const stump: TreeEnsemble = {
  kind: 'trees',
  task: 'regression',
  outputs: 1,
  aggregate: 'sum',
  base: Float64Array.of(100),
  link: 'identity',
  trees: [
    {
      feature: Int32Array.of(0, -1, -1),
      threshold: Float32Array.of(0.1, 0, 0),
      left: Int32Array.of(1, 0, 0),
      right: Int32Array.of(2, 0, 0),
      missingLeft: Uint8Array.of(1, 0, 0),
      values: Float32Array.of(0, 1, 2),
      width: 1,
      output: 0,
      gain: Float32Array.of(3, 0, 0),
    },
  ],
};

test('values are compared as 32-bit numbers, the threshold itself goes left, a missing value where the node says', () => {
  const design = designOf([0.1, 0.100_000_01, Number.NaN, -5]);
  // As 32-bit numbers the second is the next above the first.
  assert.deepEqual([...predictValues(stump, design)], [101, 102, 101, 101]);
});

test('scores become probabilities that add up to 1, however far apart they are', () => {
  const of = (link: TreeEnsemble['link'], base: number[]): number[] => {
    const model = {
      ...stump,
      task: 'classification',
      trees: [],
      link,
      outputs: base.length,
      base: Float64Array.from(base),
    };
    return [...predictProbabilities(model as TreeEnsemble, designOf([0]))];
  };
  assert.deepEqual(of('logistic', [0]), [0.5, 0.5]);
  assert.deepEqual(of('logistic', [-800]), [1, 0]);
  assert.deepEqual(of('softmax', [800, 800, -800]), [0.5, 0.5, 0]);
  const [a, b] = of('logistic', [Math.log(3)]) as [number, number];
  assert.ok(Math.abs(a - 0.25) < 1e-15 && Math.abs(b - 0.75) < 1e-15);
});

test('asking a model for what it does not tell is refused', () => {
  assert.throws(() => predictProbabilities(stump, designOf([0])), /predictValues/);
  assert.throws(() => predictValues({ ...stump, task: 'classification' }, designOf([0])), /predictProbabilities/);
});

test('columns of bytes and of numbers give the same models and the same answers, over many blocks of rows', () => {
  const [x, y] = randomDesign(5000, 2, 1).columns as Float32Array[];
  const bytes = Uint8Array.from(y as Float32Array, (value) => (value > 0 ? 1 : 0));
  const target = Float64Array.from(bytes, (value, i) => value + ((x as Float32Array)[i] as number));
  const byBytes = designOf(x as Float32Array, bytes);
  const byNumbers = designOf(x as Float32Array, Float32Array.from(bytes));
  const boosting = {
    maxLeafNodes: 8,
    maxDepth: null,
    l2: 0,
    earlyStopping: false,
    validationFraction: 0.1,
    nIterNoChange: 5,
  };
  const common = { task: 'regression', classes: 0, seed: 1 } as const;
  const boost = (design: typeof byBytes) =>
    fitGradientBoosting(design, target, {
      ...{ ...common, ...boosting, learningRate: 0.3, maxIterations: 5, minSamplesLeaf: 5, maxBins: 64, tol: 0 },
    });
  const forest = (design: typeof byBytes) =>
    fitRandomForest(design, target, {
      ...{ ...common, nEstimators: 2, maxDepth: 6, minSamplesSplit: 2, minSamplesLeaf: 1 },
      ...{ maxFeatures: 'auto', bootstrap: true, classWeight: null },
    });
  const linear = (design: typeof byBytes) => fitLinearRegression(design, target, { alpha: 0, fitIntercept: true });
  for (const fit of [boost, forest, linear]) {
    assert.deepEqual(fit(byBytes), fit(byNumbers));
    const model = fit(byBytes);
    const predicted = predictValues(model, byBytes);
    assert.deepEqual(predicted, predictValues(model, byNumbers));
    const error = predicted.reduce((sum, value, i) => sum + (value - (target[i] as number)) ** 2, 0) / 5000;
    assert.ok(error < 0.1, `mean squared error ${error}`);
  }
});

test('columns that matter more have the greater gain', () => {
  const design = randomDesign(500, 3, 2);
  const [a, b] = design.columns as Float32Array[];
  const y = Float64Array.from(a as Float32Array, (value, i) => 5 * value + ((b as Float32Array)[i] as number));
  const linear = fitLinearRegression(design, y, { alpha: 0, fitIntercept: true });
  const gains = featureGains(linear, design);
  assert.ok((gains[0] as number) > 4 * (gains[1] as number) && (gains[1] as number) > 1000 * (gains[2] as number));
  assert.deepEqual([...featureGains(stump, design)], [3, 0, 0]);
});
