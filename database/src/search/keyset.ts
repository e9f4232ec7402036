/**
 * Pages by key: a page begins after the values of the row before it, however many rows there are. The order of a search
 * is a list of columns that are never null and together unique, so that a row has one place.
 */
import type { Parameters } from './parameters.ts';

export interface SortColumn {
  /** SQL, never null. */
  readonly expression: string;
  readonly type: 'text' | 'integer' | 'double precision' | 'timestamptz';
  readonly ascending: boolean;
}

export const ascending = (expression: string, type: SortColumn['type']): SortColumn => ({
  expression,
  type,
  ascending: true,
});
export const descending = (expression: string, type: SortColumn['type']): SortColumn => ({
  expression,
  type,
  ascending: false,
});

const defaults = { text: `''`, integer: '0', 'double precision': '0', timestamptz: `'epoch'::timestamptz` } as const;

/** Two columns for one that may be null: what is missing comes last, whatever the direction. */
export const nullsLast = (column: SortColumn): SortColumn[] => [
  ascending(`(${column.expression} IS NULL)::integer`, 'integer'),
  { ...column, expression: `coalesce(${column.expression}, ${defaults[column.type]})` },
];

/** Real values, then NaN, then what is missing, whatever the direction. */
export const nanThenNullsLast = (expression: string, ascends: boolean): SortColumn[] => [
  ascending(`CASE WHEN ${expression} IS NULL THEN 2 WHEN ${expression} = 'NaN' THEN 1 ELSE 0 END`, 'integer'),
  { expression: `coalesce(nullif(${expression}, 'NaN'), 0)`, type: 'double precision', ascending: ascends },
];

export const orderClause = (columns: readonly SortColumn[]): string =>
  columns.map((column) => `${column.expression} ${column.ascending ? 'ASC' : 'DESC'}`).join(', ');

/** The values of a row that a page token keeps; as text every type comes back exactly as it was. */
export const keyColumns = (columns: readonly SortColumn[]): string =>
  `ARRAY[${columns.map((column) => `(${column.expression})::text`).join(', ')}]`;

/**
 * Rows after the one with these values. The first column is bounded on its own as well, which is what an index scan
 * starts from.
 */
export function afterKey(columns: readonly SortColumn[], values: readonly string[], into: Parameters): string {
  const placeholders = columns.map((column, index) => `${into.add(values[index])}::${column.type}`);
  const beyond = (index: number): string => {
    const { expression, ascending: ascends } = columns[index] as SortColumn;
    const past = `${expression} ${ascends ? '>' : '<'} ${placeholders[index]}`;
    return index === columns.length - 1
      ? past
      : `(${past} OR (${expression} = ${placeholders[index]} AND ${beyond(index + 1)}))`;
  };
  const [first] = columns as [SortColumn];
  return `${first.expression} ${first.ascending ? '>=' : '<='} ${placeholders[0]} AND ${beyond(0)}`;
}
