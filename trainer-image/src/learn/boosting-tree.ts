/** One tree of a boosted ensemble, grown leaf by leaf: the one whose split lessens the loss most comes first. */
import type { Tree } from '../model.ts';
import { type BinnedColumn, EVERYTHING } from './bins.ts';
import { type FoundSplit, SplitFinder, type SplitRules, type Totals } from './boosting-split.ts';
import { fillHistogram, type Layout, type Packing, subtractHistogram } from './histogram.ts';
import { partition } from './partition.ts';
import { TreeWriter } from './tree-writer.ts';

export interface GrowthRules extends SplitRules {
  readonly learningRate: number;
  readonly maxLeafNodes: number;
  readonly maxDepth: number;
}

/** A leaf that may still be split. */
interface Leaf {
  readonly node: number;
  readonly depth: number;
  /** Its rows to learn from, and those held out, as places in the arrays of the grower. */
  readonly start: number;
  readonly end: number;
  readonly heldStart: number;
  readonly heldEnd: number;
  readonly totals: Totals;
  /** Undefined once the leaf is known to stay one. */
  readonly sums: Float64Array | undefined;
  readonly split: FoundSplit | undefined;
}

/** Told for each leaf of a finished tree: its value, and the rows it holds. */
export type OnLeaf = (value: number, rows: Int32Array, start: number, end: number) => void;

const gainOf = (leaf: Leaf): number => leaf.split?.gain ?? 0;

/** A heap: no leaf above one of more gain. */
function push(heap: Leaf[], leaf: Leaf): void {
  let at = heap.length;
  heap.push(leaf);
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (gainOf(heap[above] as Leaf) >= gainOf(leaf)) break;
    heap[at] = heap[above] as Leaf;
    at = above;
  }
  heap[at] = leaf;
}

function pop(heap: Leaf[]): Leaf | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (heap.length === 0 || last === undefined) return top;
  let at = 0;
  for (let below = 1; below < heap.length; below = 2 * at + 1) {
    if (below + 1 < heap.length && gainOf(heap[below + 1] as Leaf) > gainOf(heap[below] as Leaf)) below++;
    if (gainOf(heap[below] as Leaf) <= gainOf(last)) break;
    heap[at] = heap[below] as Leaf;
    at = below;
  }
  heap[at] = last;
  return top;
}

export class TreeGrower {
  readonly #layout: Layout;
  readonly #packing: Packing;
  readonly #rules: GrowthRules;
  readonly #finder: SplitFinder;
  readonly #learning: Int32Array;
  readonly #heldOut: Int32Array;
  readonly #rows: Int32Array;
  readonly #held: Int32Array;
  readonly #spare: Int32Array;
  readonly #gradients: Float32Array;
  readonly #seconds: Float64Array;
  /** Histograms that no leaf needs any more. */
  readonly #free: Float64Array[] = [];

  /** Trees are grown to the rows `learning`; those of `heldOut` only go along. */
  constructor(layout: Layout, packing: Packing, rules: GrowthRules, learning: Int32Array, heldOut: Int32Array) {
    this.#layout = layout;
    this.#packing = packing;
    this.#rules = rules;
    this.#finder = new SplitFinder(layout, packing, rules);
    this.#learning = learning;
    this.#heldOut = heldOut;
    this.#rows = learning.slice();
    this.#held = heldOut.slice();
    this.#spare = new Int32Array(Math.max(learning.length, heldOut.length));
    this.#gradients = new Float32Array(learning.length);
    this.#seconds = new Float64Array(learning.length);
  }

