/**
 * Trees as ONNX's TreeEnsemble (ai.onnx.ml 5), which takes about half the memory of TreeEnsembleClassifier and
 * -Regressor to load. One of its leaves adds one number to one target, so forests of three classes and more let every
 * tree tell the row of a table of class shares instead.
 */
import { FailureError } from '../failure.ts';
import type { Tree, TreeEnsemble } from '../model.ts';
import { attribute, byteTensor, floatTensor, type Graph, INT32 } from './graph.ts';
import { type Leaf, treeArrays } from './tree-arrays.ts';

const AGGREGATE = { mean: 0, sum: 1 } as const;

interface Ensemble {
  readonly trees: readonly Tree[];
  readonly targets: number;
  readonly aggregate: keyof typeof AGGREGATE;
  readonly leafOf: (tree: number, node: number) => Leaf;
}

/** float [N, targets], as the tensor `output` if that is given. */
function addEnsemble(
  graph: Graph,
  design: string,
  { trees, targets, aggregate, leafOf }: Ensemble,
  output = graph.fresh('trees'),
): string {
  const arrays = treeArrays(trees, leafOf);
  const splits = arrays.features.length;
  return graph.addMl('TreeEnsemble', {
    inputs: [design],
    outputs: [output],
    attributes: {
      aggregate_function: attribute.int(AGGREGATE[aggregate]),
      n_targets: attribute.int(targets),
      tree_roots: attribute.ints(arrays.roots),
      nodes_featureids: attribute.ints(arrays.features),
      // 0: at most the threshold.
      nodes_modes: attribute.tensor(byteTensor(splits, 0)),
      nodes_splits: attribute.tensor(floatTensor([splits], arrays.thresholds)),
      nodes_truenodeids: attribute.ints(arrays.trueIds),
      nodes_falsenodeids: attribute.ints(arrays.falseIds),
      nodes_trueleafs: attribute.ints(arrays.trueIsLeaf),
      nodes_falseleafs: attribute.ints(arrays.falseIsLeaf),
      ...(arrays.missingTrue && { nodes_missing_value_tracks_true: attribute.ints(arrays.missingTrue) }),
      leaf_targetids: attribute.ints(arrays.leafTargets),
      leaf_weights: attribute.tensor(floatTensor([arrays.leafWeights.length], arrays.leafWeights)),
    },
  });
}

const leafValue = (tree: Tree, node: number, k = 0): number => tree.values[node * tree.width + k] as number;

/**
 * float [N, model.outputs] before the link, as the tensor `output` if that is given. With `isPair` of two shares that add up
 * to one the second class's alone.
 */
function addRaw(
  graph: Graph,
  design: string,
  model: TreeEnsemble,
  { isPair = false, output }: { readonly isPair?: boolean; readonly output?: string },
): string {
  const { trees, outputs, aggregate } = model;
  const at = (tree: number) => trees[tree] as Tree;
  if (isPair) {
    const leafOf = (t: number, node: number) => ({ target: 0, weight: leafValue(at(t), node, 1) });
    return addEnsemble(graph, design, { trees, targets: 1, aggregate, leafOf });
  }
  const isSingle = trees.every(({ width }) => width === 1);
  const centre = isSingle && aggregate === 'mean' && outputs === 1 ? centreOf(trees) : 0;
  const base = Array.from(model.base, (value) => value + centre);
  const hasBase = base.some((value) => value !== 0);
  const direct = hasBase ? undefined : output;
  const leafOf = (t: number, node: number) => ({ target: at(t).output, weight: leafValue(at(t), node) - centre });
  const raw = isSingle
    ? addEnsemble(graph, design, { trees, targets: outputs, aggregate, leafOf }, direct)
    : addTable(graph, design, model, direct);
  if (!hasBase) return raw;
  const constant = graph.constant('base', [1, base.length], base);
  return graph.add('Add', { inputs: [raw, constant], outputs: [output ?? graph.fresh('raw')] });
}

/** Every leaf gives shares of two classes, which add up to one. */
const isPairOfShares = ({ trees, aggregate, link, base }: TreeEnsemble): boolean =>
  trees.every(({ width }) => width === 2) &&
  aggregate === 'mean' &&
  link === 'identity' &&
  base.every((value) => value === 0);

