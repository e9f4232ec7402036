/** The best split of a node of a boosted tree, from the sums by bins (Chen and Guestrin, XGBoost, section 2.2 and 3.4). */
import { type BinnedColumn, MISSING } from './bins.ts';
import type { Layout, Packing } from './histogram.ts';

export interface SplitRules {
  readonly minSamplesLeaf: number;
  readonly l2: number;
}

/** Sums over the rows of a node. */
export interface Totals {
  gradient: number;
  second: number;
  rows: number;
}

export interface FoundSplit {
  readonly feature: number;
  /** The last bin that goes left. */
  readonly bin: number;
  readonly missingLeft: boolean;
  /** By how much the loss falls. */
  readonly gain: number;
}

/** A side whose second derivatives add up to less says nothing. */
const LEAST_SECOND = 1e-3;

/** The loss that a node can be rid of, doubled. */
const worth = (gradient: number, second: number, l2: number): number => (gradient * gradient) / (second + l2 + 1e-15);

export class SplitFinder {
  readonly #layout: Layout;
  readonly #packing: Packing;
  readonly #rules: SplitRules;
  // The best so far of the node being looked at.
  #gain = 0;
  #feature = -1;
  #bin = 0;
  #missingLeft = false;

  constructor(layout: Layout, packing: Packing, rules: SplitRules) {
    this.#layout = layout;
    this.#packing = packing;
    this.#rules = rules;
  }

  /** The split of most gain above 0, if there is one. */
  find(sums: Float64Array, totals: Totals): FoundSplit | undefined {
    this.#gain = 0;
    this.#feature = -1;
    this.#layout.columns.forEach((column, feature) => {
      this.#tryColumn(column, feature, sums, totals);
    });
    if (this.#feature === -1) return undefined;
    return { feature: this.#feature, bin: this.#bin, missingLeft: this.#missingLeft, gain: this.#gain };
  }

  #tryColumn(column: BinnedColumn, feature: number, sums: Float64Array, totals: Totals): void {
    const offset = this.#layout.offsets[feature] as number;
    const { unit } = this.#packing;
    const at = 2 * (offset + MISSING);
    const missing = column.missing ? Math.floor((sums[at + 1] as number) / unit) : 0;
    if (missing === 0) {
      this.#scan(column.bins - 1, feature, sums, totals, 0, 0, 2 * totals.rows);
      return;
    }
    // Missing values on the right, where they may be all there is; or on the left.
    this.#scan(column.bins, feature, sums, totals, 0, 0, 0);
    this.#scan(column.bins - 1, feature, sums, totals, sums[at] as number, sums[at + 1] as number, 0);
  }

  /**
   * Cuts after each of the first `bins` bins; `g` and `s` are the sums of what goes left in any case: the missing values,
   * or nothing. `majority` above 0: no value is missing, and a later one that is shall go with the greater part.
   */
  #scan(
    bins: number,
    feature: number,
    sums: Float64Array,
    totals: Totals,
    g: number,
    s: number,
    majority: number,
  ): void {
    const { unit, scale } = this.#packing;
    const { l2, minSamplesLeaf } = this.#rules;
    const offset = this.#layout.offsets[feature] as number;
    const whole = worth(totals.gradient, totals.second, l2);
    let gradient = g;
    let packed = s;
    let top = this.#gain;
    let where = -1;
    for (let bin = 0; bin < bins; bin++) {
      const at = 2 * (offset + bin);
      const own = sums[at + 1] as number;
      if (own === 0) continue;
      packed += own;
      gradient += sums[at] as number;
      const rows = Math.floor(packed / unit);
      const second = scale === 0 ? rows : (packed - rows * unit) / scale;
      const rest = totals.second - second;
      if (rows < minSamplesLeaf || second < LEAST_SECOND) continue;
      if (totals.rows - rows < minSamplesLeaf || rest < LEAST_SECOND) break;
      const gain = worth(gradient, second, l2) + worth(totals.gradient - gradient, rest, l2) - whole;
      if (gain > top) {
        top = gain;
        where = bin;
      }
    }
    if (where === -1) return;
    this.#gain = top;
    this.#feature = feature;
    this.#bin = where;
    this.#missingLeft = majority > 0 ? this.#isMajority(offset, where, sums, majority / 2) : s > 0;
  }

  #isMajority(offset: number, last: number, sums: Float64Array, rows: number): boolean {
    let packed = 0;
    for (let bin = 0; bin <= last; bin++) packed += sums[2 * (offset + bin) + 1] as number;
    return 2 * Math.floor(packed / this.#packing.unit) > rows;
  }
}
