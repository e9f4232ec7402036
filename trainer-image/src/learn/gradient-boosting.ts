/**
 * Gradient boosting with histograms, as LightGBM and scikit-learn's HistGradientBoosting do it: second-order steps, trees grown
 * leaf by leaf on at most 255 bins, the direction of missing values learnt at every split, early stopping on rows held out.
 */
import type { Task } from '@slipway/contract';
import type { Design, OnProgress, Tree, TreeEnsemble } from '../model.ts';
import { binColumns } from './bins.ts';
import { type Loss, logisticLoss, softmaxLoss, squaredError } from './boosting-loss.ts';
import { TreeGrower } from './boosting-tree.ts';
import { layoutOf, packingFor } from './histogram.ts';
import { randomFrom, shuffle } from './random.ts';

export interface BoostingOptions {
  readonly task: Task;
  /** Classes of the target; of no meaning for quantities. */
  readonly classes: number;
  readonly learningRate: number;
  /** Trees; with three and more classes for each of them. */
  readonly maxIterations: number;
  readonly maxLeafNodes: number | null;
  readonly maxDepth: number | null;
  /** Rows that each side of a split must have. */
  readonly minSamplesLeaf: number;
  readonly l2: number;
  /** For values that are not missing: 2 to 255. */
  readonly maxBins: number;
  readonly earlyStopping: boolean;
  /** The share of the rows held out to stop by. */
  readonly validationFraction: number;
  /** Stops when none of so many iterations was better by more than `tol` than the one before them. */
  readonly nIterNoChange: number;
  readonly tol: number;
  readonly seed: number;
  readonly onProgress?: OnProgress;
}

/** Rows to learn from and rows held out, each in ascending order; of classes every one gives the same share. */
function holdOut(
  target: Int32Array | Float64Array,
  options: BoostingOptions,
): { learning: Int32Array; heldOut: Int32Array } {
  const all = Int32Array.from(target, (_, row) => row);
  if (!options.earlyStopping) return { learning: all, heldOut: new Int32Array(0) };
  const random = randomFrom(options.seed);
  const groups =
    options.task === 'classification'
      ? Array.from({ length: options.classes }, (_, id) => all.filter((row) => target[row] === id))
      : [all.slice()];
  const isHeld = new Uint8Array(all.length);
  for (const group of groups) {
    const share = Math.min(Math.round(group.length * options.validationFraction), group.length - 1);
    for (const row of shuffle(group, random).subarray(0, Math.max(share, 0))) isHeld[row] = 1;
  }
  return { learning: all.filter((row) => isHeld[row] === 0), heldOut: all.filter((row) => isHeld[row] === 1) };
}

function lossFor(target: Int32Array | Float64Array, learning: Int32Array, { task, classes }: BoostingOptions): Loss {
  if (task === 'regression') return squaredError(target as Float64Array, learning);
  const ids = target as Int32Array;
  return classes === 2 ? logisticLoss(ids, learning) : softmaxLoss(ids, learning, classes);
}

/** Whether the last losses show no progress. */
function hasStalled(losses: readonly number[], { nIterNoChange, tol }: BoostingOptions): boolean {
  const reference = losses.at(-nIterNoChange - 1);
  return reference !== undefined && losses.slice(-nIterNoChange).every((loss) => loss >= reference - tol);
}

/** Grows trees until there are enough, or the held out rows' loss shows no progress. */
function boost(design: Design, loss: Loss, grower: TreeGrower, judge: Int32Array, options: BoostingOptions): Tree[] {
  const { maxIterations, earlyStopping, onProgress } = options;
  const gradients = new Float32Array(design.rows);
  const seconds = loss.largestSecond === undefined ? undefined : new Float32Array(design.rows);
  const trees: Tree[] = [];
  loss.settle();
  const losses = [loss.meanOver(judge)];
  let stalled = false;
  for (let iteration = 1; iteration <= maxIterations && !stalled; iteration++) {
    for (let k = 0; k < loss.outputs; k++) {
      loss.derivatives(k, gradients, seconds);
      const tree = grower.grow(gradients, seconds, k, (value, rows, start, end) => {
        loss.add(k, value, rows, start, end);
      });
      trees.push(tree);
    }
    loss.settle();
    if (!earlyStopping && !onProgress) continue;
    const now = loss.meanOver(judge);
    losses.push(now);
    stalled = earlyStopping && hasStalled(losses, options);
    const fraction = stalled ? 1 : iteration / maxIterations;
    const metrics = { [earlyStopping ? 'validation_loss' : 'loss']: now };
    onProgress?.({ fraction, message: `iteration ${iteration}`, metrics, step: iteration });
  }
  return trees;
}

/** `target[row]` is a class id or a quantity. Same data, options and seed: the same trees. */
export function fitGradientBoosting(
  design: Design,
  target: Int32Array | Float64Array,
  options: BoostingOptions,
): TreeEnsemble {
  const { learning, heldOut } = holdOut(target, options);
  const loss = lossFor(target, learning, options);
  const layout = layoutOf(binColumns(design, options.maxBins, options.seed));
  const packing = packingFor(learning.length, loss.largestSecond);
  const rules = {
    ...options,
    maxLeafNodes: options.maxLeafNodes ?? Number.POSITIVE_INFINITY,
    maxDepth: options.maxDepth ?? Number.POSITIVE_INFINITY,
  };
  const grower = new TreeGrower(layout, packing, rules, learning, heldOut);
  // With too few rows to hold any out, those learnt from are looked at.
  const stopsBy = heldOut.length > 0 ? heldOut : learning;
  const trees = boost(design, loss, grower, stopsBy, options);
  const { outputs, base, link } = loss;
  return { kind: 'trees', task: options.task, outputs, trees, aggregate: 'sum', base, link };
}
