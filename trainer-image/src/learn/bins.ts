/**
 * Columns as bytes: every value is replaced by the number of its bin, and trees are grown on those. Few different values
 * have a bin each, many are cut at quantiles.
 */
import type { Design } from '../model.ts';
import type { Column } from './blocks.ts';
import { randomFrom } from './random.ts';

/** The code of a missing value. */
export const MISSING = 255;

export interface BinnedColumn {
  /** A row's bin, or MISSING. */
  readonly codes: Uint8Array;
  /** Without the one for missing values; at least 1. */
  readonly bins: number;
  readonly missing: boolean;
  /** edges[b]: a value is in a bin up to b exactly when it is at most this. `bins - 1` of them. */
  readonly edges: Float32Array;
  /** The least and the greatest value in every bin. */
  readonly least: Float32Array;
  readonly greatest: Float32Array;
}

/** Rows from which the quantiles of a long column are taken. */
const SAMPLE = 65_536;
const LARGEST = 3.402_823_466_385_288_6e38;

/** Halfway between a < b as float32 holds it; a itself when there is nothing between them. Always a ≤ result < b. */
export function between(a: number, b: number): number {
  const middle = Math.fround(a / 2 + b / 2);
  return middle < b && middle >= a ? middle : a;
}

/** The values without the missing ones, sorted; of a long column those of a sample of rows. */
function sortedSample(column: Float32Array, seed: number): Float32Array {
  const present = new Float32Array(Math.min(column.length, SAMPLE));
  const random = column.length > SAMPLE ? randomFrom(seed) : undefined;
  let count = 0;
  // One row out of each of as many equal parts, anywhere in it: no order of the rows can mislead it.
  const step = column.length / present.length;
  for (let i = 0; i < present.length; i++) {
    const value = column[random ? Math.floor((i + random()) * step) : i] as number;
    if (!Number.isNaN(value)) present[count++] = value;
  }
  return present.subarray(0, count).sort();
}

function distinct(sorted: Float32Array): Float32Array {
  let count = 0;
  const out = new Float32Array(sorted.length);
  for (let i = 0; i < sorted.length; i++)
    if (i === 0 || sorted[i] !== sorted[i - 1]) out[count++] = sorted[i] as number;
  return out.slice(0, count);
}

/** Where to cut: between all different values if they are few enough, else so that bins are about equally full. */
function edgesOf(sorted: Float32Array, maxBins: number): Float32Array {
  const values = distinct(sorted);
  if (values.length <= maxBins) {
    return Float32Array.from({ length: Math.max(values.length - 1, 0) }, (_, b) =>
      between(values[b] as number, values[b + 1] as number),
    );
  }
  const edges: number[] = [];
  for (let b = 1; b < maxBins; b++) {
    let at = Math.floor((b * sorted.length) / maxBins);
    while (at < sorted.length && sorted[at] === sorted[at - 1]) at++;
    if (at === sorted.length) break;
    const edge = between(sorted[at - 1] as number, sorted[at] as number);
    if (edges.length === 0 || edge > (edges.at(-1) as number)) edges.push(edge);
  }
  return Float32Array.from(edges);
}

/** The edges, filled up with infinity to 256: then eight comparisons find any bin, without a branch that depends on it. */
function encode(column: Float32Array, edges: Float32Array, codes: Uint8Array): boolean {
  const padded = new Float32Array(256).fill(Number.POSITIVE_INFINITY);
  padded.set(edges);
  let missing = false;
  for (let i = 0; i < column.length; i++) {
    const x = column[i] as number;
    if (Number.isNaN(x)) {
      codes[i] = MISSING;
      missing = true;
      continue;
    }
    let low = 0;
    for (let step = 128; step > 0; step >>= 1) low += x > (padded[low + step - 1] as number) ? step : 0;
    codes[i] = low;
  }
  return missing;
}

function extremes(column: Column, codes: Uint8Array, bins: number): { least: Float32Array; greatest: Float32Array } {
  const least = new Float32Array(256).fill(Number.POSITIVE_INFINITY);
  const greatest = new Float32Array(256).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < codes.length; i++) {
    const bin = codes[i] as number;
    const x = column[i] as number;
    if (x < (least[bin] as number)) least[bin] = x;
    if (x > (greatest[bin] as number)) greatest[bin] = x;
  }
  return { least: least.slice(0, bins), greatest: greatest.slice(0, bins) };
}

function binColumn(column: Column, maxBins: number, seed: number): BinnedColumn {
  if (column instanceof Uint8Array) {
    // Zeros and ones are their own codes.
    const [least, greatest] = [Float32Array.of(0, 1), Float32Array.of(0, 1)];
    return { codes: column, bins: 2, missing: false, edges: Float32Array.of(0.5), least, greatest };
  }
  const edges = edgesOf(sortedSample(column, seed), maxBins);
  const codes = new Uint8Array(column.length);
  const missing = encode(column, edges, codes);
  const bins = edges.length + 1;
  return { codes, bins, missing, edges, ...extremes(column, codes, bins) };
}

/** Bins every column, at most `maxBins` (up to 255) each: one byte for every number of the design. */
export const binColumns = ({ columns }: Design, maxBins: number, seed: number): BinnedColumn[] =>
  columns.map((column, j) => binColumn(column, maxBins, seed + j));

/** What separates bin `low` from the next one `high` that has rows: halfway between the nearest values of both. */
export function thresholdBetween({ least, greatest }: BinnedColumn, low: number, high: number): number {
  return between(greatest[low] as number, least[high] as number);
}

/** Above every number: all that is not missing goes left. */
export const EVERYTHING: number = Math.fround(LARGEST);
