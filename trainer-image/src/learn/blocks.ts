/** Columns a block of rows at a time: small enough for the cache, and always of one type, which keeps inner loops fast. */
import type { Design } from '../model.ts';

/** Rows worked on at once. */
export const BLOCK = 1024;

export type Column = Design['columns'][number];

/** Rows `from` up to `to` of the column, as they stand there; bytes are copied to `scratch`, which must be long enough. */
export function floatsOf(column: Column, from: number, to: number, scratch: Float32Array): Float32Array {
  if (column instanceof Float32Array) return column.subarray(from, to);
  scratch.set(column.subarray(from, to));
  return scratch;
}

function sumOf(x: Float32Array, rows: number): number {
  let a = 0;
  let b = 0;
  const even = rows & ~1;
  for (let i = 0; i < even; i += 2) {
    a += x[i] as number;
    b += x[i + 1] as number;
  }
  return even < rows ? a + b + (x[even] as number) : a + b;
}

function squaresOf(x: Float32Array, rows: number, mean: number): number {
  let a = 0;
  let b = 0;
  const even = rows & ~1;
  for (let i = 0; i < even; i += 2) {
    const u = (x[i] as number) - mean;
    const v = (x[i + 1] as number) - mean;
    a += u * u;
    b += v * v;
  }
  return even < rows ? a + b + ((x[even] as number) - mean) ** 2 : a + b;
}

/** The sum of `of(block, rows)` over all blocks of a column. */
function overBlocks(column: Column, of: (x: Float32Array, rows: number) => number): number {
  const scratch = new Float32Array(BLOCK);
  let sum = 0;
  for (let from = 0; from < column.length; from += BLOCK) {
    const to = Math.min(from + BLOCK, column.length);
    sum += of(floatsOf(column, from, to, scratch), to - from);
  }
  return sum;
}

/** The mean of every column. */
export const meansOf = ({ columns, rows }: Design): Float64Array =>
  Float64Array.from(columns, (column) => overBlocks(column, sumOf) / rows);

/** The standard deviation of every column about `centres` (zeros give the root of the mean square). */
export const deviationsOf = ({ columns, rows }: Design, centres: Float64Array): Float64Array =>
  Float64Array.from(columns, (column, j) =>
    Math.sqrt(overBlocks(column, (x, length) => squaresOf(x, length, centres[j] as number)) / rows),
  );

/** z[i] += Σ a·x[i] for the first rows of four columns. */
function add4(
  z: Float64Array,
  rows: number,
  [x0, x1, x2, x3]: readonly Float32Array[],
  a0: number,
  a1: number,
  a2: number,
  a3: number,
): void {
  const [u, v, w, x] = [x0 as Float32Array, x1 as Float32Array, x2 as Float32Array, x3 as Float32Array];
  for (let i = 0; i < rows; i++) {
    z[i] =
      (z[i] as number) +
      (a0 * (u[i] as number) + a1 * (v[i] as number)) +
      (a2 * (w[i] as number) + a3 * (x[i] as number));
  }
}

function dot4(r: Float64Array, rows: number, [x0, x1, x2, x3]: readonly Float32Array[], out: Float64Array, at: number) {
  const [u, v, w, x] = [x0 as Float32Array, x1 as Float32Array, x2 as Float32Array, x3 as Float32Array];
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < rows; i++) {
    const ri = r[i] as number;
    a += ri * (u[i] as number);
    b += ri * (v[i] as number);
    c += ri * (w[i] as number);
    d += ri * (x[i] as number);
  }
  out[at] = (out[at] as number) + a;
  out[at + 1] = (out[at + 1] as number) + b;
  out[at + 2] = (out[at + 2] as number) + c;
  out[at + 3] = (out[at + 3] as number) + d;
}

/** A design by blocks: four columns are read together, and columns of zeros fill up the last four. */
export class Blocks {
  /** Columns, a multiple of four: what coefficients and sums are to have room for. */
  readonly width: number;
  readonly #design: Design;
  readonly #scratch: readonly Float32Array[];
  readonly #groups: Float32Array[][];

  constructor(design: Design) {
    this.#design = design;
    this.width = (design.columns.length + 3) & ~3;
    const zeros = new Float32Array(BLOCK);
    this.#scratch = design.columns.map((column) => (column instanceof Float32Array ? zeros : new Float32Array(BLOCK)));
    this.#groups = Array.from({ length: this.width / 4 }, () => [zeros, zeros, zeros, zeros]);
  }

  /** Makes rows `from` up to `to` (at most BLOCK of them) those that the other methods work on. */
  load(from: number, to: number): void {
    this.#design.columns.forEach((column, j) => {
      (this.#groups[j >> 2] as Float32Array[])[j & 3] = floatsOf(column, from, to, this.#scratch[j] as Float32Array);
    });
  }

  /** z[i] += Σⱼ a[at + j] · x[i, j] */
  addProduct(z: Float64Array, rows: number, a: Float64Array, at: number): void {
    this.#groups.forEach((group, g) => {
      const k = at + 4 * g;
      add4(z, rows, group, a[k] as number, a[k + 1] as number, a[k + 2] as number, a[k + 3] as number);
    });
  }

  /** out[at + j] += Σᵢ r[i] · x[i, j] */
  addTransposed(r: Float64Array, rows: number, out: Float64Array, at: number): void {
    this.#groups.forEach((group, g) => {
      dot4(r, rows, group, out, at + 4 * g);
    });
  }
}
