/**
 * Breiman's random forest: each tree is grown to other rows, drawn with replacement, and at each node looks at another choice
 * of columns. Values are binned once to bytes, so that a split costs one pass over the node's rows and a column.
 */
import type { Task } from '@slipway/contract';
import type { Design, OnProgress, Tree, TreeEnsemble } from '../model.ts';
import { type BinnedColumn, binColumns, EVERYTHING, thresholdBetween } from './bins.ts';
import { Gini } from './forest-gini.ts';
import type { BestSplit, Criterion } from './forest-split.ts';
import { Variance } from './forest-variance.ts';
import { partition } from './partition.ts';
import { randomFrom } from './random.ts';
import { TreeWriter } from './tree-writer.ts';

export interface ForestOptions {
  readonly task: Task;
  /** Classes of the target; of no meaning for quantities. */
  readonly classes: number;
  readonly nEstimators: number;
  readonly maxDepth: number | null;
  /** Rows (each counted once, however often it was drawn) below which a node is a leaf. */
  readonly minSamplesSplit: number;
  /** Rows that each side of a split must have. */
  readonly minSamplesLeaf: number;
  /** Columns looked at for a split, or their share; `auto`: the square root for classes, all for quantities. */
  readonly maxFeatures: 'auto' | 'sqrt' | 'log2' | number;
  /** Whether each tree has rows of its own, drawn with replacement; else all of them. */
  readonly bootstrap: boolean;
  readonly classWeight: 'balanced' | null;
  readonly seed: number;
  readonly onProgress?: OnProgress;
}

const MAX_BINS = 255;

/** How many columns a node looks at. */
export function featuresPerSplit(
  columns: number,
  { maxFeatures, task }: Pick<ForestOptions, 'maxFeatures' | 'task'>,
): number {
  const rule = maxFeatures === 'auto' ? (task === 'classification' ? 'sqrt' : 1) : maxFeatures;
  const wanted = rule === 'sqrt' ? Math.sqrt(columns) : rule === 'log2' ? Math.log2(columns) : rule * columns;
  return Math.max(1, Math.floor(wanted));
}

/** The weight of every row before any is drawn: 1, or such that all classes weigh the same. */
function rowWeights(target: Int32Array | Float64Array, { classes, classWeight }: ForestOptions): Float32Array {
  const weights = new Float32Array(target.length).fill(1);
  if (classWeight !== 'balanced') return weights;
  const counts = new Float64Array(classes);
  for (const id of target) counts[id] = (counts[id] as number) + 1;
  for (let i = 0; i < target.length; i++)
    weights[i] = target.length / (classes * (counts[target[i] as number] as number));
  return weights;
}

/** Everything the trees have in common. */
interface Forest {
  readonly options: ForestOptions;
  readonly columns: readonly BinnedColumn[];
  readonly random: () => number;
  readonly criterion: Criterion;
  /** Of the tree being grown: rows drawn, and a weight for each row of the design. */
  readonly rows: Int32Array;
  readonly spare: Int32Array;
  readonly weights: Float32Array;
  /** All columns, in the order of the last draw. */
  readonly order: Int32Array;
  readonly perSplit: number;
}

function criterionFor(target: Int32Array | Float64Array, weights: Float32Array, options: ForestOptions): Criterion {
  const { task, classes, minSamplesLeaf } = options;
  if (task === 'regression') return new Variance(target, weights, 1, minSamplesLeaf);
  if (classes === 2) return new Variance(target, weights, 2, minSamplesLeaf);
  return new Gini(target as Int32Array, weights, classes, minSamplesLeaf);
}

/** Draws the rows of a tree: writes their weights, and returns how many different ones there are. */
function drawRows({ options, random, rows, weights }: Forest, of: Float32Array): number {
  const length = weights.length;
  if (!options.bootstrap) {
    weights.set(of);
    for (let row = 0; row < length; row++) rows[row] = row;
    return length;
  }
  weights.fill(0);
  for (let i = 0; i < length; i++) {
    const row = Math.floor(random() * length);
    weights[row] = (weights[row] as number) + (of[row] as number);
  }
  let drawn = 0;
  for (let row = 0; row < length; row++) {
    rows[drawn] = row;
    if ((weights[row] as number) > 0) drawn++;
  }
  return drawn;
}

