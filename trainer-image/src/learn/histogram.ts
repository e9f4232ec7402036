/**
 * Sums of gradients, second derivatives and rows by the bins of every column. Two numbers do for the three: the second sum
 * counts rows in whole units and holds second derivatives, rounded to whole numbers, below one unit; both come out exactly.
 */
import type { BinnedColumn } from './bins.ts';

/** How a row's second derivative is told: `unit` for the row itself plus round(h · scale). */
export interface Packing {
  readonly unit: number;
  /** 0: every row's second derivative is 1, and is not told at all. */
  readonly scale: number;
}

/** All sums stay below 2^53, where numbers are exact. */
const EXACT_BITS = 52;

/** For `rows` rows whose second derivatives are at most `largest`; without it they are all 1. */
export function packingFor(rows: number, largest?: number): Packing {
  if (largest === undefined) return { unit: 1, scale: 0 };
  const rowBits = Math.ceil(Math.log2(rows + 1));
  const bits = Math.max(EXACT_BITS - 2 * rowBits, 2);
  return { unit: 2 ** (bits + rowBits), scale: (2 ** bits - 1) / largest };
}

/** Where the sums of every column begin, in bins. */
export interface Layout {
  readonly columns: readonly BinnedColumn[];
  readonly offsets: Int32Array;
  /** Bins in all. */
  readonly bins: number;
}

export function layoutOf(columns: readonly BinnedColumn[]): Layout {
  const offsets = new Int32Array(columns.length);
  let bins = 0;
  columns.forEach((column, j) => {
    offsets[j] = bins;
    bins += column.missing ? 256 : column.bins;
  });
  return { columns, offsets, bins };
}

/** The rows of a node, and in their order what is summed up. */
export interface NodeRows {
  readonly rows: Int32Array;
  readonly start: number;
  readonly length: number;
  readonly gradients: Float32Array;
  readonly seconds: Float64Array;
}

function fillOne(codes: Uint8Array, of: NodeRows, sums: Float64Array, offset: number): void {
  const { rows, start, length, gradients, seconds } = of;
  for (let i = 0; i < length; i++) {
    const at = 2 * (offset + (codes[rows[start + i] as number] as number));
    sums[at] = (sums[at] as number) + (gradients[i] as number);
    sums[at + 1] = (sums[at + 1] as number) + (seconds[i] as number);
  }
}

/** Four columns at once: what belongs to a row is read once, and no sum waits for the one before. */
function fillFour(
  codes: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array],
  of: NodeRows,
  sums: Float64Array,
  offsets: Int32Array,
  first: number,
): void {
  const [a, b, c, d] = codes;
  const { rows, start, length, gradients, seconds } = of;
  const atA = offsets[first] as number;
  const atB = offsets[first + 1] as number;
  const atC = offsets[first + 2] as number;
  const atD = offsets[first + 3] as number;
  for (let i = 0; i < length; i++) {
    const row = rows[start + i] as number;
    const gradient = gradients[i] as number;
    const second = seconds[i] as number;
    const p = 2 * (atA + (a[row] as number));
    const q = 2 * (atB + (b[row] as number));
    const r = 2 * (atC + (c[row] as number));
    const s = 2 * (atD + (d[row] as number));
    sums[p] = (sums[p] as number) + gradient;
    sums[p + 1] = (sums[p + 1] as number) + second;
    sums[q] = (sums[q] as number) + gradient;
    sums[q + 1] = (sums[q + 1] as number) + second;
    sums[r] = (sums[r] as number) + gradient;
    sums[r + 1] = (sums[r + 1] as number) + second;
    sums[s] = (sums[s] as number) + gradient;
    sums[s + 1] = (sums[s + 1] as number) + second;
  }
}

/** Writes a node's sums, `[gradient, second]` for every bin of the layout. */
export function fillHistogram({ columns, offsets }: Layout, of: NodeRows, sums: Float64Array): void {
  sums.fill(0);
  const codes = (j: number): Uint8Array => (columns[j] as BinnedColumn).codes;
  let j = 0;
  for (; j + 4 <= columns.length; j += 4) {
    fillFour([codes(j), codes(j + 1), codes(j + 2), codes(j + 3)], of, sums, offsets, j);
  }
  for (; j < columns.length; j++) fillOne(codes(j), of, sums, offsets[j] as number);
}

/** What is left of `sums` when those of a part of the rows are taken away. */
export function subtractHistogram(sums: Float64Array, part: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) - (part[i] as number);
}
