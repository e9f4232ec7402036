/**
 * Rows as the clients of MLflow and of KServe V1 write them (lists by position, records, a dictionary of columns, a table
 * with a header) made into the model's inputs. Columns come in any order, those the model does not take are ignored.
 */
import { normalizedName } from '@slipway/contract';
import { typeName } from '../model/column.ts';
import { cut, listed } from '../model/cut.ts';
import { RowError } from '../model/row-error.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor } from '../model/tensor.ts';
import { Refusal } from '../request/refusal.ts';
import { isObject, pointerSegment as segment } from './json.ts';

type Row = readonly unknown[];
type Named = Readonly<Record<string, unknown>>;

/** Where a fault lies, as a JSON pointer (or a line, for a text): of a row, or of one of its values. */
type Place = (row: number, column?: string | number) => string;

/** 400 in the words of whoever asked: the protocol puts the message into its own form. */
export const bad = (message: string): Refusal => new Refusal(400, message);

const MAX_KEY = 128;

/** The place of a row, or of a value in it, below `/path`. */
export const pointer =
  (path: string): Place =>
  (row, column) =>
    `/${path}/${row}${column === undefined ? '' : `/${segment(column)}`}`;

const columnNames = (model: ServedModel): readonly string[] => model.signature.inputs.map(({ name }) => name);

/**
 * What stands under `instances` or `inputs`, at `path`: a list of lists by position, a list of records, one value a row for
 * a model of one column, or a dictionary of columns. Undefined when there are no rows. Throws Refusal 400.
 */
export function tensorsOfRows(given: unknown, path: string, model: ServedModel): readonly Tensor[] | undefined {
  if (isObject(given)) return tensorsOfColumns(given, path, model);
  if (!Array.isArray(given)) throw bad(`/${path}: expected a list of rows, got ${typeName(given)}`);
  const [first] = given;
  if (isObject(first)) return tensorsOfRecords(given, path, model);
  const rows = model.signature.inputs.length === 1 && !Array.isArray(first) ? given.map((value) => [value]) : given;
  return tensorsByPosition(rows, undefined, pointer(path), model);
}

/** Lists by position: in the order of `columns`, or in that of the model's own. */
export function tensorsByPosition(
  rows: readonly unknown[],
  columns: readonly string[] | undefined,
  place: Place,
  model: ServedModel,
): readonly Tensor[] | undefined {
  const names = columnNames(model);
  const order = columns ? orderOf(columns, model, 'the table') : names.map((_, index) => index);
  if (rows.length === 0) return undefined;
  checkCount(rows.length, model);
  const width = columns?.length ?? names.length;
  const checked = rows.map((row, index) => checkedRow(row, width, place(index)));
  return floatMatrix(checked, order, model) ?? encoded(named(checked, names, order), place, model);
}

function checkedRow(row: unknown, width: number, at: string): Row {
  if (!Array.isArray(row)) throw bad(`${at}: expected a list of ${width} values, got ${typeName(row)}`);
  if (row.length !== width) throw bad(`${at}: expected ${width} values, one for each column, got ${row.length}`);
  return row;
}

const named = (rows: readonly Row[], names: readonly string[], order: readonly (number | undefined)[]): Named[] =>
  rows.map((row) => {
    const record: Record<string, unknown> = Object.create(null);
    names.forEach((name, column) => {
      const from = order[column];
      if (from !== undefined) record[name] = row[from];
    });
    return record;
  });

/** The common case without an object a row: undefined when anything is out of the ordinary, and then nothing counts. */
function floatMatrix(
  rows: readonly Row[],
  order: readonly (number | undefined)[],
  model: ServedModel,
): readonly Tensor[] | undefined {
  if (!takesFloatRows(model)) return undefined;
  const width = order.length;
  const data = new Float32Array(rows.length * width);
  let at = 0;
  for (const row of rows) {
    for (let column = 0; column < width; column++) {
      const value = row[order[column] as number];
      data[at] = value as number;
      if (typeof value !== 'number' || !Number.isFinite(data[at])) return undefined;
      at++;
    }
  }
  return [{ type: 'float32', dims: [rows.length, width], data }];
}

/** True when a row of the model is a row of numbers in its one input, as wide as its columns, for any number of rows. */
export function takesFloatRows({ inputs, signature }: ServedModel): boolean {
  const [only, another] = inputs;
  if (!only || another || only.type !== 'float32' || only.dims.length !== 2 || only.dims[0] !== -1) return false;
  if (only.dims[1] !== signature.inputs.length) return false;
  return signature.inputs.every(({ type }) => type === 'float32' || type === 'float64');
}

