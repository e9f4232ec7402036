/** Rows of numbers straight from a body's bytes into the model's one tensor; anything out of the ordinary is left to JSON.parse. */
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor } from '../model/tensor.ts';
import { takesFloatRows } from './invocations-rows.ts';
import {
  BRACE,
  BRACKET,
  COMMA,
  type Cursor,
  cursorOf,
  END_BRACE,
  END_BRACKET,
  isAtEnd,
  keyBytes,
  readString,
  take,
  takeKey,
} from './scan/cursor.ts';
import { scanNumbers } from './scan/numbers.ts';
import { createRecordScanner, type ScanRecords } from './scan/records.ts';

const INSTANCES = keyBytes('instances');
const INPUTS = keyBytes('inputs');
const SPLIT = keyBytes('dataframe_split');
const COLUMNS = keyBytes('columns');
const DATA = keyBytes('data');

/**
 * The tensor of `{"instances": [[…]]}` or `{"inputs": [[…]]}` and nothing else, by position, or of a table whose columns
 * are the model's in their order, where `withTable` lets one be. Undefined for every other body, good or bad.
 */
export function scannedRows(body: Buffer, model: ServedModel, withTable: boolean): readonly Tensor[] | undefined {
  if (!takesFloatRows(model)) return undefined;
  const cursor = cursorOf(body);
  if (!take(cursor, BRACE)) return undefined;
  const isPlain = takeKey(cursor, INSTANCES) || takeKey(cursor, INPUTS);
  const tensor = isPlain ? matrix(cursor, model) : withTable ? table(cursor, model) : undefined;
  return tensor && take(cursor, END_BRACE) && isAtEnd(cursor) ? [tensor] : undefined;
}

const recordScanners = new WeakMap<ServedModel, ScanRecords>();

function recordScannerOf(model: ServedModel): ScanRecords {
  const known = recordScanners.get(model);
  if (known) return known;
  const form = { list: 'dataframe_records', takesRecord: false, isExact: true };
  const scan = model.layout ? createRecordScanner(model.layout, model.maxRows, form) : () => undefined;
  recordScanners.set(model, scan);
  return scan;
}

/** The tensors of `{"dataframe_records": [{…}]}` and nothing else, each row with exactly the model's columns. */
export function scannedRecords(body: Buffer, model: ServedModel): readonly Tensor[] | undefined {
  const records = recordScannerOf(model)(body);
  return records && model.takesRows?.(records.rows) ? records.inputs : undefined;
}

function matrix(cursor: Cursor, { maxRows, signature }: ServedModel): Tensor | undefined {
  const width = signature.inputs.length;
  const scanned = scanNumbers(cursor, 'float32', maxRows * width);
  if (scanned?.dims.length !== 2 || scanned.dims[1] !== width) return undefined;
  return { type: 'float32', dims: scanned.dims, data: scanned.data };
}

function table(cursor: Cursor, model: ServedModel): Tensor | undefined {
  if (!takeKey(cursor, SPLIT) || !take(cursor, BRACE) || !takeKey(cursor, COLUMNS) || !takeNames(cursor, model))
    return undefined;
  if (!take(cursor, COMMA) || !takeKey(cursor, DATA)) return undefined;
  const tensor = matrix(cursor, model);
  return tensor && take(cursor, END_BRACE) ? tensor : undefined;
}

function takeNames(cursor: Cursor, { signature }: ServedModel): boolean {
  const areNames = signature.inputs.every(
    ({ name }, i) => take(cursor, i === 0 ? BRACKET : COMMA) && readString(cursor) === name,
  );
  return areNames && take(cursor, END_BRACKET);
}
