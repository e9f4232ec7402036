/** Splits of three and more classes by Gini's impurity. */
import { type BinnedColumn, MISSING } from './bins.ts';
import { type BestSplit, type Criterion, endsMissing, FEW, takeOccupied } from './forest-split.ts';
import { count } from './forest-variance.ts';

/** sums[bin · classes + class] += weight. */
function fill(
  codes: Uint8Array,
  rows: Int32Array,
  start: number,
  length: number,
  w: Float64Array,
  ids: Int32Array,
  sums: Float64Array,
  classes: number,
): void {
  for (let i = 0; i < length; i++) {
    const at = (codes[rows[start + i] as number] as number) * classes + (ids[i] as number);
    sums[at] = (sums[at] as number) + (w[i] as number);
  }
}

/** Notes which bins have rows. */
function mark(codes: Uint8Array, rows: Int32Array, start: number, length: number, occupied: Int32Array): void {
  for (let i = 0; i < length; i++) {
    const bin = codes[rows[start + i] as number] as number;
    occupied[bin >> 5] = (occupied[bin >> 5] as number) | (1 << (bin & 31));
  }
}

export class Gini implements Criterion {
  readonly width: number;
  readonly #weights: Float32Array;
  readonly #target: Int32Array;
  readonly #minLeaf: number;
  readonly #w: Float64Array;
  readonly #ids: Int32Array;
  readonly #sums: Float64Array;
  readonly #counts = new Int32Array(256);
  readonly #occupied = new Int32Array(8);
  readonly #list = new Uint8Array(256);
  readonly #totals: Float64Array;
  readonly #left: Float64Array;
  #rows: Int32Array = new Int32Array(0);
  #start = 0;
  #length = 0;
  #weight = 0;

  /** `weights` may change between trees. */
  constructor(ids: Int32Array, weights: Float32Array, classes: number, minLeaf: number) {
    this.width = classes;
    this.#target = ids;
    this.#weights = weights;
    this.#minLeaf = minLeaf;
    this.#w = new Float64Array(weights.length);
    this.#ids = new Int32Array(weights.length);
    this.#sums = new Float64Array(256 * classes);
    this.#totals = new Float64Array(classes);
    this.#left = new Float64Array(classes);
  }

  begin(rows: Int32Array, start: number, end: number): boolean {
    this.#rows = rows;
    this.#start = start;
    this.#length = end - start;
    this.#totals.fill(0);
    const first = this.#target[rows[start] as number] as number;
    let same = true;
    let weight = 0;
    for (let i = 0; i < this.#length; i++) {
      const row = rows[start + i] as number;
      const id = this.#target[row] as number;
      const w = this.#weights[row] as number;
      this.#ids[i] = id;
      this.#w[i] = w;
      this.#totals[id] = (this.#totals[id] as number) + w;
      weight += w;
      if (id !== first) same = false;
    }
    this.#weight = weight;
    return same;
  }

  score(): number {
    return this.#totals.reduce((sum, w) => sum + w * w, 0) / this.#weight;
  }

  value(k: number): number {
    return (this.#totals[k] as number) / this.#weight;
  }

  tryColumn(column: BinnedColumn, feature: number, best: BestSplit): boolean {
    const found = this.#fill(column);
    if (found > 1) {
      if (this.#minLeaf > 1) count(column.codes, this.#rows, this.#start, this.#length, this.#counts);
      this.#left.fill(0);
      if (endsMissing(this.#list, found)) this.#scanMissing(found - 1, feature, best);
      else this.#scan(found, feature, best, 0, false);
    }
    for (let i = 0; i < found; i++) {
      const at = (this.#list[i] as number) * this.width;
      for (let k = 0; k < this.width; k++) this.#sums[at + k] = 0;
    }
    return found > 1;
  }

  /** Sums by bin; returns how many bins have rows. */
  #fill({ codes, bins, missing }: BinnedColumn): number {
    fill(codes, this.#rows, this.#start, this.#length, this.#w, this.#ids, this.#sums, this.width);
    if (this.#length <= FEW) {
      mark(codes, this.#rows, this.#start, this.#length, this.#occupied);
      return takeOccupied(this.#occupied, this.#list);
    }
    let found = 0;
    for (let bin = 0; bin < bins; bin++) if (this.#hasRows(bin)) this.#list[found++] = bin;
    if (missing && this.#hasRows(MISSING)) this.#list[found++] = MISSING;
    return found;
  }

  #hasRows(bin: number): boolean {
    const end = (bin + 1) * this.width;
    for (let at = bin * this.width; at < end; at++) if ((this.#sums[at] as number) > 0) return true;
    return false;
  }

  /** Moves a bin to the left side. Returns the sum of squares on the left; on the right it is `#rightSquares`. */
  #rightSquares = 0;
  #leftWeight = 0;
  #move(bin: number): number {
    const classes = this.width;
    const at = bin * classes;
    let leftSquares = 0;
    let rightSquares = 0;
    let weight = 0;
    for (let k = 0; k < classes; k++) {
      const left = (this.#left[k] as number) + (this.#sums[at + k] as number);
      this.#left[k] = left;
      const right = (this.#totals[k] as number) - left;
      weight += left;
      leftSquares += left * left;
      rightSquares += right * right;
    }
    this.#leftWeight = weight;
    this.#rightSquares = rightSquares;
    return leftSquares;
  }

  /** Cuts after each of the first `found` bins but the last; `n` rows, those of `#left`, go left in any case. */
  #scan(found: number, feature: number, best: BestSplit, n: number, missingLeft: boolean): void {
    const minLeaf = this.#minLeaf;
    let leftRows = n;
    for (let i = 0; i < found - 1; i++) {
      const bin = this.#list[i] as number;
      const leftSquares = this.#move(bin);
      if (minLeaf > 1) {
        leftRows += this.#counts[bin] as number;
        if (leftRows < minLeaf) continue;
        if (this.#length - leftRows < minLeaf) break;
      }
      const score = leftSquares / this.#leftWeight + this.#rightSquares / (this.#weight - this.#leftWeight);
      if (score > best.score) {
        best.score = score;
        best.feature = feature;
        best.low = bin;
        best.high = this.#list[i + 1] as number;
        best.missingLeft = missingLeft;
      }
    }
  }

  /** Missing values go right, with or without company, or left. */
  #scanMissing(found: number, feature: number, best: BestSplit): void {
    this.#scan(found + 1, feature, best, 0, false);
    this.#left.set(this.#sums.subarray(MISSING * this.width, (MISSING + 1) * this.width));
    this.#scan(found, feature, best, this.#counts[MISSING] as number, true);
    if (best.feature === feature && best.high === MISSING) best.high = -1;
  }
}