/** A number near all leaves: what is averaged is the small rest, so that a long sum in float32 loses no digits. */
function centreOf(trees: readonly Tree[]): number {
  let [sum, count] = [0, 0];
  for (const tree of trees) {
    for (let node = 0; node < tree.feature.length; node++) {
      if (tree.feature[node] !== -1) continue;
      sum += leafValue(tree, node);
      count++;
    }
  }
  return Math.fround(sum / count);
}

/** Every tree gives the row of a table with one share for every class; the rows are looked up and averaged or added. */
function addTable(
  graph: Graph,
  design: string,
  { trees, outputs, aggregate }: TreeEnsemble,
  output = graph.fresh('raw'),
): string {
  const table = createTable(outputs);
  const leafOf = (t: number, node: number) => ({ target: t, weight: table.rowOf(trees[t] as Tree, node) });
  const rows = addEnsemble(graph, design, { trees, targets: trees.length, aggregate: 'sum', leafOf });
  const indices = graph.add('Cast', {
    inputs: [rows],
    outputs: [graph.fresh('rows')],
    attributes: { to: attribute.int(INT32) },
  });
  const values = table.values();
  const shares = graph.add('Gather', {
    inputs: [graph.constant('shares', [values.length / outputs, outputs], values), indices],
    outputs: [graph.fresh('tree_shares')],
    attributes: { axis: attribute.int(0) },
  });
  if (aggregate === 'mean') {
    return graph.add('ReduceMean', {
      inputs: [shares],
      outputs: [output],
      attributes: { axes: attribute.ints([1]), keepdims: attribute.int(0) },
    });
  }
  return graph.add('ReduceSum', {
    inputs: [shares, graph.indices('trees_axis', [1])],
    outputs: [output],
    attributes: { keepdims: attribute.int(0) },
  });
}

/** A row's number goes through float32, which counts no further. */
const MOST_ROWS = 2 ** 24;

/** Different rows of shares, each kept once; they are known by their bytes. */
function createTable(width: number) {
  const rows: number[] = [];
  const known = new Map<string, number>();
  return {
    rowOf(tree: Tree, node: number): number {
      const values = tree.values.subarray(node * width, (node + 1) * width);
      const key = Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('latin1');
      const found = known.get(key);
      if (found !== undefined) return found;
      const row = rows.length / width;
      if (row >= MOST_ROWS) {
        throw new FailureError(
          'InvalidParameter',
          `the trees have more than ${MOST_ROWS} different leaves: lower n_estimators or max_depth, or raise min_samples_leaf`,
        );
      }
      known.set(key, row);
      for (const value of values) rows.push(value);
      return row;
    },
    values: (): readonly number[] => rows,
  };
}

/** The quantity, as the output of that name. */
export function addTreeRegressor(graph: Graph, design: string, model: TreeEnsemble, output: string): void {
  addRaw(graph, design, model, { output });
}

/** Class and probabilities, as the outputs of those names. Of equally probable classes the first one is the label. */
export function addTreeClassifier(
  graph: Graph,
  design: string,
  model: TreeEnsemble,
  [label, probabilities]: readonly [label: string, probabilities: string],
): void {
  if (model.link === 'softmax') {
    const scores = addRaw(graph, design, model, {});
    graph.add('Softmax', { inputs: [scores], outputs: [probabilities], attributes: { axis: attribute.int(1) } });
  } else if (model.link === 'logistic') {
    // Of both signs, so that neither class's probability is what rounding leaves of 1.
    const second = addRaw(graph, design, model, {});
    const first = graph.add('Neg', { inputs: [second], outputs: [graph.fresh('first')] });
    const both = addPair(graph, first, second, graph.fresh('scores'));
    graph.add('Sigmoid', { inputs: [both], outputs: [probabilities] });
  } else if (isPairOfShares(model)) {
    const second = addRaw(graph, design, model, { isPair: true });
    const one = graph.constant('one', [1, 1], [1]);
    const first = graph.add('Sub', { inputs: [one, second], outputs: [graph.fresh('first')] });
    addPair(graph, first, second, probabilities);
  } else {
    addRaw(graph, design, model, { output: probabilities });
  }
  graph.add('ArgMax', {
    inputs: [probabilities],
    outputs: [label],
    attributes: { axis: attribute.int(1), keepdims: attribute.int(0) },
  });
}

const addPair = (graph: Graph, first: string, second: string, output: string): string =>
  graph.add('Concat', { inputs: [first, second], outputs: [output], attributes: { axis: attribute.int(1) } });