/** Records, each with its own keys. */
export function tensorsOfRecords(
  records: readonly unknown[],
  path: string,
  model: ServedModel,
): readonly Tensor[] | undefined {
  if (records.length === 0) return undefined;
  checkCount(records.length, model);
  const names = columnNames(model);
  const place = pointer(path);
  let keys: readonly string[] = [];
  let order: readonly (number | undefined)[] | undefined;
  const rows = records.map((record, index) => {
    if (!isObject(record)) throw bad(`${place(index)}: expected an object of columns, got ${typeName(record)}`);
    const own = Object.keys(record);
    // Rows of one request look alike: their keys are looked up once.
    if (!order || own.length !== keys.length || own.some((key, i) => key !== keys[i])) {
      keys = own;
      order = orderOf(own, model, place(index));
    }
    const clean: Record<string, unknown> = Object.create(null);
    for (let column = 0; column < names.length; column++) {
      const from = order[column];
      if (from !== undefined) clean[names[column] as string] = record[keys[from] as string];
    }
    return clean;
  });
  return encoded(rows, place, model);
}

/** A dictionary of columns; or of the model's one input tensor, by its name, as MLflow's clients of a tensor signature send it. */
function tensorsOfColumns(given: Named, path: string, model: ServedModel): readonly Tensor[] | undefined {
  const keys = Object.keys(given);
  const tensor = given[model.inputs[0]?.name ?? ''];
  if (keys.length === 1 && Array.isArray(tensor) && Array.isArray(tensor[0]) && model.inputs.length === 1) {
    return tensorsByPosition(tensor, undefined, pointer(`${path}/${segment(keys[0] as string)}`), model);
  }
  const order = orderOf(keys, model, `/${path}`);
  const names = columnNames(model);
  const place: Place = (row, column) => (column === undefined ? `/${path}` : `/${path}/${segment(column)}/${row}`);
  const columns = order.map((from) => (from === undefined ? undefined : given[keys[from] as string]));
  const count = columnLength(columns, names, path);
  if (count === 0) return undefined;
  checkCount(count, model);
  const rows = Array.from({ length: count }, (_, row) => columns.map((values) => (values as Row | undefined)?.[row]));
  const present = order.map((from, column) => (from === undefined ? undefined : column));
  return encoded(named(rows, names, present), place, model);
}

function columnLength(columns: readonly unknown[], names: readonly string[], path: string): number {
  let count: number | undefined;
  columns.forEach((values, column) => {
    if (values === undefined) return;
    const at = `/${path}/${segment(names[column] as string)}`;
    if (!Array.isArray(values)) throw bad(`${at}: expected a list with a value for every row, got ${typeName(values)}`);
    count ??= values.length;
    if (values.length !== count)
      throw bad(`${at}: expected ${count} values like the first column, got ${values.length}`);
  });
  return count ?? 0;
}

function checkCount(count: number, { maxRows }: ServedModel): void {
  if (count > maxRows)
    throw bad(`The request has ${count} rows, expected at most ${maxRows}; send fewer rows per request`);
}

/** By column of the model, which of `keys` it is. Throws Refusal 400 for a column that is missing, or given twice. */
function orderOf(keys: readonly string[], { signature }: ServedModel, where: string): readonly (number | undefined)[] {
  const exact = new Map(keys.map((key, index) => [key, index]));
  let loose: Map<string, number[]> | undefined;
  return signature.inputs.map(({ name, optional }) => {
    const found = exact.get(name);
    if (found !== undefined && exact.size < keys.length && keys.indexOf(name) !== found) {
      throw bad(`${where}: column ${JSON.stringify(name)} is given more than once; give it once`);
    }
    if (found !== undefined) return found;
    loose ??= looseKeys(keys, new Set(signature.inputs.map((column) => column.name)));
    const [only, another] = loose.get(normalizedName(name)) ?? [];
    if (another !== undefined) {
      throw bad(
        `${where}: column ${JSON.stringify(name)} is given more than once under similar names; use its exact name`,
      );
    }
    if (only !== undefined || optional) return only;
    const takes = listed(signature.inputs.map((column) => column.name));
    throw bad(`${where}: column ${JSON.stringify(name)} is missing; the model takes ${takes}`);
  });
}

/** Keys that are no column's exact name, by their normalised one. Longer keys cannot be a column's name. */
function looseKeys(keys: readonly string[], exact: ReadonlySet<string>): Map<string, number[]> {
  const loose = new Map<string, number[]>();
  keys.forEach((key, index) => {
    if (exact.has(key) || key.length > 2 * MAX_KEY) return;
    const normal = normalizedName(key);
    loose.set(normal, [...(loose.get(normal) ?? []), index]);
  });
  return loose;
}

function encoded(rows: readonly Named[], place: Place, model: ServedModel): readonly Tensor[] {
  try {
    return model.encode(rows);
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    if (error.row === -1) throw bad(error.message);
    const of = error.field === undefined ? '' : ` (column ${JSON.stringify(cut(error.field, MAX_KEY))})`;
    // Whoever still has the body may read it again, with all digits.
    throw Object.assign(bad(`${place(error.row, error.field)}${of}: ${error.message}`), { cause: error });
  }
}
