/** What a fitted model says, by the same comparisons of 32-bit numbers as a runtime of the exported graph. */
import type { Design, FittedModel, LinearClassifier, Tree, TreeEnsemble } from '../model.ts';
import { BLOCK, Blocks, type Column, deviationsOf, meansOf } from './blocks.ts';

/** Rows of a block, one after another. */
function rowMajor(column: Column, from: number, rows: number, to: Float32Array, at: number, width: number): void {
  for (let i = 0; i < rows; i++) to[i * width + at] = column[from + i] as number;
}

/** Adds to out[i * outputs + …] what the tree says of each row of the block. */
function addTree(
  tree: Tree,
  x: Float32Array,
  rows: number,
  columns: number,
  out: Float64Array,
  at: number,
  outputs: number,
) {
  const { feature, threshold, left, right, missingLeft, values, width } = tree;
  const first = width === 1 ? tree.output : 0;
  for (let i = 0; i < rows; i++) {
    const row = i * columns;
    let node = 0;
    let asked = feature[0] as number;
    while (asked >= 0) {
      const value = x[row + asked] as number;
      const goesLeft = value <= (threshold[node] as number) || (missingLeft[node] === 1 && Number.isNaN(value));
      node = (goesLeft ? left[node] : right[node]) as number;
      asked = feature[node] as number;
    }
    const to = at + i * outputs + first;
    for (let k = 0; k < width; k++) out[to + k] = (out[to + k] as number) + (values[node * width + k] as number);
  }
}

/** Rows that go through a tree together: it is fetched once for all of them. */
const TREE_BLOCK = 2048;

/** The ensemble's sums or means, before the link: rows × outputs. */
function treeScores({ trees, outputs, aggregate, base }: TreeEnsemble, design: Design): Float64Array {
  const columns = design.columns.length;
  const out = new Float64Array(design.rows * outputs);
  const block = new Float32Array(TREE_BLOCK * columns);
  for (let from = 0; from < design.rows; from += TREE_BLOCK) {
    const rows = Math.min(TREE_BLOCK, design.rows - from);
    design.columns.forEach((column, j) => {
      rowMajor(column, from, rows, block, j, columns);
    });
    for (const tree of trees) addTree(tree, block, rows, columns, out, from * outputs, outputs);
  }
  const factor = aggregate === 'mean' ? 1 / trees.length : 1;
  for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) * factor + (base[i % outputs] as number);
  return out;
}

/** Scores, rows × coefficient rows. */
function linearScores(coefficients: Float64Array, intercepts: Float64Array, design: Design): Float64Array {
  const outputs = intercepts.length;
  const columns = design.columns.length;
  const blocks = new Blocks(design);
  const padded = new Float64Array(outputs * blocks.width);
  for (let k = 0; k < outputs; k++) padded.set(coefficients.subarray(k * columns, (k + 1) * columns), k * blocks.width);
  const out = new Float64Array(design.rows * outputs);
  const z = new Float64Array(BLOCK);
  for (let from = 0; from < design.rows; from += BLOCK) {
    const rows = Math.min(BLOCK, design.rows - from);
    blocks.load(from, from + rows);
    for (let k = 0; k < outputs; k++) {
      blocks.addProduct(z.fill(intercepts[k] as number), rows, padded, k * blocks.width);
      for (let i = 0; i < rows; i++) out[(from + i) * outputs + k] = z[i] as number;
    }
  }
  return out;
}

/** Of one score z per row the shares of two classes: 1 - p and p with p = 1 / (1 + exp(-z)). */
function logistic(scores: Float64Array): Float64Array {
  const out = new Float64Array(2 * scores.length);
  for (let i = 0; i < scores.length; i++) {
    const z = scores[i] as number;
    const small = Math.exp(-Math.abs(z)) / (1 + Math.exp(-Math.abs(z)));
    out[2 * i] = z < 0 ? 1 - small : small;
    out[2 * i + 1] = z < 0 ? small : 1 - small;
  }
  return out;
}

/** Turns each `classes` scores into probabilities, in place. */
function softmax(scores: Float64Array, classes: number): Float64Array {
  for (let row = 0; row < scores.length; row += classes) {
    let most = Number.NEGATIVE_INFINITY;
    for (let k = row; k < row + classes; k++) most = Math.max(most, scores[k] as number);
    let sum = 0;
    for (let k = row; k < row + classes; k++) {
      const e = Math.exp((scores[k] as number) - most);
      scores[k] = e;
      sum += e;
    }
    for (let k = row; k < row + classes; k++) scores[k] = (scores[k] as number) / sum;
  }
  return scores;
}

const linearProbabilities = ({ coefficients, intercepts, classes }: LinearClassifier, design: Design): Float64Array => {
  const scores = linearScores(coefficients, intercepts, design);
  return intercepts.length === 1 ? logistic(scores) : softmax(scores, classes);
};

/** `out[row * classes + k]`: how probable class k is. Throws for a model of a quantity. */
export function predictProbabilities(model: FittedModel, design: Design): Float64Array {
  if (model.kind === 'linear-classifier') return linearProbabilities(model, design);
  if (model.kind === 'linear-regressor' || model.task === 'regression') {
    throw new Error('predictProbabilities: expected a model of classes, got one of a quantity; call predictValues');
  }
  const scores = treeScores(model, design);
  if (model.link === 'identity') return scores;
  return model.link === 'logistic' ? logistic(scores) : softmax(scores, model.outputs);
}

/** `out[row]`: the quantity predicted. Throws for a model of classes. */
export function predictValues(model: FittedModel, design: Design): Float64Array {
  if (model.kind === 'linear-regressor') {
    return linearScores(model.coefficients, Float64Array.of(model.intercept), design);
  }
  if (model.kind === 'linear-classifier' || model.task === 'classification') {
    throw new Error('predictValues: expected a model of a quantity, got one of classes; call predictProbabilities');
  }
  return treeScores(model, design);
}

function linearGains(coefficients: Float64Array, design: Design): Float64Array {
  const columns = design.columns.length;
  const gains = deviationsOf(design, meansOf(design));
  return gains.map((deviation, j) => {
    let sum = 0;
    for (let k = j; k < coefficients.length; k += columns) sum += Math.abs(coefficients[k] as number);
    return sum * deviation;
  });
}

/**
 * How much each column of the design tells the model, in units of the model's own: for trees how much its splits lessened
 * the loss, for linear models the size of its coefficients times the column's deviation. Only the shares mean something.
 */
export function featureGains(model: FittedModel, design: Design): Float64Array {
  if (model.kind !== 'trees') return linearGains(model.coefficients, design);
  const gains = new Float64Array(design.columns.length);
  for (const { feature, gain } of model.trees) {
    for (let node = 0; node < feature.length; node++) {
      const asked = feature[node] as number;
      if (asked >= 0) gains[asked] = (gains[asked] as number) + (gain[node] as number);
    }
  }
  return gains;
}
