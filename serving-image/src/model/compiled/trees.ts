/** The tree operators as kernels. Sums are formed in the order and with the rounding of the runtime, so ties stay ties. */
import type { Tensor, TensorData } from '../tensor.ts';
import type { Layout, Threshold } from './forest.ts';
import type { GraphNode } from './graph.ts';
import { attributeOf, given, type Kernel, type MakeKernel, matrixOf } from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';
import { logistic, transform } from './post-transform.ts';
import type { Aggregate, Ensemble } from './tree-ensemble.ts';
import { type Rows, walkRows, walkTrees } from './walk.ts';

/** Rows whose columns are walked over tree by tree: what they take should stay in the processor's cache. */
const BLOCK_BYTES = 256 * 1024;
const MAX_BLOCK = 1024;
/** Fewer rows than this are walked one by one, over four trees at a time. */
const MIN_TOGETHER = 4;

/** The raw sums of all rows, row by row, and where the leaves of a row said nothing of a target. */
export interface Sums {
  readonly scores: Threshold;
  /** Undefined: every target with votes got one in every row. */
  readonly said: Uint8Array | undefined;
}

export type SumTrees = (input: Tensor) => Sums;

/** Sums up what trees say. The result's room is used again by the next call. */
export function sumTrees({ layout, votes, targets, aggregate, isDouble }: Ensemble): SumTrees {
  const { columns, roots } = layout;
  const stride = columns.length + 1;
  const asDouble = layout.values instanceof Float64Array;
  const array = (length: number): Threshold => (asDouble ? new Float64Array(length) : new Float32Array(length));
  const block = Math.max(MIN_TOGETHER, Math.min(MAX_BLOCK, Math.floor(BLOCK_BYTES / (stride * (asDouble ? 8 : 4)))));
  const least = Math.max(0, ...columns.map(({ feature }) => feature + 1));
  const copy = copier(layout);
  const perTree = array(roots.length);
  let walked: { rows: Rows; perRow: Threshold } = { rows: array(stride), perRow: array(1) };
  const kept = reusable(isDouble);
  const walkBlock = (add: Adder, from: number, count: number): void => {
    if (count < MIN_TOGETHER) {
      for (let row = 0; row < count; row++) {
        walkTrees(layout, walked.rows, row * stride, perTree);
        add.row(from + row, perTree);
      }
      return;
    }
    const span = { rows: walked.rows, stride, count };
    for (let tree = 0; tree < roots.length; tree++) {
      walkRows(layout, roots[tree] as number, span, walked.perRow);
      add.tree(tree, from, count, walked.perRow);
    }
  };
  return (input) => {
    const { rows, columns: width } = matrixOf(input);
    if (width < least) throw new Error(`the trees ask for ${least} columns, got ${width}`);
    const scores = kept.scores(rows * targets);
    const said = votes.kind === 'sparse' ? kept.said(rows * targets) : undefined;
    const size = Math.min(rows, block);
    if (walked.perRow.length < size) walked = { rows: array(size * stride), perRow: array(size) };
    const add = adder({ votes, targets, aggregate }, scores, said);
    for (let from = 0; from < rows; from += block) {
      const count = Math.min(block, rows - from);
      copy(input.data, { from, count, width }, walked.rows);
      walkBlock(add, from, count);
    }
    return { scores, said };
  };
}

/** Zeroed room that is kept for the next call of the same size. */
function reusable(isDouble: boolean) {
  let scores: Threshold = new Float32Array(0);
  let said = new Uint8Array(0);
  return {
    scores: (length: number): Threshold => {
      if (scores.length === length) scores.fill(0);
      else scores = isDouble ? new Float64Array(length) : new Float32Array(length);
      return scores;
    },
    said: (length: number): Uint8Array => {
      if (said.length === length) said.fill(0);
      else said = new Uint8Array(length);
      return said;
    },
  };
}

interface Span {
  readonly from: number;
  readonly count: number;
  readonly width: number;
}

