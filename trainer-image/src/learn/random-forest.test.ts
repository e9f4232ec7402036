import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Design, Tree, TreeEnsemble } from '../model.ts';
import { predictProbabilities, predictValues } from './predict.ts';
import { type ForestOptions, featuresPerSplit, fitRandomForest } from './random-forest.ts';
import { designOf, iris, randomDesign } from './testing/designs.ts';

const classification: ForestOptions = {
  task: 'classification',
  classes: 3,
  nEstimators: 10,
  maxDepth: null,
  minSamplesSplit: 2,
  minSamplesLeaf: 1,
  maxFeatures: 'auto',
  bootstrap: true,
  classWeight: null,
  seed: 42,
};
/** One tree to all rows and columns: what a decision tree would be. */
const single = { ...classification, nEstimators: 1, maxFeatures: 1, bootstrap: false } as const;

const depthOf = (tree: Tree, node = 0): number =>
  tree.feature[node] === -1
    ? 0
    : 1 + Math.max(depthOf(tree, tree.left[node] as number), depthOf(tree, tree.right[node] as number));

/** How many rows end in each leaf. */
function leafSizes(tree: Tree, design: Design): Map<number, number> {
  const sizes = new Map<number, number>();
  for (let i = 0; i < design.rows; i++) {
    let node = 0;
    while (tree.feature[node] !== -1) {
      const x = (design.columns[tree.feature[node] as number] as Float32Array)[i] as number;
      const left = Number.isNaN(x) ? tree.missingLeft[node] === 1 : x <= (tree.threshold[node] as number);
      node = (left ? tree.left[node] : tree.right[node]) as number;
    }
    sizes.set(node, (sizes.get(node) ?? 0) + 1);
  }
  return sizes;
}

const firstTree = (model: TreeEnsemble): Tree => model.trees[0] as Tree;

test('the same seed grows the same trees to the last byte, another seed others', () => {
  const { design, ids } = iris();
  const grow = (seed: number) => fitRandomForest(design, ids, { ...classification, seed });
  assert.deepEqual(grow(1), grow(1));
  assert.notDeepEqual(grow(1), grow(2));
});

test('a tree without limits tells all rows it was grown to, of two classes and of three', () => {
  const { design, ids } = iris();
  for (const classes of [2, 3]) {
    const target = ids.map((id) => Math.min(id, classes - 1));
    const p = predictProbabilities(fitRandomForest(design, target, { ...single, classes }), design);
    target.forEach((id, row) => {
      assert.equal(p[row * classes + id], 1);
    });
  }
});

test('the threshold is halfway between the nearest values of both sides', () => {
  const model = fitRandomForest(designOf([1, 2, 10, 11]), Int32Array.of(0, 0, 1, 1), { ...single, classes: 2 });
  assert.deepEqual([...firstTree(model).threshold], [6, 0, 0]);
  assert.deepEqual([...firstTree(model).values], [0, 0, 1, 0, 0, 1]);
});

test('the first split is the best there is by Gini, looked for by hand', () => {
  const design = randomDesign(60, 3, 8);
  const ids = Int32Array.from({ length: 60 }, (_, i) => {
    const [a, b] = design.columns.map((column) => column[i] as number) as [number, number];
    return a > 0.2 ? 2 : b > 0 ? 1 : 0;
  });
  const impurityAfter = (column: number, threshold: number): number => {
    const counts = [new Float64Array(3), new Float64Array(3)];
    for (let i = 0; i < 60; i++) {
      const side = counts[((design.columns[column] as Float32Array)[i] as number) <= threshold ? 0 : 1] as Float64Array;
      side[ids[i] as number] = (side[ids[i] as number] as number) + 1;
    }
    return counts.reduce((sum, side) => {
      const all = side.reduce((a, b) => a + b);
      return all === 0 ? sum : sum + all - side.reduce((squares, n) => squares + n * n, 0) / all;
    }, 0);
  };
  const all = design.columns.flatMap((column, j) => [...column].map((value) => impurityAfter(j, value)));
  const tree = firstTree(fitRandomForest(design, ids, { ...single, maxDepth: 1 }));
  const got = impurityAfter(tree.feature[0] as number, tree.threshold[0] as number);
  assert.ok(Math.abs(got - Math.min(...all)) < 1e-9, `${got}, best ${Math.min(...all)}`);
});

