/** Splits that lessen the variance of a quantity; of two classes, told as 0 and 1, they are Gini's. */
import { type BinnedColumn, MISSING } from './bins.ts';
import { type BestSplit, type Criterion, endsMissing, FEW, takeOccupied } from './forest-split.ts';

/** sums[2·bin] += weight, sums[2·bin + 1] += weight · target. */
function fill(
  codes: Uint8Array,
  rows: Int32Array,
  start: number,
  length: number,
  w: Float64Array,
  wy: Float64Array,
  sums: Float64Array,
): void {
  for (let i = 0; i < length; i++) {
    const at = (codes[rows[start + i] as number] as number) << 1;
    sums[at] = (sums[at] as number) + (w[i] as number);
    sums[at + 1] = (sums[at + 1] as number) + (wy[i] as number);
  }
}

/** The same, and notes which bins have rows. */
function fillFew(
  codes: Uint8Array,
  rows: Int32Array,
  start: number,
  length: number,
  w: Float64Array,
  wy: Float64Array,
  sums: Float64Array,
  occupied: Int32Array,
): void {
  for (let i = 0; i < length; i++) {
    const bin = codes[rows[start + i] as number] as number;
    const at = bin << 1;
    sums[at] = (sums[at] as number) + (w[i] as number);
    sums[at + 1] = (sums[at + 1] as number) + (wy[i] as number);
    occupied[bin >> 5] = (occupied[bin >> 5] as number) | (1 << (bin & 31));
  }
}

export function count(codes: Uint8Array, rows: Int32Array, start: number, length: number, counts: Int32Array): void {
  counts.fill(0);
  for (let i = 0; i < length; i++) {
    const bin = codes[rows[start + i] as number] as number;
    counts[bin] = (counts[bin] as number) + 1;
  }
}

export class Variance implements Criterion {
  readonly width: number;
  /** Weight of each row, and weight times (target - centre). */
  readonly #weights: Float32Array;
  readonly #target: ArrayLike<number>;
  readonly #centre: number;
  readonly #minLeaf: number;
  readonly #w: Float64Array;
  readonly #wy: Float64Array;
  readonly #sums = new Float64Array(512);
  readonly #counts = new Int32Array(256);
  readonly #occupied = new Int32Array(8);
  readonly #list = new Uint8Array(256);
  #rows: Int32Array = new Int32Array(0);
  #start = 0;
  #length = 0;
  #weight = 0;
  #sum = 0;

  /** `weights` may change between trees. Width 2 means that the target is 0 or 1, and a leaf tells the shares of both. */
  constructor(target: ArrayLike<number>, weights: Float32Array, width: 1 | 2, minLeaf: number) {
    this.width = width;
    this.#target = target;
    this.#weights = weights;
    this.#minLeaf = minLeaf;
    this.#w = new Float64Array(weights.length);
    this.#wy = new Float64Array(weights.length);
    let sum = 0;
    for (let i = 0; i < target.length; i++) sum += target[i] as number;
    this.#centre = width === 2 ? 0 : sum / target.length;
  }

  begin(rows: Int32Array, start: number, end: number): boolean {
    this.#rows = rows;
    this.#start = start;
    this.#length = end - start;
    let weight = 0;
    let sum = 0;
    const first = this.#target[rows[start] as number] as number;
    let same = true;
    for (let i = 0; i < this.#length; i++) {
      const row = rows[start + i] as number;
      const w = this.#weights[row] as number;
      const y = this.#target[row] as number;
      const product = w * (y - this.#centre);
      this.#w[i] = w;
      this.#wy[i] = product;
      weight += w;
      sum += product;
      if (y !== first) same = false;
    }
    this.#weight = weight;
    this.#sum = sum;
    return same;
  }

  score(): number {
    return (this.#sum * this.#sum) / this.#weight;
  }

  value(k: number): number {
    const mean = this.#centre + this.#sum / this.#weight;
    return this.width === 2 && k === 0 ? 1 - mean : mean;
  }

  tryColumn(column: BinnedColumn, feature: number, best: BestSplit): boolean {
    const found = this.#fill(column);
    if (found > 1) {
      if (this.#minLeaf > 1) count(column.codes, this.#rows, this.#start, this.#length, this.#counts);
      if (endsMissing(this.#list, found)) this.#scanMissing(found - 1, feature, best);
      else this.#scan(found, feature, best, 0, 0, 0, false);
    }
    for (let i = 0; i < found; i++) {
      const at = (this.#list[i] as number) << 1;
      this.#sums[at] = 0;
      this.#sums[at + 1] = 0;
    }
    return found > 1;
  }

  /** Sums by bin; returns how many bins have rows. */
  #fill({ codes, bins, missing }: BinnedColumn): number {
    if (this.#length <= FEW) {
      fillFew(codes, this.#rows, this.#start, this.#length, this.#w, this.#wy, this.#sums, this.#occupied);
      return takeOccupied(this.#occupied, this.#list);
    }
    fill(codes, this.#rows, this.#start, this.#length, this.#w, this.#wy, this.#sums);
    let found = 0;
    for (let bin = 0; bin < bins; bin++) if ((this.#sums[2 * bin] as number) > 0) this.#list[found++] = bin;
    if (missing && (this.#sums[2 * MISSING] as number) > 0) this.#list[found++] = MISSING;
    return found;
  }

  /** Cuts after each of the first `found` bins but the last; w, s and n are what goes left in any case. */
  #scan(found: number, feature: number, best: BestSplit, w: number, s: number, n: number, missingLeft: boolean): void {
    const sums = this.#sums;
    const list = this.#list;
    const weight = this.#weight;
    const sum = this.#sum;
    const minLeaf = this.#minLeaf;
    let leftWeight = w;
    let leftSum = s;
    let leftRows = n;
    let top = best.score;
    let where = -1;
    for (let i = 0; i < found - 1; i++) {
      const bin = list[i] as number;
      leftWeight += sums[2 * bin] as number;
      leftSum += sums[2 * bin + 1] as number;
      if (minLeaf > 1) {
        leftRows += this.#counts[bin] as number;
        if (leftRows < minLeaf) continue;
        if (this.#length - leftRows < minLeaf) break;
      }
      const rest = sum - leftSum;
      const score = (leftSum * leftSum) / leftWeight + (rest * rest) / (weight - leftWeight);
      if (score > top) {
        top = score;
        where = i;
      }
    }
    if (where === -1) return;
    best.score = top;
    best.feature = feature;
    best.low = list[where] as number;
    best.high = list[where + 1] as number;
    best.missingLeft = missingLeft;
  }

  /** Missing values go right, with or without company, or left. */
  #scanMissing(found: number, feature: number, best: BestSplit): void {
    this.#scan(found + 1, feature, best, 0, 0, 0, false);
    const missing = 2 * MISSING;
    const [w, s] = [this.#sums[missing] as number, this.#sums[missing + 1] as number];
    this.#scan(found, feature, best, w, s, this.#counts[MISSING] as number, true);
    if (best.feature === feature && best.high === MISSING) best.high = -1;
  }
}