/** Copies what the trees ask for, with NaN in column 0. */
function copier({ columns }: Layout): (data: TensorData, span: Span, into: Rows) => void {
  const features = Int32Array.from(columns, ({ feature }) => feature);
  const isLeast = Uint8Array.from(columns, ({ missingIsLeast }) => (missingIsLeast ? 1 : 0));
  const fill = (data: Float32Array | Float64Array, { from, count, width }: Span, into: Rows): void => {
    let to = 0;
    for (let row = 0; row < count; row++) {
      const at = (from + row) * width;
      into[to++] = Number.NaN;
      for (let column = 0; column < features.length; column++) {
        const value = data[at + (features[column] as number)] as number;
        into[to++] = isLeast[column] === 1 && Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
      }
    }
  };
  return (data, span, into) => {
    if (data instanceof Float32Array || data instanceof Float64Array) fill(data, span, into);
    else if (Array.isArray(data)) throw new NotCompiledError('its trees compare texts');
    else fill(Float32Array.from(data as BigInt64Array, Number), span, into);
  };
}

interface Adder {
  /** What all trees say of one row. */
  row(row: number, said: Threshold): void;
  /** What one tree says of rows. */
  tree(tree: number, from: number, count: number, said: Threshold): void;
}

function adder(
  { votes, targets, aggregate }: Pick<Ensemble, 'votes' | 'targets' | 'aggregate'>,
  scores: Threshold,
  said: Uint8Array | undefined,
): Adder {
  if (votes.kind === 'single') {
    const { targetOf } = votes;
    return {
      row: (row, values) => addSingles(scores, row * targets, targetOf, values),
      tree: (tree, from, count, values) => {
        let at = from * targets + (targetOf[tree] as number);
        for (let i = 0; i < count; i++, at += targets) scores[at] = (scores[at] as number) + (values[i] as number);
      },
    };
  }
  if (votes.kind === 'dense') {
    const { table } = votes;
    return {
      row: (row, leaves) => addDense(scores, row * targets, table, targets, leaves),
      tree: (_, from, count, leaves) => {
        for (let i = 0, at = from * targets; i < count; i++) {
          const end = at + targets;
          for (let place = (leaves[i] as number) * targets; at < end; at++, place++) {
            scores[at] = (scores[at] as number) + (table[place] as number);
          }
        }
      },
    };
  }
  const { from: start, targets: ids, weights } = votes;
  const combine = COMBINE[aggregate];
  return eachLeaf((row, leaf) => {
    const end = start[leaf + 1] as number;
    for (let i = start[leaf] as number; i < end; i++) {
      const at = row * targets + (ids[i] as number);
      const isFirst = said?.[at] !== 1;
      scores[at] = isFirst ? (weights[i] as number) : combine(scores[at] as number, weights[i] as number);
      if (said) said[at] = 1;
    }
  });
}

const add = (score: number, weight: number): number => score + weight;
const COMBINE: Readonly<Record<Aggregate, (score: number, weight: number) => number>> = {
  SUM: add,
  AVERAGE: add,
  MIN: (score, weight) => Math.min(weight, score),
  MAX: (score, weight) => Math.max(weight, score),
};

const eachLeaf = (one: (row: number, leaf: number) => void): Adder => ({
  row: (row, leaves) => {
    for (let tree = 0; tree < leaves.length; tree++) one(row, leaves[tree] as number);
  },
  tree: (_, from, count, leaves) => {
    for (let i = 0; i < count; i++) one(from + i, leaves[i] as number);
  },
});

function addDense(scores: Threshold, at: number, table: Threshold, targets: number, leaves: Threshold): void {
  if (targets === 3) {
    addThree(scores, at, table, leaves);
    return;
  }
  for (let tree = 0; tree < leaves.length; tree++) {
    const from = (leaves[tree] as number) * targets;
    for (let k = 0; k < targets; k++) scores[at + k] = (scores[at + k] as number) + (table[from + k] as number);
  }
}

