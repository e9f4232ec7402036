/** The attributes of the tree operators as trees, whichever of the two ways they are written in. */
import { type Layout, layOut, MODES, type Splits, type Threshold } from './forest.ts';
import { type GraphNode, NotCompiledError } from './graph.ts';
import { attributeOf, intOf, textOf } from './kernel.ts';
import { TRANSFORMS, type Transform, transformOf } from './post-transform.ts';

export const AGGREGATES = ['AVERAGE', 'SUM', 'MIN', 'MAX'] as const;
export type Aggregate = (typeof AGGREGATES)[number];

/** What the leaves say: to which targets what is added. */
export type Votes =
  /** Every leaf of a tree adds one number to the tree's own target; its value is that number. */
  | { readonly kind: 'single'; readonly targetOf: Int32Array }
  /** Every leaf adds to all targets; its value is the row of a table. */
  | { readonly kind: 'dense'; readonly table: Threshold }
  /** Leaf `i` adds `weights` to `targets`, both from `from[i]` to `from[i + 1]`; its value is `i`. */
  | { readonly kind: 'sparse'; readonly from: Int32Array; readonly targets: Int32Array; readonly weights: Threshold };

export interface Ensemble {
  readonly layout: Layout;
  readonly votes: Votes;
  readonly targets: number;
  readonly aggregate: Aggregate;
  readonly transform: Transform;
  readonly base: Threshold;
  /** Sums are formed in double precision. */
  readonly isDouble: boolean;
  /** Classes that any leaf votes for, and whether any vote is negative. */
  readonly voted: ReadonlySet<number>;
  readonly hasNegative: boolean;
}

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
  const isLeaf = Uint8Array.from(modes, (mode) => (mode === 'LEAF' ? 1 : 0));
  const child = (of: Float64Array) =>
    Int32Array.from(of, (id, i) => {
      if (isLeaf[i] === 1) return 0;
      const place = placeOf(trees[i] as number, id);
      return isLeaf[place] === 1 ? -1 - place : place;
    });
  const missing = ints(node, 'nodes_missing_value_tracks_true');
  return assemble(node, {
    splits: {
      modes: Uint8Array.from(modes, (mode, i) => (isLeaf[i] === 1 ? 0 : modeOf(mode.replace('BRANCH_', '')))),
      features: Int32Array.from(features),
      thresholds,
      yes: child(yes),
      no: child(no),
      missingYes: missing.includes(1) ? Uint8Array.from(missing) : undefined,
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
  const inOrder = trees.every((tree, i) => {
    if (!firstOf.has(tree)) firstOf.set(tree, i);
    return (
      ids[i] === i - (firstOf.get(tree) as number) && (i === 0 || trees[i - 1] === tree || firstOf.get(tree) === i)
    );
  });
  const roots = Int32Array.from(firstOf.values());
  if (inOrder) {
    const placeOf = (tree: number, id: number): number => {
      const place = (firstOf.get(tree) ?? -1) + id;
      if (trees[place] !== tree || ids[place] !== id) throw new NotCompiledError('its trees have loose ends');
      return place;
    };
    return { roots, placeOf };
  }
  const known = new Map<number, Map<number, number>>();
  trees.forEach((tree, i) => {
    if (!known.has(tree)) known.set(tree, new Map());
    known.get(tree)?.set(ids[i] as number, i);
  });
  const placeOf = (tree: number, id: number): number => {
    const place = known.get(tree)?.get(id);
    if (place === undefined) throw new NotCompiledError('its trees have loose ends');
    return place;
  };
  return { roots, placeOf };
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
  const place = Int32Array.from(given, (_, i) => placeOf(trees[i] as number, ids[i] as number));
  const from = new Int32Array(nodes + 1);
  for (const at of place) from[at + 1] = (from[at + 1] as number) + 1;
  for (let i = 0; i < nodes; i++) from[i + 1] = (from[i + 1] as number) + (from[i] as number);
  const next = from.slice();
  const targets = new Int32Array(given.length);
  const weights = said.slice() as Threshold;
  place.forEach((at, i) => {
    const to = next[at] as number;
    next[at] = to + 1;
    targets[to] = given[i] as number;
    weights[to] = said[i] as number;
  });
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
  const targets = Int32Array.from(ints(node, 'leaf_targetids'));
  const weights = numbers(node, 'leaf_weights') ?? new Float32Array(0);
  sameLength(targets.length, weights);
  const child = (of: Float64Array, isLeaf: Float64Array) =>
    Int32Array.from(of, (id, i) => {
      if (!(id >= 0 && id < (isLeaf[i] === 0 ? features : targets).length)) {
        throw new NotCompiledError('its trees have loose ends');
      }
      return isLeaf[i] === 0 ? id : -1 - id;
    });
  const missing = ints(node, 'nodes_missing_value_tracks_true');
  const roots = Int32Array.from(ints(node, 'tree_roots'));
  if (roots.some((root) => root < 0 || root >= features.length))
    throw new NotCompiledError('its trees have loose ends');
  const transform = TRANSFORMS[intOf(node, 'post_transform', 0)];
  const aggregate = AGGREGATES[intOf(node, 'aggregate_function', 1)];
  if (!transform || !aggregate) throw new NotCompiledError('its trees end in a transformation that is not known');
  return assemble(node, {
    splits: {
      modes: Uint8Array.from(modes),
      features: Int32Array.from(features),
      thresholds,
      yes: child(yes, yesIsLeaf),
      no: child(no, noIsLeaf),
      missingYes: missing.includes(1) ? Uint8Array.from(missing) : undefined,
      roots,
    },
    leaves: { from: Int32Array.from({ length: targets.length + 1 }, (_, i) => i), targets, weights },
    targets: intOf(node, 'n_targets', 1),
    aggregate,
    transform,
    base: new Float32Array(0),
    inputIsDouble,
  });
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
    throw new NotCompiledError('its trees have loose ends');
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
    voted: new Set(leaves.targets),
    hasNegative: leaves.weights.some((weight) => weight < 0),
  };
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
