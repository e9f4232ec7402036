/** Numbers as people read them. */
import type { Interval } from './statistics.ts';

/** Three digits that count, thousands set apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `9.31 (8.70–9.60)`. */
export const spread = ({ median, low, high }: Interval, unit = ''): string =>
  low === high ? `${figure(median)}${unit}` : `${figure(median)}${unit} (${figure(low)}–${figure(high)})`;

/** A table in Markdown: the first column is text, the others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = `|${head.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`;
  return [line(head), rule, ...rows.map((row) => line(row.map((cell) => cell.replaceAll('|', '\\|'))))].join('\n');
}
