/** The attributes of the tree operators as trees, whichever of the two ways they are written in. */
import { layOut, MODES, type Splits, type Threshold } from './forest.ts';
import type { GraphNode } from './graph.ts';
import { attributeOf, intOf, textOf } from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';
import { TRANSFORMS, transformOf } from './post-transform.ts';
import { AGGREGATES, type Aggregate, type Ensemble, type Votes } from './tree-ensemble.ts';

interface Leaves {
  readonly from: Int32Array;
  readonly targets: Int32Array;
  readonly weights: Threshold;
}

const NO_INTS = new Float64Array(0);
const ints = (node: GraphNode, name: string): Float64Array => attributeOf(node, name).ints ?? NO_INTS;

/** Numbers that may be float or, in a tensor, double. */
function numbers(node: GraphNode, name: string): Threshold | undefined {
  const tensor = attributeOf(node, `${name}_as_tensor`).tensor ?? attributeOf(node, name).tensor;
  if (!tensor) return attributeOf(node, name).floats;
  if (tensor.type !== 'float32' && tensor.type !== 'float64') throw new NotCompiledError(`trees of ${tensor.type}`);
  return tensor.data as Threshold;
}

const sameLength = (length: number, ...arrays: readonly { readonly length: number }[]): void => {
  if (arrays.some((array) => array.length !== length)) throw new NotCompiledError('its trees do not add up');
};

/** TreeEnsembleClassifier and -Regressor. `inputIsDouble`: rows are compared as doubles. */
export function oldEnsemble(node: GraphNode, votes: 'class' | 'target', inputIsDouble: boolean): Ensemble {
  const trees = ints(node, 'nodes_treeids');
  const ids = ints(node, 'nodes_nodeids');
  const thresholds = numbers(node, 'nodes_values') ?? new Float32Array(0);
  const modes = attributeOf(node, 'nodes_modes').texts ?? [];
  const [yes, no, features] = ['truenodeids', 'falsenodeids', 'featureids'].map((name) =>
    ints(node, `nodes_${name}`),
  ) as [Float64Array, Float64Array, Float64Array];
  sameLength(ids.length, trees, thresholds, modes, yes, no, features);
  const { roots, placeOf } = places(trees, ids);
  const leaves = leavesOf(node, votes, placeOf, ids.length);
  const { numbers: modeNumbers, isLeaf } = modesOf(modes);
  const child = (of: Float64Array): Int32Array => {
    const children = new Int32Array(of.length);
    for (let i = 0; i < children.length; i++) {
      if (isLeaf[i] === 1) continue;
      const place = placeOf(trees[i] as number, of[i] as number);
      children[i] = isLeaf[place] === 1 ? -1 - place : place;
    }
    return children;
  };
  const missing = ints(node, 'nodes_missing_value_tracks_true');
  return assemble(node, {
    splits: {
      modes: modeNumbers,
      features: new Int32Array(features),
      thresholds,
      yes: child(yes),
      no: child(no),
      missingYes: missing.includes(1) ? new Uint8Array(missing) : undefined,
      roots: roots.map((root) => (isLeaf[root] === 1 ? -1 - root : root)),
    },
    leaves,
    targets: votes === 'class' ? 0 : intOf(node, 'n_targets', 1),
    aggregate: aggregateOf(textOf(node, 'aggregate_function', 'SUM')),
    transform: transformOf(textOf(node, 'post_transform', 'NONE')),
    base: numbers(node, 'base_values') ?? new Float32Array(0),
    inputIsDouble,
  });
}

/** What each node asks, as a number, and which are leaves. */
function modesOf(names: readonly string[]) {
  const numbers = new Uint8Array(names.length);
  const isLeaf = new Uint8Array(names.length);
  let [last, mode] = ['', 0];
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    if (name === 'LEAF') isLeaf[i] = 1;
    else {
      if (name !== last) [last, mode] = [name, modeOf(name.replace('BRANCH_', ''))];
      numbers[i] = mode;
    }
  }
  return { numbers, isLeaf };
}

function modeOf(name: string): number {
  const mode = (MODES as readonly string[]).indexOf(name);
  if (mode === -1) throw new NotCompiledError(`its trees ask ${name.slice(0, 40)}`);
  return mode;
}

function aggregateOf(name: string): Aggregate {
  const aggregate = AGGREGATES.find((known) => known === name);
  if (!aggregate) throw new NotCompiledError(`its trees are aggregated by ${name.slice(0, 40)}`);
  return aggregate;
}

/** Where the nodes of each tree lie. Nodes come tree by tree, and are usually numbered as they lie. */
function places(trees: Float64Array, ids: Float64Array) {
  const firstOf = new Map<number, number>();
  let inOrder = true;
  for (let i = 0; i < trees.length; i++) {
    const tree = trees[i] as number;
    if (i > 0 && tree === trees[i - 1]) {
      if (ids[i] !== (ids[i - 1] as number) + 1) inOrder = false;
    } else if (firstOf.has(tree)) inOrder = false;
    else {
      firstOf.set(tree, i);
      if (ids[i] !== 0) inOrder = false;
    }
  }
  const roots = Int32Array.from(firstOf.values());
  return { roots, placeOf: inOrder ? placesInOrder(trees, firstOf) : placesAnywhere(trees, ids) };
}

