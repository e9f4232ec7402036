/** The held-out rows as one model takes them: its columns by name, every cell as what its type is. */
import { isUtf8 } from 'node:buffer';
import { type ColumnType, type InputColumn, normalizedName, TARGET_COLUMN } from '@slipway/contract';
import { CsvError, csvRows } from '../request/csv.ts';

/** The rows cannot be handed to this model; the message says why and names column or line. */
export class HeldOutError extends Error {
  override readonly name = 'HeldOutError';
}

export type Row = Readonly<Record<string, unknown>>;

const BYTE_ORDER_MARK = '\uFEFF';

/** Rows in the order of the file. Throws HeldOutError at the first that is not one, or when a column is not there. */
export function* heldOutRows(bytes: Buffer, columns: readonly InputColumn[]): Generator<Row> {
  if (!isUtf8(bytes)) throw new HeldOutError('the held-out rows are not UTF-8');
  const text = bytes.toString('utf8');
  const rows = csvRows(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  try {
    const header = rows.next();
    if (header.done) throw new HeldOutError('the held-out rows have no header');
    const { cells } = header.value;
    const places = columns.map((column) => placeOf(column, cells));
    for (const row of rows) {
      if (row.cells.length !== cells.length) {
        throw new CsvError(row.line, `expected ${cells.length} cells, got ${row.cells.length}`);
      }
      yield rowOf(places, row.cells);
    }
  } catch (error) {
    if (error instanceof CsvError) throw new HeldOutError(`the held-out rows: ${error.message}`);
    throw error;
  }
}

interface Place {
  readonly name: string;
  readonly cell: number;
  readonly read: (cell: string) => unknown;
}

/** The column of that name; else the only one that differs in case, spaces, punctuation and units alone. */
function placeOf({ name, type }: InputColumn, header: readonly string[]): Place {
  const exact = header.indexOf(name);
  if (exact !== -1) return { name, cell: exact, read: READERS[type] };
  const alike = header.flatMap((other, i) => (normalizedName(other) === normalizedName(name) ? [i] : []));
  const [cell, another] = alike;
  if (cell !== undefined && another === undefined) return { name, cell, read: READERS[type] };
  const known = header
    .filter((other) => other !== TARGET_COLUMN)
    .map((other) => JSON.stringify(other))
    .join(', ')
    .slice(0, 400);
  throw new HeldOutError(`the model takes ${JSON.stringify(name)}, the held-out rows have ${known}`);
}

const rowOf = (places: readonly Place[], cells: readonly string[]): Row =>
  Object.fromEntries(places.map(({ name, cell, read }) => [name, read(cells[cell] as string)]));

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const MISSING = /^(?:|na|nan|null|none)$/i;

/** A number; null for an empty cell or a word for nothing; else the text, for the model's own check to refuse. */
function numberIn(cell: string): unknown {
  const text = cell.trim();
  if (DECIMAL.test(text)) return Number(text);
  return MISSING.test(text) ? null : cell;
}

const BOOLEANS = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);
const booleanIn = (cell: string): unknown => BOOLEANS.get(cell.trim().toLowerCase()) ?? (cell === '' ? null : cell);

const READERS: Readonly<Record<ColumnType, (cell: string) => unknown>> = {
  float32: numberIn,
  float64: numberIn,
  int64: numberIn,
  int32: numberIn,
  bool: booleanIn,
  string: (cell) => cell,
};
