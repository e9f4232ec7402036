/** The file of one chunk: the input's own columns, and what was predicted. */
import { FailureError } from '../failure.ts';
import type { Row } from './rows.ts';
import type { Outcome } from './service.ts';

export type OutputFormat = 'jsonl' | 'csv';

/** `part-00007.jsonl`: its name says which chunk it is, whoever writes it. */
export const partName = (index: number, format: OutputFormat): string =>
  `part-${String(index).padStart(5, '0')}.${format}`;

/** A row with what was predicted of it. Throws InvalidCell for a row with a column of that name: one of the two would be lost. */
export function withOutcome(row: Row, outcome: Outcome): Row {
  const taken = [...Object.keys(outcome), 'error'].find((name) => Object.hasOwn(row, name));
  if (taken === undefined) return { ...row, ...outcome };
  throw new FailureError(
    'InvalidCell',
    `the input has a column ${taken}, and so has the answer; give it another name in the input`,
  );
}

/** One line a row; a CSV file begins with its header. Rows may differ in their columns: CSV has those of all. */
export function textOf(rows: readonly Row[], format: OutputFormat): string {
  if (format === 'jsonl') return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  // Every file of a batch has the column, so that they can be put together.
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  names.delete('error');
  const columns = [...names, 'error'];
  const lines = rows.map((row) => columns.map((column) => cell(row[column])).join(','));
  return `${[columns.map(cell).join(','), ...lines].join('\n')}\n`;
}

/** As RFC 4180 quotes. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