const looseEnds = (): NotCompiledError => new NotCompiledError('its trees have loose ends');

function placesInOrder(trees: Float64Array, firstOf: ReadonlyMap<number, number>) {
  // Who asks usually asks of the same tree many times.
  let [last, first] = [Number.NaN, -1];
  return (tree: number, id: number): number => {
    if (tree !== last) [last, first] = [tree, firstOf.get(tree) ?? -1];
    const place = first + id;
    if (first === -1 || !(id >= 0) || trees[place] !== tree) throw looseEnds();
    return place;
  };
}

function placesAnywhere(trees: Float64Array, ids: Float64Array) {
  const known = new Map<number, Map<number, number>>();
  for (let i = 0; i < trees.length; i++) {
    const tree = trees[i] as number;
    let own = known.get(tree);
    if (!own) {
      own = new Map();
      known.set(tree, own);
    }
    own.set(ids[i] as number, i);
  }
  return (tree: number, id: number): number => {
    const place = known.get(tree)?.get(id);
    if (place === undefined) throw looseEnds();
    return place;
  };
}

/** The votes sorted by the place of their leaf, each leaf's in the order of the file. */
function leavesOf(
  node: GraphNode,
  votes: 'class' | 'target',
  placeOf: (tree: number, id: number) => number,
  nodes: number,
): Leaves {
  const [trees, ids, given] = ['treeids', 'nodeids', 'ids'].map((name) => ints(node, `${votes}_${name}`)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const said = numbers(node, `${votes}_weights`) ?? new Float32Array(0);
  sameLength(given.length, trees, ids, said);
  const place = new Int32Array(given.length);
  const from = new Int32Array(nodes + 1);
  for (let i = 0; i < place.length; i++) {
    const at = placeOf(trees[i] as number, ids[i] as number);
    place[i] = at;
    from[at + 1] = (from[at + 1] as number) + 1;
  }
  for (let i = 0; i < nodes; i++) from[i + 1] = (from[i + 1] as number) + (from[i] as number);
  const next = from.slice();
  const targets = new Int32Array(given.length);
  const weights = said.slice() as Threshold;
  for (let i = 0; i < place.length; i++) {
    const at = place[i] as number;
    const to = next[at] as number;
    next[at] = to + 1;
    targets[to] = given[i] as number;
    weights[to] = said[i] as number;
  }
  return { from, targets, weights };
}

/** TreeEnsemble. */
export function newEnsemble(node: GraphNode, inputIsDouble: boolean): Ensemble {
  const thresholds = numbers(node, 'nodes_splits') ?? new Float32Array(0);
  const modes = attributeOf(node, 'nodes_modes').tensor?.data as Uint8Array | undefined;
  const [features, yes, no, yesIsLeaf, noIsLeaf] = [
    'featureids',
    'truenodeids',
    'falsenodeids',
    'trueleafs',
    'falseleafs',
  ].map((name) => ints(node, `nodes_${name}`)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  if (!modes || attributeOf(node, 'membership_values').tensor) throw new NotCompiledError('its trees ask for sets');
  sameLength(features.length, thresholds, modes, yes, no, yesIsLeaf, noIsLeaf);
  if (modes.some((mode) => mode >= MODES.length)) throw new NotCompiledError('its trees ask for sets');
  const targets = new Int32Array(ints(node, 'leaf_targetids'));
  const weights = numbers(node, 'leaf_weights') ?? new Float32Array(0);
  sameLength(targets.length, weights);
  const child = (of: Float64Array, isLeaf: Float64Array): Int32Array => {
    const children = new Int32Array(of.length);
    for (let i = 0; i < children.length; i++) {
      const id = of[i] as number;
      if (!(id >= 0 && id < (isLeaf[i] === 0 ? features : targets).length)) throw looseEnds();
      children[i] = isLeaf[i] === 0 ? id : -1 - id;
    }
    return children;
  };
  const missing = ints(node, 'nodes_missing_value_tracks_true');
  const roots = Int32Array.from(ints(node, 'tree_roots'));
  if (roots.some((root) => root < 0 || root >= features.length)) throw looseEnds();
  const transform = TRANSFORMS[intOf(node, 'post_transform', 0)];
  const aggregate = AGGREGATES[intOf(node, 'aggregate_function', 1)];
  if (!transform || !aggregate) throw new NotCompiledError('its trees end in a transformation that is not known');
  return assemble(node, {
    splits: {
      modes: new Uint8Array(modes),
      features: new Int32Array(features),
      thresholds,
      yes: child(yes, yesIsLeaf),
      no: child(no, noIsLeaf),
      missingYes: missing.includes(1) ? new Uint8Array(missing) : undefined,
      roots,
    },
    leaves: { from: counting(targets.length + 1), targets, weights },
    targets: intOf(node, 'n_targets', 1),
    aggregate,
    transform,
    base: new Float32Array(0),
    inputIsDouble,
  });
}

function counting(length: number): Int32Array {
  const numbers = new Int32Array(length);
  for (let i = 0; i < length; i++) numbers[i] = i;
  return numbers;
}

interface Parts extends Pick<Ensemble, 'targets' | 'aggregate' | 'transform' | 'base'> {
  readonly splits: Splits;
  readonly leaves: Leaves;
  readonly inputIsDouble: boolean;
}

/** A float holds the numbers of leaves up to here. */
const MAX_LEAVES = 2 ** 24;

function assemble(node: GraphNode, parts: Parts): Ensemble {
  const { splits, leaves, base, aggregate } = parts;
  const labels = attributeOf(node, 'classlabels_strings').texts ?? attributeOf(node, 'classlabels_int64s').ints;
  const targets = parts.targets === 0 ? (labels?.length ?? 0) : parts.targets;
  if (splits.roots.length === 0 || targets < 1) throw new NotCompiledError('it has an operator without trees');
  if (leaves.targets.some((target) => target < 0 || target >= targets) || leaves.from.length > MAX_LEAVES) {
    throw looseEnds();
  }
  if (splits.features.some((feature) => feature < 0)) throw new NotCompiledError('its trees ask for no feature');
  const isDouble = splits.thresholds instanceof Float64Array;
  const votes = votesOf(splits, leaves, targets, aggregate);
  const values = (length: number): Threshold =>
    isDouble || parts.inputIsDouble ? new Float64Array(length) : new Float32Array(length);
  const leafValue =
    votes.kind === 'single'
      ? (leaf: number) => leaves.weights[leaves.from[leaf] as number] as number
      : (leaf: number) => leaf;
  return {
    layout: layOut(splits, leafValue, values),
    votes,
    targets,
    aggregate,
    transform: parts.transform,
    base,
    isDouble,
    voted: votedFor(leaves.targets, targets),
    hasNegative: leaves.weights.some((weight) => weight < 0),
  };
}

function votedFor(votes: Int32Array, targets: number): ReadonlySet<number> {
  const voted = new Set<number>();
  for (let i = 0; i < votes.length && voted.size < targets; i++) voted.add(votes[i] as number);
  return voted;
}

function votesOf(splits: Splits, leaves: Leaves, targets: number, aggregate: Aggregate): Votes {
  const sparse: Votes = { kind: 'sparse', ...leaves };
  if (aggregate === 'MIN' || aggregate === 'MAX') return sparse;
  const targetOf = singleTargets(splits, leaves);
  if (targetOf) return { kind: 'single', targetOf };
  return targets > 1 ? (denseTable(splits, leaves, targets) ?? sparse) : sparse;
}

/** Calls `visit` for the leaves of a tree; true when it said so for all. */
function everyLeaf({ yes, no }: Splits, root: number, visit: (leaf: number) => boolean): boolean {
  const stack = [root];
  for (let steps = 0; stack.length > 0; steps++) {
    if (steps > 2 * yes.length + 2) throw new NotCompiledError('it has trees that share nodes');
    const at = stack.pop() as number;
    if (at < 0) {
      if (!visit(-1 - at)) return false;
    } else stack.push(yes[at] as number, no[at] as number);
  }
  return true;
}

function singleTargets(splits: Splits, { from, targets }: Leaves): Int32Array | undefined {
  const targetOf = new Int32Array(splits.roots.length);
  const isSingle = splits.roots.every((root, tree) => {
    let own = -1;
    const isOne = everyLeaf(splits, root, (leaf) => {
      const at = from[leaf] as number;
      if ((from[leaf + 1] as number) - at !== 1) return false;
      if (own === -1) own = targets[at] as number;
      return targets[at] === own;
    });
    targetOf[tree] = own;
    return isOne;
  });
  return isSingle ? targetOf : undefined;
}

/** A table with a row for every leaf, where each leaf votes once for every target, in their order or not. */
function denseTable(splits: Splits, { from, targets, weights }: Leaves, width: number): Votes | undefined {
  const rows = from.length - 1;
  const table = weights instanceof Float64Array ? new Float64Array(rows * width) : new Float32Array(rows * width);
  const seen = new Int32Array(width).fill(-1);
  const isDense = splits.roots.every((root) =>
    everyLeaf(splits, root, (leaf) => {
      const [at, end] = [from[leaf] as number, from[leaf + 1] as number];
      if (end - at !== width) return false;
      for (let i = at; i < end; i++) {
        const target = targets[i] as number;
        if (seen[target] === leaf) return false;
        seen[target] = leaf;
        table[leaf * width + target] = weights[i] as number;
      }
      return true;
    }),
  );
  return isDense ? { kind: 'dense', table } : undefined;
}
