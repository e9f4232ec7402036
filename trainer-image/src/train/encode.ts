/** From columns as they were read to what a learner sees. What is learnt of the data here is learnt from training rows only. */
import type { AlgorithmName } from '@slipway/contract';
import type { CategoryColumn, Design, Encoding, FeatureColumn, NumberColumn } from '../model.ts';

export interface EncodingRules {
  /** What stands in for a missing number; `keep`: the model learns where it goes. */
  readonly missing: 'mean' | 'median' | 'keep';
  /** Without a penalty one category of each column says nothing that the intercept does not say. */
  readonly dropsFirstCategory: boolean;
}

export const ENCODING_RULES: Readonly<Record<AlgorithmName, EncodingRules>> = {
  'logistic-regression': { missing: 'mean', dropsFirstCategory: false },
  'linear-regression': { missing: 'mean', dropsFirstCategory: true },
  ridge: { missing: 'mean', dropsFirstCategory: false },
  'random-forest': { missing: 'median', dropsFirstCategory: false },
  'gradient-boosting': { missing: 'keep', dropsFirstCategory: false },
};

/** The values of `rows` that are there. */
function present({ values }: NumberColumn, rows: Int32Array): Float32Array {
  const found = new Float32Array(rows.length);
  let count = 0;
  for (const row of rows) {
    const value = values[row] as number;
    if (!Number.isNaN(value)) found[count++] = value;
  }
  return found.subarray(0, count);
}

function meanOf(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function medianOf(values: Float32Array): number {
  const sorted = values.sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

function imputeFor(column: NumberColumn, rows: Int32Array, { missing }: EncodingRules): number | 'keep' {
  if (missing === 'keep' || column.missing === 0) return 'keep';
  const values = present(column, rows);
  // All that is known of the column may lie among the validation rows.
  if (values.length === 0) return 0;
  // The exported graph holds it as float32.
  return Math.fround(missing === 'mean' ? meanOf(values) : medianOf(values));
}

function categoriesIn({ ids, categories }: CategoryColumn, rows: Int32Array): string[] {
  const seen = new Uint8Array(categories.length);
  for (const row of rows) if ((ids[row] as number) >= 0) seen[ids[row] as number] = 1;
  return categories.filter((_, id) => seen[id] === 1);
}

function encodingsOf(column: FeatureColumn, feature: number, rows: Int32Array, rules: EncodingRules): Encoding[] {
  if (column.kind === 'number') return [{ feature, kind: 'number', impute: imputeFor(column, rows, rules) }];
  const known = categoriesIn(column, rows);
  const told = rules.dropsFirstCategory && known.length > 1 ? known.slice(1) : known;
  return told.map((category) => ({ feature, kind: 'is', category }));
}

/** How every feature is encoded, learnt from `rows`: numbers by one column, categories by one for each that occurs. */
export const encodingsFor = (
  features: readonly FeatureColumn[],
  rows: Int32Array,
  rules: EncodingRules,
): readonly Encoding[] => features.flatMap((column, feature) => encodingsOf(column, feature, rows, rules));

function numberColumn({ values }: NumberColumn, rows: Int32Array, impute: number | 'keep'): Float32Array {
  const out = new Float32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const value = values[rows[i] as number] as number;
    out[i] = impute !== 'keep' && Number.isNaN(value) ? impute : value;
  }
  return out;
}

function indicatorColumn({ ids, categories }: CategoryColumn, rows: Int32Array, category: string): Uint8Array {
  const wanted = categories.indexOf(category);
  const out = new Uint8Array(rows.length);
  for (let i = 0; i < rows.length; i++) if (ids[rows[i] as number] === wanted) out[i] = 1;
  return out;
}

/** The design of those rows, in their order. */
export function designOf(features: readonly FeatureColumn[], rows: Int32Array, encodings: readonly Encoding[]): Design {
  const columns = encodings.map((encoding) => {
    const column = features[encoding.feature] as FeatureColumn;
    return encoding.kind === 'number'
      ? numberColumn(column as NumberColumn, rows, encoding.impute)
      : indicatorColumn(column as CategoryColumn, rows, encoding.category);
  });
  return { rows: rows.length, columns, encodings };
}
