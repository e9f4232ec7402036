/** Σ w·x·xᵀ over rows, the one cubic-looking cost of the linear models: two by four columns at a time, in registers. */
import { type Column, floatsOf } from './blocks.ts';

/** Rows packed at once: the packed columns are read many times over and should stay in the nearest cache. */
const PACKED = 128;

function pack(x: Float32Array, rows: number, shift: number, scale: number, to: Float64Array, at: number): void {
  for (let i = 0; i < rows; i++) to[at + i] = ((x[i] as number) - shift) * scale;
}

/** to[j, i] = weights[i] · from[j, i] */
function weigh(from: Float64Array, rows: number, width: number, weights: Float64Array, to: Float64Array): void {
  for (let j = 0; j < width; j++) {
    const at = j * PACKED;
    for (let i = 0; i < rows; i++) to[at + i] = (from[at + i] as number) * (weights[i] as number);
  }
}

/** gram[j..j+1, k..k+3] += the products of two columns of `a` and four of `b`. */
function tile(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  j: number,
  k: number,
  gram: Float64Array,
  size: number,
): void {
  const a0 = j * PACKED;
  const a1 = a0 + PACKED;
  const b0 = k * PACKED;
  const b1 = b0 + PACKED;
  const b2 = b1 + PACKED;
  const b3 = b2 + PACKED;
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  for (let i = 0; i < rows; i++) {
    const u = a[a0 + i] as number;
    const v = a[a1 + i] as number;
    const w = b[b0 + i] as number;
    const x = b[b1 + i] as number;
    const y = b[b2 + i] as number;
    const z = b[b3 + i] as number;
    s00 += u * w;
    s01 += u * x;
    s02 += u * y;
    s03 += u * z;
    s10 += v * w;
    s11 += v * x;
    s12 += v * y;
    s13 += v * z;
  }
  const at = j * size + k;
  const next = at + size;
  gram[at] = (gram[at] as number) + s00;
  gram[at + 1] = (gram[at + 1] as number) + s01;
  gram[at + 2] = (gram[at + 2] as number) + s02;
  gram[at + 3] = (gram[at + 3] as number) + s03;
  gram[next] = (gram[next] as number) + s10;
  gram[next + 1] = (gram[next + 1] as number) + s11;
  gram[next + 2] = (gram[next + 2] as number) + s12;
  gram[next + 3] = (gram[next + 3] as number) + s13;
}

/** What is done to a column before it is multiplied: (x - shift) · scale. */
export interface Standard {
  readonly shift: Float64Array;
  readonly scale: Float64Array;
}

/** Adds up products of standardised columns, and (if asked for) of a last column of ones. */
export class GramSum {
  static readonly ROWS: number = PACKED;
  /** Columns, the one of ones among them. */
  readonly width: number;
  /** `width` rounded up to whole tiles: matrices given to `add` are `size` × `size`, row by row. */
  readonly size: number;
  readonly #columns: readonly Column[];
  readonly #standard: Standard;
  readonly #packed: Float64Array;
  readonly #weighted: Float64Array;
  readonly #scratch = new Float32Array(PACKED);
  #rows = 0;

  constructor(columns: readonly Column[], standard: Standard, ones: boolean) {
    this.#columns = columns;
    this.#standard = standard;
    this.width = columns.length + (ones ? 1 : 0);
    this.size = (this.width + 3) & ~3;
    this.#packed = new Float64Array(this.size * PACKED);
    this.#weighted = new Float64Array(this.size * PACKED);
    if (ones) this.#packed.fill(1, columns.length * PACKED, this.width * PACKED);
  }

  /** Takes rows `from` up to `to`, at most ROWS of them. */
  load(from: number, to: number): void {
    this.#rows = to - from;
    const { shift, scale } = this.#standard;
    for (let j = 0; j < this.#columns.length; j++) {
      const x = floatsOf(this.#columns[j] as Column, from, to, this.#scratch);
      pack(x, this.#rows, shift[j] as number, scale[j] as number, this.#packed, j * PACKED);
    }
  }

  /** gram += Σ weights[i]·x[i]·x[i]ᵀ over the rows taken (1 without weights); of the result only the upper triangle counts. */
  add(gram: Float64Array, weights?: Float64Array): void {
    const a = weights ? this.#weighted : this.#packed;
    if (weights) weigh(this.#packed, this.#rows, this.width, weights, a);
    for (let j = 0; j < this.width; j += 2) {
      for (let k = j & ~3; k < this.width; k += 4) tile(a, this.#packed, this.#rows, j, k, gram, this.size);
    }
  }
}

/** The Gram matrix of all rows, `columns` × `columns`, both triangles. */
export function gramOf(columns: readonly Column[], rows: number, standard: Standard): Float64Array {
  const sum = new GramSum(columns, standard, false);
  const gram = new Float64Array(sum.size * sum.size);
  for (let from = 0; from < rows; from += PACKED) {
    sum.load(from, Math.min(from + PACKED, rows));
    sum.add(gram);
  }
  return compact(gram, sum.size, sum.width);
}

/** The first `width` rows and columns of a `size` × `size` matrix, its upper triangle mirrored. */
export function compact(matrix: Float64Array, size: number, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let j = 0; j < width; j++) {
    for (let k = j; k < width; k++) {
      out[j * width + k] = matrix[j * size + k] as number;
      out[k * width + j] = matrix[j * size + k] as number;
    }
  }
  return out;
}