function addThree(scores: Threshold, at: number, table: Threshold, leaves: Threshold): void {
  for (let tree = 0; tree < leaves.length; tree++) {
    const from = (leaves[tree] as number) * 3;
    scores[at] = (scores[at] as number) + (table[from] as number);
    scores[at + 1] = (scores[at + 1] as number) + (table[from + 1] as number);
    scores[at + 2] = (scores[at + 2] as number) + (table[from + 2] as number);
  }
}

function addSingles(scores: Threshold, at: number, targetOf: Int32Array, values: Threshold): void {
  for (let tree = 0; tree < targetOf.length; tree++) {
    const to = at + (targetOf[tree] as number);
    scores[to] = (scores[to] as number) + (values[tree] as number);
  }
}

/** Compares as the runtime does: rows of doubles as doubles. */
const isDoubleInput = (type: Tensor['type']): boolean => type === 'float64';

/** The trees of a prepared node. */
function treesOf({ trees }: GraphNode): Ensemble {
  if (!trees) throw new NotCompiledError('its trees were not laid out');
  return trees;
}

/** The kernel for rows of the type that the trees were laid out for. */
function forItsType({ layout, isDouble }: Ensemble, kernel: Kernel): Kernel {
  const takesDoubles = layout.values instanceof Float64Array;
  // Trees of doubles compare any row as doubles.
  const takesSingles = !takesDoubles || isDouble;
  return (inputs, room) => {
    if (!(isDoubleInput(given(inputs).type) ? takesDoubles : takesSingles)) {
      throw new NotCompiledError('its trees were laid out for rows of another type');
    }
    return kernel(inputs, room);
  };
}

function regress(ensemble: Ensemble, type: 'float32' | 'float64' = 'float32'): Kernel {
  const { targets, aggregate, base, isDouble, layout, transform: post } = ensemble;
  const sums = sumTrees(ensemble);
  const trees = layout.roots.length;
  const row = isDouble ? new Float64Array(targets) : new Float32Array(targets);
  const hasBase = base.length === targets;
  const divisor = aggregate === 'AVERAGE' ? trees : 1;
  return (inputs, room) => {
    const { scores } = sums(given(inputs));
    const out = room(type, scores.length) as Float64Array;
    for (let at = 0; at < scores.length; at += targets) {
      for (let k = 0; k < targets; k++) {
        row[k] = (scores[at + k] as number) / divisor;
        if (hasBase) row[k] = (row[k] as number) + (base[k] as number);
      }
      // The runtime transforms tables only.
      if (targets > 1) transform(post, row, 0, targets);
      for (let k = 0; k < targets; k++) out[at + k] = row[k] as number;
    }
    return [{ type, dims: [scores.length / targets, targets], data: out }];
  };
}

export const treeRegressor: MakeKernel = (node) => forItsType(treesOf(node), regress(treesOf(node)));

/** Of rows of doubles the sums are given as doubles. */
export const treeEnsemble: MakeKernel = (node) => {
  const trees = treesOf(node);
  const [single, double] = [regress(trees), regress(trees, 'float64')];
  return forItsType(trees, (inputs, room) =>
    isDoubleInput(given(inputs).type) ? double(inputs, room) : single(inputs, room),
  );
};

/** A classifier's labels: how many, of what type, and how the one at a position is put out. */
export interface Labels {
  readonly count: number;
  readonly type: 'string' | 'int64';
  readonly all: readonly (string | bigint)[];
}

/** The labels under either of two attributes. */
export function labelsOf(node: GraphNode, names: { readonly texts: string; readonly ints: string }): Labels {
  const texts = attributeOf(node, names.texts).texts;
  const all = texts ?? Array.from(attributeOf(node, names.ints).ints ?? [], BigInt);
  return { count: all.length, type: texts ? 'string' : 'int64', all };
}

export const treeClassifier: MakeKernel = (node) => forItsType(treesOf(node), classify(node, treesOf(node)));

