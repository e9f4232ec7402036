/** Designs for tests: from columns of numbers, from chance, and the iris data. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Design } from '../../model.ts';
import type { Column } from '../blocks.ts';
import { randomFrom } from '../random.ts';

/** Columns of numbers are kept as 32-bit ones, typed arrays as they are. */
export function designOf(...columns: (readonly number[] | Column)[]): Design {
  const typed = columns.map((column) =>
    column instanceof Float32Array || column instanceof Uint8Array ? column : Float32Array.from(column),
  );
  return {
    rows: typed[0]?.length ?? 0,
    columns: typed,
    encodings: typed.map((_, feature) => ({ feature, kind: 'number', impute: 'keep' })),
  };
}

/** Columns of numbers between -1 and 1. */
export function randomDesign(rows: number, columns: number, seed: number): Design {
  const random = randomFrom(seed);
  return designOf(
    ...Array.from({ length: columns }, () => Float32Array.from({ length: rows }, () => 2 * random() - 1)),
  );
}

/** The four measurements and the species, in the order of the names. */
export function iris(): { readonly design: Design; readonly ids: Int32Array } {
  const file = join(import.meta.dirname, '../../../data/iris.csv');
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
  const cells = lines.map((line) => line.split(','));
  const names = [...new Set(cells.map((row) => row[4] as string))].sort();
  return {
    design: designOf(...[0, 1, 2, 3].map((j) => cells.map((row) => Number(row[j])))),
    ids: Int32Array.from(cells, (row) => names.indexOf(row[4] as string)),
  };
}

/** Chosen rows of a design, in the order given. */
export const rowsOf = (design: Design, rows: readonly number[]): Design => ({
  ...design,
  rows: rows.length,
  columns: design.columns.map((column) =>
    column instanceof Uint8Array
      ? Uint8Array.from(rows, (row) => column[row] as number)
      : Float32Array.from(rows, (row) => column[row] as number),
  ),
});
