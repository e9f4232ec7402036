/** Rows as a client would send them. */
import type { FeatureColumn } from '../model.ts';
import { shortestFloat32 } from './shortest.ts';

/** Undefined where the value is missing. */
export function valueAt(column: FeatureColumn, row: number): number | string | undefined {
  if (column.kind === 'category') return column.categories[column.ids[row] as number];
  const value = column.values[row] as number;
  return Number.isNaN(value) ? undefined : shortestFloat32(value);
}

/** At most `most` of the numbers 0 … count-1, spread evenly and in ascending order. */
export const spread = (count: number, most: number): number[] =>
  Array.from({ length: Math.min(count, most) }, (_, i) => Math.floor((i * count) / Math.min(count, most)));
