/**
 * The distribution of the training rows (`profile.json`), for later comparison with what a model is asked.
 *
 * ```
 * { "version": 1, "rows": 3132,
 *   "features": [
 *     { "name": "Length", "type": "number", "count": 3132, "missing": 0, "mean": 0.52, "std": 0.12, "min": 0.07, "max": 0.81,
 *       "quantiles": [0.07, …, 0.81], "histogram": { "edges": [0.07, …, 0.81], "counts": [3, …] } },
 *     { "name": "Sex", "type": "category", "count": 3132, "missing": 0, "categories": { "F": 980, "I": 1007, "M": 1145 } } ],
 *   "target": { "name": "Rings", "type": "number" or "category", … as a feature … } }
 * ```
 * `count` rows have a value, `missing` have none. `std` is the population's. `quantiles[i]` is the (i/20)-quantile, i = 0 … 20,
 * interpolated linearly as numpy does. The histogram has 20 bins of equal width: bin i counts edges[i] ≤ value < edges[i+1],
 * the last one takes the maximum too; a column of one value has one bin. A reader refuses another `version`.
 */
import type { FeatureColumn, Table } from '../model.ts';

const PROFILE_VERSION = 1;
const QUANTILES = 20;
const BINS = 20;

interface NumberProfile {
  readonly name: string;
  readonly type: 'number';
  readonly count: number;
  readonly missing: number;
  /** Absent when no row has a value. */
  readonly mean?: number;
  readonly std?: number;
  readonly min?: number;
  readonly max?: number;
  readonly quantiles?: readonly number[];
  readonly histogram?: { readonly edges: readonly number[]; readonly counts: readonly number[] };
}

interface CategoryProfile {
  readonly name: string;
  readonly type: 'category';
  readonly count: number;
  readonly missing: number;
  /** Every category of the data set, those without a training row too. */
  readonly categories: Readonly<Record<string, number>>;
}

export type ColumnProfile = NumberProfile | CategoryProfile;

export interface Profile {
  readonly version: typeof PROFILE_VERSION;
  readonly rows: number;
  readonly features: readonly ColumnProfile[];
  readonly target: ColumnProfile;
}

type Numbers = Float32Array | Float64Array;

function quantile(sorted: Numbers, share: number): number {
  const at = (sorted.length - 1) * share;
  const lower = sorted[Math.floor(at)] as number;
  const upper = sorted[Math.ceil(at)] as number;
  return lower + (upper - lower) * (at - Math.floor(at));
}

function histogramOf(sorted: Numbers, min: number, max: number): NonNullable<NumberProfile['histogram']> {
  if (min === max) return { edges: [min, max], counts: [sorted.length] };
  const edges = Array.from({ length: BINS + 1 }, (_, i) => (i === BINS ? max : min + ((max - min) * i) / BINS));
  const counts = new Array<number>(BINS).fill(0);
  let bin = 0;
  for (const value of sorted) {
    while (bin < BINS - 1 && value >= (edges[bin + 1] as number)) bin++;
    counts[bin] = (counts[bin] as number) + 1;
  }
  return { edges, counts };
}

/** `values` are sorted in place. */
function numberProfile(name: string, values: Numbers, missing: number): NumberProfile {
  const count = values.length;
  if (count === 0) return { name, type: 'number', count, missing };
  let mean = 0;
  for (const value of values) mean += value / count;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const sorted = values.sort();
  const [min, max] = [sorted[0] as number, sorted[count - 1] as number];
  return {
    ...{ name, type: 'number', count, missing, mean, std: Math.sqrt(squares / count), min, max },
    quantiles: Array.from({ length: QUANTILES + 1 }, (_, i) => quantile(sorted, i / QUANTILES)),
    histogram: histogramOf(sorted, min, max),
  };
}

function categoryProfile(
  name: string,
  ids: Int16Array | Int32Array,
  labels: readonly string[],
  rows: Int32Array,
): CategoryProfile {
  const counts = new Array<number>(labels.length).fill(0);
  let count = 0;
  for (const row of rows) {
    const id = ids[row] as number;
    if (id < 0) continue;
    counts[id] = (counts[id] as number) + 1;
    count++;
  }
  const categories = Object.fromEntries(labels.map((label, id) => [label, counts[id] as number]));
  return { name, type: 'category', count, missing: rows.length - count, categories };
}

/** The values of those rows that are not missing. */
function chosen<T extends Numbers>(into: T, values: T, rows: Int32Array): T {
  let count = 0;
  for (const row of rows) {
    const value = values[row] as number;
    if (!Number.isNaN(value)) into[count++] = value;
  }
  return into.subarray(0, count) as T;
}

function featureProfile(column: FeatureColumn, rows: Int32Array): ColumnProfile {
  if (column.kind === 'category') return categoryProfile(column.name, column.ids, column.categories, rows);
  const values = chosen(new Float32Array(rows.length), column.values, rows);
  return numberProfile(column.name, values, rows.length - values.length);
}

/** Of those rows of the table. */
export const profileOf = ({ features, target, targetName }: Table, rows: Int32Array): Profile => ({
  version: PROFILE_VERSION,
  rows: rows.length,
  features: features.map((column) => featureProfile(column, rows)),
  target:
    target.task === 'classification'
      ? categoryProfile(targetName, target.ids, target.labels, rows)
      : numberProfile(targetName, chosen(new Float64Array(rows.length), target.values, rows), 0),
});
