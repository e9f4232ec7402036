import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tree, TreeEnsemble } from '../model.ts';
import { type BoostingOptions, fitGradientBoosting } from './gradient-boosting.ts';
import { predictProbabilities, predictValues } from './predict.ts';
import { randomFrom } from './random.ts';
import { designOf, iris, randomDesign } from './testing/designs.ts';

const regression: BoostingOptions = {
  task: 'regression',
  classes: 0,
  learningRate: 0.1,
  maxIterations: 20,
  maxLeafNodes: 31,
  maxDepth: null,
  minSamplesLeaf: 20,
  l2: 0,
  maxBins: 255,
  earlyStopping: false,
  validationFraction: 0.1,
  nIterNoChange: 10,
  tol: 1e-7,
  seed: 42,
};
const classification = { ...regression, task: 'classification', classes: 2 } as const;
/** One tree with all it has learnt, as small leaves as it likes. */
const once = { learningRate: 1, maxIterations: 1, minSamplesLeaf: 1 } as const;

const firstTree = (model: TreeEnsemble): Tree => model.trees[0] as Tree;
const leavesOf = (tree: Tree): number => tree.feature.filter((feature) => feature === -1).length;

test('one split of four rows: the threshold is in the middle, the leaves are means, shrunk by l2 and the learning rate', () => {
  const design = designOf([1, 2, 10, 11]);
  const y = Float64Array.of(0, 2, 10, 12);
  const fit = (options: Partial<BoostingOptions>) =>
    fitGradientBoosting(design, y, { ...regression, ...once, maxLeafNodes: 2, ...options });
  const model = fit({});
  assert.deepEqual([...model.base], [6]);
  assert.equal(firstTree(model).threshold[0], 6);
  assert.deepEqual([...predictValues(model, design)], [1, 1, 11, 11]);
  // Of ½ Σ (y - mean)² = 52 the split takes 50.
  assert.equal(firstTree(model).gain[0], 50);
  assert.deepEqual([...predictValues(fit({ l2: 2 }), design)], [3.5, 3.5, 8.5, 8.5]);
  assert.deepEqual([...predictValues(fit({ learningRate: 0.5 }), design)], [3.5, 3.5, 8.5, 8.5]);
});

test('two classes: it starts from the log odds, and a leaf is a step of Newton', () => {
  const design = designOf([0, 0, 0, 1, 1, 1, 1, 1]);
  const ids = Int32Array.of(0, 0, 1, 1, 1, 1, 0, 1);
  const model = fitGradientBoosting(design, ids, { ...classification, ...once });
  const share = 5 / 8;
  assert.ok(Math.abs((model.base[0] as number) - Math.log(share / (1 - share))) < 1e-12);
  assert.equal(model.link, 'logistic');
  assert.equal(model.outputs, 1);
  const leaf = (ones: number, rows: number) => (ones - rows * share) / (rows * share * (1 - share));
  assert.ok(Math.abs((firstTree(model).values[1] as number) - leaf(1, 3)) < 1e-4);
  assert.ok(Math.abs((firstTree(model).values[2] as number) - leaf(4, 5)) < 1e-4);
});

test('three classes have a tree each, and are told apart', () => {
  const { design, ids } = iris();
  const model = fitGradientBoosting(design, ids, { ...classification, classes: 3 });
  assert.equal(model.trees.length, 60);
  assert.deepEqual(
    model.trees.slice(0, 4).map((tree) => tree.output),
    [0, 1, 2, 0],
  );
  const p = predictProbabilities(model, design);
  const right = [...ids].filter((id, row) => (p[3 * row + id] as number) > 0.5).length;
  assert.ok(right >= 145, `${right} of 150`);
});

test('the same seed grows the same trees to the last byte; with rows held out the seed matters', () => {
  const design = randomDesign(400, 5, 1);
  const y = Float64Array.from({ length: 400 }, (_, i) =>
    Math.sin(3 * ((design.columns[0] as Float32Array)[i] as number)),
  );
  const fit = (seed: number) => fitGradientBoosting(design, y, { ...regression, earlyStopping: true, seed });
  assert.deepEqual(fit(1), fit(1));
  assert.notDeepEqual(fit(1), fit(2));
});