  /** Grows a tree to the derivatives of the loss, by row; without second derivatives they are all 1. */
  grow(gradients: Float32Array, seconds: Float32Array | undefined, output: number, onLeaf: OnLeaf): Tree {
    const writer = new TreeWriter(1, output);
    this.#rows.set(this.#learning);
    this.#held.set(this.#heldOut);
    const finished: Leaf[] = [];
    const heap: Leaf[] = [];
    const place = (leaf: Leaf): void => {
      if (leaf.split) push(heap, leaf);
      else finished.push(this.#close(leaf));
    };
    place(this.#root(writer.add(), gradients, seconds));
    while (heap.length > 0 && heap.length + finished.length < this.#rules.maxLeafNodes) {
      const leaf = pop(heap) as Leaf;
      for (const child of this.#split(leaf, writer, gradients, seconds)) place(child);
    }
    for (const leaf of heap) finished.push(this.#close(leaf));
    for (const leaf of finished) this.#finish(leaf, writer, onLeaf);
    return writer.finish();
  }

  #finish({ node, totals, start, end, heldStart, heldEnd }: Leaf, writer: TreeWriter, onLeaf: OnLeaf): void {
    const { l2, learningRate } = this.#rules;
    const value = Math.fround((-learningRate * totals.gradient) / (totals.second + l2 + 1e-15));
    writer.setValue(node, 0, value);
    onLeaf(value, this.#rows, start, end);
    onLeaf(value, this.#held, heldStart, heldEnd);
  }

  #close(leaf: Leaf): Leaf {
    if (leaf.sums) this.#free.push(leaf.sums);
    return { ...leaf, sums: undefined };
  }

  #histogram(): Float64Array {
    return this.#free.pop() ?? new Float64Array(2 * this.#layout.bins);
  }

  /** Gathers what belongs to the rows from `start` up to `end`, in their order, and sums it up. */
  #gather(start: number, end: number, gradients: Float32Array, seconds: Float32Array | undefined): Totals {
    const { unit, scale } = this.#packing;
    const rows = this.#rows;
    let gradient = 0;
    for (let i = start; i < end; i++) {
      const value = gradients[rows[i] as number] as number;
      this.#gradients[i - start] = value;
      gradient += value;
    }
    if (!seconds) {
      this.#seconds.fill(unit, 0, end - start);
      return { gradient, second: end - start, rows: end - start };
    }
    let whole = 0;
    for (let i = start; i < end; i++) {
      const told = Math.round((seconds[rows[i] as number] as number) * scale);
      this.#seconds[i - start] = unit + told;
      whole += told;
    }
    return { gradient, second: whole / scale, rows: end - start };
  }

  #sum(start: number, end: number): Float64Array {
    const sums = this.#histogram();
    const [gradients, seconds] = [this.#gradients, this.#seconds];
    fillHistogram(this.#layout, { rows: this.#rows, start, length: end - start, gradients, seconds }, sums);
    return sums;
  }

  #root(node: number, gradients: Float32Array, seconds: Float32Array | undefined): Leaf {
    const end = this.#rows.length;
    const totals = this.#gather(0, end, gradients, seconds);
    const place = { node, depth: 0, start: 0, end, heldStart: 0, heldEnd: this.#held.length, totals };
    return this.#leaf(place, this.#canSplit(place) ? this.#sum(0, end) : undefined);
  }

  #canSplit({ depth, totals }: Pick<Leaf, 'depth' | 'totals'>): boolean {
    const { maxDepth, minSamplesLeaf } = this.#rules;
    return depth < maxDepth && totals.rows >= 2 * minSamplesLeaf;
  }

  #leaf(place: Omit<Leaf, 'sums' | 'split'>, sums: Float64Array | undefined): Leaf {
    return { ...place, sums, split: sums && this.#finder.find(sums, place.totals) };
  }

  /** Both children: the sums of the smaller are made from its rows, those of the other are what is left of the parent's. */
  #split(leaf: Leaf, writer: TreeWriter, gradients: Float32Array, seconds: Float32Array | undefined): Leaf[] {
    const { feature, bin, missingLeft, gain } = leaf.split as FoundSplit;
    const column = this.#layout.columns[feature] as BinnedColumn;
    const cut = { codes: column.codes, bin, missingLeft };
    const threshold = bin < column.edges.length ? (column.edges[bin] as number) : EVERYTHING;
    const node = writer.split(leaf.node, feature, threshold, missingLeft, gain / 2);
    const middle = partition(this.#rows, leaf.start, leaf.end, cut, this.#spare);
    const heldMiddle = partition(this.#held, leaf.heldStart, leaf.heldEnd, cut, this.#spare);
    const leftIsSmall = middle - leaf.start <= leaf.end - middle;
    const [from, to] = leftIsSmall ? [leaf.start, middle] : [middle, leaf.end];
    const small = this.#gather(from, to, gradients, seconds);
    const rest: Totals = {
      gradient: leaf.totals.gradient - small.gradient,
      second: leaf.totals.second - small.second,
      rows: leaf.totals.rows - small.rows,
    };
    const depth = leaf.depth + 1;
    const [leftTotals, rightTotals] = leftIsSmall ? [small, rest] : [rest, small];
    const left = { node, depth, start: leaf.start, end: middle, heldStart: leaf.heldStart, heldEnd: heldMiddle };
    const right = { node: node + 1, depth, start: middle, end: leaf.end, heldStart: heldMiddle, heldEnd: leaf.heldEnd };
    const children = [
      { ...left, totals: leftTotals },
      { ...right, totals: rightTotals },
    ] as const;
    const [smallOne, largeOne] = leftIsSmall ? children : ([children[1], children[0]] as const);
    const parent = leaf.sums as Float64Array;
    if (!this.#canSplit(largeOne)) {
      this.#free.push(parent);
      return children.map((child) => this.#leaf(child, undefined));
    }
    const smallSums = this.#sum(from, to);
    subtractHistogram(parent, smallSums);
    const large = this.#leaf(largeOne, parent);
    if (this.#canSplit(smallOne)) return [this.#leaf(smallOne, smallSums), large];
    this.#free.push(smallSums);
    return [this.#leaf(smallOne, undefined), large];
  }
}
