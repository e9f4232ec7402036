/** A table as text, the way `DataFrame.to_csv` writes it, as rows of values typed by the model's columns. */
import { isUtf8 } from 'node:buffer';
import { type ColumnType, normalizedName } from '@slipway/contract';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor } from '../model/tensor.ts';
import { CsvError, csvRows } from '../request/csv.ts';
import { bad, tensorsByPosition } from './invocations-rows.ts';
import { integerOf } from './json.ts';

/** What pandas reads as a missing value; the texts of a text column are left alone but for the empty one. */
const MISSING = new Set(['', 'NaN', 'nan', 'NA', 'N/A', 'null', 'NULL', 'None']);
const TRUTH: Readonly<Record<string, boolean>> = {
  true: true,
  True: true,
  TRUE: true,
  false: false,
  False: false,
  FALSE: false,
};
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** Undefined when there is a header and no row. Throws Refusal 400 naming line and column. */
export function tensorsOfCsv(body: Buffer, model: ServedModel): readonly Tensor[] | undefined {
  if (!isUtf8(body)) throw bad('The body is not UTF-8 text');
  const { header, rows, lines } = tableOf(body.toString('utf8').replace(/^\uFEFF/, ''), model);
  const place = (row: number): string => `line ${lines[row]}`;
  return tensorsByPosition(rows, header, place, model);
}

interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  /** By row, the line it stands on. */
  readonly lines: readonly number[];
}

function tableOf(text: string, model: ServedModel): Table {
  const rows: unknown[][] = [];
  const lines: number[] = [];
  let header: readonly string[] | undefined;
  let types: readonly (ColumnType | undefined)[] = [];
  try {
    for (const { line, cells } of csvRows(text)) {
      if (cells.length === 1 && cells[0] === '') continue;
      if (!header) {
        header = cells;
        types = typesOf(cells, model);
        continue;
      }
      if (cells.length !== header.length) {
        throw bad(`line ${line}: expected ${header.length} cells like the header, got ${cells.length}`);
      }
      if (rows.length === model.maxRows) {
        throw bad(`The request has more than ${model.maxRows} rows; send fewer rows per request`);
      }
      rows.push(cells.map((cell, column) => cellValue(cell, types[column])));
      lines.push(line);
    }
  } catch (error) {
    if (error instanceof CsvError) throw bad(`The body is not a table of comma-separated cells: ${error.message}`);
    throw error;
  }
  if (!header) throw bad('The body is empty; expected a line with the names of the columns, then a line for every row');
  return { header, rows, lines };
}

/** By cell of the header; undefined for what the model does not take. */
function typesOf(header: readonly string[], { signature }: ServedModel): readonly (ColumnType | undefined)[] {
  const types = new Map(signature.inputs.map(({ name, type }) => [name, type]));
  const loose = new Map(signature.inputs.map(({ name, type }) => [normalizedName(name), type]));
  return header.map((name) => types.get(name) ?? (name.length <= 256 ? loose.get(normalizedName(name)) : undefined));
}

function cellValue(cell: string, type: ColumnType | undefined): unknown {
  if (type === undefined) return undefined;
  if (type === 'string') return cell === '' ? null : cell;
  if (MISSING.has(cell)) return null;
  if (type === 'bool') return TRUTH[cell] ?? cell;
  return NUMBER.test(cell) ? numberIn(cell, type) : cell;
}

/** Every digit where a JavaScript number would lose some that count. */
function numberIn(cell: string, type: ColumnType): number | bigint {
  const number = Number(cell);
  if (type !== 'int64' || !Number.isInteger(number) || Number.isSafeInteger(number)) return number;
  return integerOf(cell.trim().replace(/^\+/, '')) ?? number;
}