function classify(node: GraphNode, ensemble: Ensemble): Kernel {
  const { targets, isDouble } = ensemble;
  const labels = labelsOf(node, { texts: 'classlabels_strings', ints: 'classlabels_int64s' });
  if (targets < 2 || ensemble.aggregate !== 'SUM') throw new NotCompiledError('it has a classifier of one class');
  const sums = sumTrees(ensemble);
  const scores = isDouble ? new Float64Array(targets) : new Float32Array(targets);
  const has = new Uint8Array(targets);
  const voted = Uint8Array.from(has, (_, k) => (ensemble.voted.has(k) ? 1 : 0));
  // Where both of two classes are voted for, the runtime puts out their positions, not the numbers they are called by.
  const isNumbered = targets === 2 && ensemble.voted.size === 2 && labels.type === 'int64';
  const put = isNumbered ? [0n, 1n] : labels.all;
  const finish = targets > 2 ? finishMany(ensemble, scores, has) : finishTwo(ensemble, scores, has);
  return (inputs, room) => {
    const { scores: all, said } = sums(given(inputs));
    const rows = all.length / targets;
    const table = room('float32', all.length) as Float32Array;
    const ids = room(labels.type, rows);
    for (let row = 0; row < rows; row++) {
      const at = row * targets;
      for (let k = 0; k < targets; k++) {
        scores[k] = all[at + k] as number;
        has[k] = (said?.[at + k] ?? voted[k]) as number;
      }
      ids[row] = put[finish()] as never;
      for (let k = 0; k < targets; k++) table[at + k] = scores[k] as number;
    }
    return [
      { type: labels.type, dims: [rows], data: ids },
      { type: 'float32', dims: [rows, targets], data: table },
    ];
  };
}

/** Of more than two classes: the best score's, before the transformation. Changes `scores`. */
function finishMany({ base, targets, transform: post }: Ensemble, scores: Threshold, has: Uint8Array): () => number {
  if (base.length !== 0 && base.length !== targets) throw new NotCompiledError('its base values do not add up');
  return () => {
    for (let k = 0; k < base.length; k++) {
      scores[k] = (scores[k] as number) + (base[k] as number);
      has[k] = 1;
    }
    const best = bestOf(scores, has);
    if (best === -1) throw new NotCompiledError('its trees vote for no class');
    transform(post, scores, 0, targets);
    return best;
  };
}

/** The first of the highest scores among those that are there. */
function bestOf(scores: Threshold, has: Uint8Array): number {
  let best = -1;
  for (let k = 0; k < scores.length; k++) {
    if (has[k] === 1 && (best === -1 || (scores[k] as number) > (scores[best] as number))) best = k;
  }
  return best;
}

/** Of two classes: trees often vote for one of them alone, and the other one's score is made from it. */
function finishTwo(
  { base, voted, hasNegative, transform: post }: Ensemble,
  scores: Threshold,
  has: Uint8Array,
): () => number {
  const isBinary = voted.size === 1;
  const bound = isBinary && !hasNegative ? 0.5 : 0;
  const pair = (score: number): void => {
    const isLogistic = post === 'LOGISTIC';
    scores[1] = isLogistic ? logistic(score) : score;
    if (isLogistic) scores[0] = logistic(-score);
    else scores[0] = hasNegative ? -score : 1 - (scores[1] as number);
  };
  const addBase = (isAlone: boolean): void => {
    if (base.length === 2 && !isAlone) {
      scores[1] = (base[1] as number) + (scores[0] as number);
      scores[0] = -(scores[1] as number);
    } else if (base.length > 0) scores[0] = (scores[0] as number) + (base[0] as number);
    if (base.length === 2 && isAlone) scores[1] = (scores[1] as number) + (base[1] as number);
  };
  return () => {
    const isAlone = has[1] !== 1;
    addBase(isAlone);
    const score = (has[1] === 1 ? scores[1] : scores[0]) as number;
    const isPositive = score > bound;
    if (isAlone && base.length < 2) pair(scores[0] as number);
    else transform(post, scores, 0, 2);
    return isPositive ? 1 : 0;
  };
}
