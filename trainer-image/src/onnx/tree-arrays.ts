/** Many trees as the arrays of ONNX's TreeEnsemble: splits and leaves apart, each numbered through all trees. */
import type { Tree } from '../model.ts';

/** What a leaf adds, and to which target. */
export interface Leaf {
  readonly target: number;
  readonly weight: number;
}

export interface TreeArrays {
  readonly roots: Int32Array;
  /** By split: a row goes the `true` way when its value is at most the threshold. */
  readonly features: Int32Array;
  readonly thresholds: Float32Array;
  readonly trueIds: Int32Array;
  readonly falseIds: Int32Array;
  /** 1: the id is that of a leaf, not of a split. */
  readonly trueIsLeaf: Uint8Array;
  readonly falseIsLeaf: Uint8Array;
  /** 1: a missing value goes the `true` way. Undefined: none does. */
  readonly missingTrue: Uint8Array | undefined;
  readonly leafTargets: Int32Array;
  readonly leafWeights: Float32Array;
}

const isLeaf = (tree: Tree, node: number): boolean => tree.feature[node] === -1;

/** A tree that is one leaf is written as one split both of whose branches are that leaf. */
const splitsOf = (tree: Tree): number => Math.max(1, (tree.feature.length - 1) / 2);

/** Leaves that say the same are written once; beyond this many different ones it is not worth looking. */
const MOST_SHARED = 65_536;

/** A growing list of leaves in buffers of the largest size there can be. */
class Leaves {
  private readonly targets: Int32Array;
  private readonly weights: Float32Array;
  /** By target and weight. */
  private readonly known: Map<number, number>[] = [];
  private count = 0;
  private shared = 0;

  constructor(most: number) {
    this.targets = new Int32Array(most);
    this.weights = new Float32Array(most);
  }

  /** The number of the leaf: a new one, or that of one that says the same. */
  idOf({ target, weight }: Leaf): number {
    const rounded = Math.fround(weight);
    this.known[target] ??= new Map();
    const ids = this.known[target];
    const found = ids.get(rounded);
    if (found !== undefined) return found;
    if (this.shared < MOST_SHARED) {
      ids.set(rounded, this.count);
      this.shared++;
    }
    this.targets[this.count] = target;
    this.weights[this.count] = rounded;
    return this.count++;
  }

  arrays(): Pick<TreeArrays, 'leafTargets' | 'leafWeights'> {
    return { leafTargets: this.targets.subarray(0, this.count), leafWeights: this.weights.subarray(0, this.count) };
  }
}

const emptySplits = (size: number) => ({
  features: new Int32Array(size),
  thresholds: new Float32Array(size),
  trueIds: new Int32Array(size),
  falseIds: new Int32Array(size),
  trueIsLeaf: new Uint8Array(size),
  falseIsLeaf: new Uint8Array(size),
  missingTrue: new Uint8Array(size),
});

/** Every tree's nodes keep their order, so equal trees give equal arrays. */
export function treeArrays(trees: readonly Tree[], leafOf: (tree: number, node: number) => Leaf): TreeArrays {
  const size = trees.reduce((sum, tree) => sum + splitsOf(tree), 0);
  const splits = emptySplits(size);
  const leaves = new Leaves(size + trees.length);
  const roots = new Int32Array(trees.length);
  let next = 0;
  trees.forEach((tree, t) => {
    roots[t] = next;
    addTree(splits, next, tree, (node) => leaves.idOf(leafOf(t, node)));
    next += splitsOf(tree);
  });
  const missingTrue = splits.missingTrue.includes(1) ? splits.missingTrue : undefined;
  return { ...splits, roots, missingTrue, ...leaves.arrays() };
}

/** Writes the splits of one tree from `first` on. */
function addTree(
  splits: ReturnType<typeof emptySplits>,
  first: number,
  tree: Tree,
  leafId: (node: number) => number,
): void {
  const places = placesOf(tree);
  const idOf = (child: number): number => (isLeaf(tree, child) ? leafId(child) : first + (places[child] as number));
  const rootIsLeaf = isLeaf(tree, 0);
  for (let node = 0; node < tree.feature.length; node++) {
    if (isLeaf(tree, node) && !rootIsLeaf) continue;
    const at = first + (places[node] as number);
    const [left, right] = rootIsLeaf ? [0, 0] : [tree.left[node] as number, tree.right[node] as number];
    splits.trueIds[at] = idOf(left);
    splits.falseIds[at] = idOf(right);
    splits.trueIsLeaf[at] = isLeaf(tree, left) ? 1 : 0;
    splits.falseIsLeaf[at] = isLeaf(tree, right) ? 1 : 0;
    splits.features[at] = rootIsLeaf ? 0 : (tree.feature[node] as number);
    splits.thresholds[at] = tree.threshold[node] as number;
    splits.missingTrue[at] = tree.missingLeft[node] as number;
  }
}

/** By node, how many splits come before it in its tree. */
function placesOf(tree: Tree): Int32Array {
  const places = new Int32Array(tree.feature.length);
  for (let node = 0, splits = 0; node < places.length; node++) {
    places[node] = splits;
    if (!isLeaf(tree, node)) splits++;
  }
  return places;
}