test('limits hold: rows in a leaf, rows to split, depth', () => {
  const design = randomDesign(500, 4, 9);
  const y = Float64Array.from({ length: 500 }, (_, i) => Math.sin(i * i));
  const grow = (limits: Partial<ForestOptions>) =>
    firstTree(fitRandomForest(design, y, { ...single, task: 'regression', ...limits }));
  assert.ok([...leafSizes(grow({ minSamplesLeaf: 7 }), design).values()].every((size) => size >= 7));
  assert.equal(Math.min(...leafSizes(grow({}), design).values()), 1);
  const ids = Int32Array.from(y, (value) => Math.floor(1.5 * (value + 1)) % 3);
  const three = firstTree(fitRandomForest(design, ids, { ...single, minSamplesLeaf: 7 }));
  assert.ok([...leafSizes(three, design).values()].every((size) => size >= 7));
  assert.equal(depthOf(grow({ maxDepth: 3 })), 3);
  assert.equal(grow({ minSamplesSplit: 501 }).feature.length, 1);
  assert.equal(grow({ minSamplesSplit: 500, maxDepth: 64 }).feature.length, 3);
});

test('a leaf of quantities gives their mean, of rows as often as they were drawn', () => {
  const design = designOf([5, 5, 5, 5]);
  const y = Float64Array.of(1e6, 1e6 + 1, 1e6 + 2, 1e6 + 5);
  assert.deepEqual(
    [...predictValues(fitRandomForest(design, y, { ...single, task: 'regression' }), design)],
    [1_000_002, 1_000_002, 1_000_002, 1_000_002],
  );
  const drawn = fitRandomForest(design, y, { ...classification, task: 'regression', nEstimators: 400 });
  const values = new Set(drawn.trees.map((tree) => tree.values[0]));
  assert.ok(values.size > 5);
  assert.ok(Math.abs((predictValues(drawn, design)[0] as number) - 1_000_002) < 0.3);
});

test('balanced classes weigh the same', () => {
  const design = designOf([1, 1, 1, 1]);
  const ids = Int32Array.of(0, 0, 0, 1);
  const shares = (classWeight: 'balanced' | null) => [
    ...firstTree(fitRandomForest(design, ids, { ...single, classes: 2, classWeight })).values,
  ];
  assert.deepEqual(shares(null), [0.75, 0.25]);
  assert.deepEqual(shares('balanced'), [0.5, 0.5]);
});

test('missing values go where they belong, alone or with others', () => {
  const none = Number.NaN;
  const x = Array.from({ length: 90 }, (_, i) => (i % 3 === 0 ? none : i));
  const design = designOf(x);
  for (const belongs of [
    (value: number) => (Number.isNaN(value) ? 1 : 0),
    (value: number) => (Number.isNaN(value) || value < 40 ? 1 : 0),
    (value: number) => (Number.isNaN(value) || value > 40 ? 1 : 0),
  ]) {
    const ids = Int32Array.from(x, belongs);
    const model = fitRandomForest(design, ids, { ...single, classes: 2, maxDepth: 1 });
    const p = predictProbabilities(model, design);
    ids.forEach((id, row) => {
      assert.equal(p[2 * row + id], 1, `row ${row}`);
    });
    const three = fitRandomForest(design, ids, { ...single, classes: 3, maxDepth: 1 });
    assert.deepEqual(firstTree(three).threshold, firstTree(model).threshold);
    assert.deepEqual(firstTree(three).missingLeft, firstTree(model).missingLeft);
    assert.ok(firstTree(model).threshold.every(Number.isFinite));
  }
});

test('a column that cannot be split does not end the search', () => {
  const constant = new Float32Array(40);
  const useful = Float32Array.from({ length: 40 }, (_, i) => i);
  const design = designOf(constant, constant, constant, constant, constant, useful);
  const ids = Int32Array.from(useful, (value) => (value < 20 ? 0 : 1));
  const model = fitRandomForest(design, ids, { ...classification, classes: 2, maxFeatures: 'log2', nEstimators: 20 });
  assert.ok(model.trees.every((tree) => tree.feature[0] === 5));
});

test('how many columns a node looks at', () => {
  const of = (maxFeatures: ForestOptions['maxFeatures'], task: ForestOptions['task'] = 'classification') =>
    featuresPerSplit(30, { maxFeatures, task });
  assert.deepEqual(
    [of('auto'), of('auto', 'regression'), of('sqrt', 'regression'), of('log2'), of(0.5), of(0.01), of(1)],
    [5, 30, 5, 4, 15, 1, 30],
  );
});

test('progress is told for every tree', () => {
  const { design, ids } = iris();
  const messages: string[] = [];
  fitRandomForest(design, ids, { ...classification, nEstimators: 3, onProgress: (at) => messages.push(at.message) });
  assert.deepEqual(messages, ['tree 1 of 3', 'tree 2 of 3', 'tree 3 of 3']);
});