/** Looks at columns in random order, until enough were seen and one of them could be split. */
function findSplit({ columns, random, criterion, order, perSplit }: Forest, best: BestSplit): boolean {
  best.score = Number.NEGATIVE_INFINITY;
  best.feature = -1;
  let splittable = false;
  for (let seen = 0; seen < order.length && (seen < perSplit || !splittable); seen++) {
    const at = seen + Math.floor(random() * (order.length - seen));
    const feature = order[at] as number;
    order[at] = order[seen] as number;
    order[seen] = feature;
    if (criterion.tryColumn(columns[feature] as BinnedColumn, feature, best)) splittable = true;
  }
  return best.feature !== -1;
}

/** Grows one tree to the first `drawn` of the rows. */
function growTree(forest: Forest, drawn: number): Tree {
  const { options, columns, criterion, rows, spare } = forest;
  const maxDepth = options.maxDepth ?? Number.POSITIVE_INFINITY;
  const fewest = Math.max(options.minSamplesSplit, 2 * options.minSamplesLeaf);
  const writer = new TreeWriter(criterion.width, 0);
  const best: BestSplit = { feature: -1, low: 0, high: 0, missingLeft: false, score: 0 };
  // Four numbers for each node that is still to be looked at: the node, its first row, the one after its last, its depth.
  const open: number[] = [writer.add(), 0, drawn, 0];
  while (open.length > 0) {
    const depth = open.pop() as number;
    const end = open.pop() as number;
    const start = open.pop() as number;
    const node = open.pop() as number;
    const pure = criterion.begin(rows, start, end);
    if (pure || end - start < fewest || depth >= maxDepth || !findSplit(forest, best)) {
      for (let k = 0; k < criterion.width; k++) writer.setValue(node, k, criterion.value(k));
      continue;
    }
    const column = columns[best.feature] as BinnedColumn;
    const threshold = best.high === -1 ? EVERYTHING : thresholdBetween(column, best.low, best.high);
    const cut = { codes: column.codes, bin: best.low, missingLeft: best.missingLeft };
    const middle = partition(rows, start, end, cut, spare);
    // Where no row of the node misses the value, a later one goes with the most.
    const missingLeft = best.missingLeft || (best.high !== -1 && !column.missing && 2 * (middle - start) > end - start);
    const left = writer.split(node, best.feature, threshold, missingLeft, best.score - criterion.score());
    open.push(left + 1, middle, end, depth + 1, left, start, middle, depth + 1);
  }
  return writer.finish();
}

/** `target[row]` is a class id or a quantity. Same data, options and seed: the same trees. */
export function fitRandomForest(
  design: Design,
  target: Int32Array | Float64Array,
  options: ForestOptions,
): TreeEnsemble {
  const { task, nEstimators, seed } = options;
  const weights = new Float32Array(design.rows);
  const each = rowWeights(target, options);
  const forest: Forest = {
    options,
    columns: binColumns(design, MAX_BINS, seed),
    random: randomFrom(seed),
    criterion: criterionFor(target, weights, options),
    rows: new Int32Array(design.rows),
    spare: new Int32Array(design.rows),
    weights,
    order: Int32Array.from(design.columns, (_, j) => j),
    perSplit: featuresPerSplit(design.columns.length, options),
  };
  const trees = Array.from({ length: nEstimators }, (_, i) => {
    const tree = growTree(forest, drawRows(forest, each));
    options.onProgress?.({ fraction: (i + 1) / nEstimators, message: `tree ${i + 1} of ${nEstimators}`, step: i + 1 });
    return tree;
  });
  const outputs = task === 'classification' ? options.classes : 1;
  return { kind: 'trees', task, outputs, trees, aggregate: 'mean', base: new Float64Array(outputs), link: 'identity' };
}