test('limits hold: leaves, depth, rows in a leaf, bins', () => {
  const design = randomDesign(1000, 3, 2);
  const x = design.columns[0] as Float32Array;
  const y = Float64Array.from(x, (value, i) => value + Math.sin(i));
  const grow = (options: Partial<BoostingOptions>) =>
    firstTree(fitGradientBoosting(design, y, { ...regression, ...once, ...options }));
  assert.equal(leavesOf(grow({ maxLeafNodes: 7 })), 7);
  assert.equal(leavesOf(grow({ maxDepth: 3, maxLeafNodes: null })), 8);
  assert.ok(leavesOf(grow({ maxLeafNodes: null })) > 200);
  const model = fitGradientBoosting(design, y, { ...regression, ...once, minSamplesLeaf: 60, maxLeafNodes: null });
  const sizes = new Map<number, number>();
  for (const value of predictValues(model, design)) sizes.set(value, (sizes.get(value) ?? 0) + 1);
  assert.ok([...sizes.values()].every((size) => size >= 60));
  assert.ok(sizes.size > 5);
  const coarse = grow({ maxBins: 4, maxLeafNodes: null });
  const thresholds = new Set(coarse.threshold.filter((_, node) => coarse.feature[node] === 0));
  assert.equal(thresholds.size, 3);
});

test('of two classes the rows in a leaf are counted too', () => {
  const x = Float32Array.from({ length: 200 }, (_, i) => i);
  const ids = Int32Array.from(x, (value) => (value < 3 ? 1 : 0));
  const model = fitGradientBoosting(designOf(x), ids, {
    ...classification,
    ...once,
    minSamplesLeaf: 20,
    maxLeafNodes: 2,
  });
  assert.equal(firstTree(model).threshold[0], 19.5);
});

test('early stopping ends when the rows held out show no progress; without it all iterations are done', () => {
  const random = randomFrom(3);
  const design = randomDesign(300, 2, 4);
  const noise = Float64Array.from({ length: 300 }, () => random());
  const fit = (earlyStopping: boolean) =>
    fitGradientBoosting(design, noise, { ...regression, maxIterations: 80, nIterNoChange: 5, earlyStopping });
  assert.ok(fit(true).trees.length < 80);
  assert.equal(fit(false).trees.length, 80);
});

test('rows held out are not learnt from', () => {
  // One row in ten says something else; if it were learnt from, some leaf would tell it.
  const design = randomDesign(1000, 1, 5);
  const y = new Float64Array(1000);
  y[500] = 1000;
  const bases = Array.from({ length: 30 }, (_, seed) => {
    const model = fitGradientBoosting(design, y, { ...regression, earlyStopping: true, seed, validationFraction: 0.5 });
    return model.base[0] as number;
  });
  assert.deepEqual(new Set(bases), new Set([0, 2]));
});

test('missing values go where they belong, and a later one with the most where none was missing', () => {
  const none = Number.NaN;
  const x = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? none : i));
  for (const belongs of [
    (value: number) => (Number.isNaN(value) ? 1 : 0),
    (value: number) => (Number.isNaN(value) || value < 100 ? 1 : 0),
    (value: number) => (Number.isNaN(value) || value > 100 ? 1 : 0),
  ]) {
    const y = Float64Array.from(x, belongs);
    const model = fitGradientBoosting(designOf(x), y, { ...regression, ...once, maxLeafNodes: 2 });
    assert.deepEqual(
      [...predictValues(model, designOf(x))].map((value) => Math.round(value) + 0),
      [...y],
    );
    assert.ok(Number.isFinite(firstTree(model).threshold[0]));
  }
  const whole = designOf(Array.from({ length: 100 }, (_, i) => i));
  const y = Float64Array.from({ length: 100 }, (_, i) => (i < 70 ? 1 : 0));
  const model = fitGradientBoosting(whole, y, { ...regression, ...once, maxLeafNodes: 2 });
  assert.equal(Math.round(predictValues(model, designOf([none]))[0] as number), 1);
});

test('progress is told for every iteration, with the loss that shrinks', () => {
  const { design, ids } = iris();
  const losses: number[] = [];
  fitGradientBoosting(design, ids, {
    ...classification,
    classes: 3,
    maxIterations: 5,
    onProgress: (at) => losses.push(at.metrics?.['loss'] as number),
  });
  assert.equal(losses.length, 5);
  assert.deepEqual(
    losses,
    losses.toSorted((a, b) => b - a),
  );
});
