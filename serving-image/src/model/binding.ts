/** From rows of named values to the model's input tensors, checked while they are filled: one pass, first error only. */
import { type InputColumn, type ModelSignature, normalizedName } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import {
  LOST_DIGITS,
  missingValue,
  orMissing,
  typeName,
  valueWriter,
  type WriteValue,
  writeCategory,
} from './column.ts';
import { listed } from './cut.ts';
import type { Categories } from './onnx/nodes.ts';
import { LostDigitsError, RowError } from './row-error.ts';
import { allocate, elementCount, type Tensor, type TensorData, type TensorSpec } from './tensor.ts';

/** Throws RowError for the first value that is missing, of the wrong type, not finite, unknown or ambiguous, LostDigitsError for an integer that is no longer exact. */
export interface EncodeRows {
  (rows: readonly unknown[]): Tensor[];
  /** The same as data, for readers that fill tensors from something else than objects. */
  readonly layout?: InputLayout;
}

export interface InputLayout {
  readonly places: readonly Place[];
  readonly inputs: readonly TensorSpec[];
  /** The shape of each input for so many rows. */
  readonly shapes: (rows: number) => number[][];
  /** Every value is a float32 of one matrix, in the order of `places`, and none may be missing. */
  readonly isPlainMatrix: boolean;
  /** The index of the place a row's key names, exactly or normalised; undefined when none or when that is not clear. */
  readonly placeOf: (key: string) => number | undefined;
}

/** Where the values of one column go. */
export interface Place {
  readonly name: string;
  /** Index of the tensor, and of the value within one of its rows. */
  readonly input: number;
  readonly offset: number;
  readonly stride: number;
  /** A row may leave it out. */
  readonly isOptional: boolean;
  readonly write: WriteValue;
}

type Row = Readonly<Record<string, unknown>>;

/** Throws SignatureMismatch when the columns cannot be handed to these inputs. `categories` are by name of the input. */
export function bindInputs(
  signature: ModelSignature,
  inputs: readonly TensorSpec[],
  categories: ReadonlyMap<string, Categories> = new Map(),
): EncodeRows {
  const places = placesOf(signature.inputs, inputs, categories);
  const keysOf = keyFinder(places.map(({ name }) => name));
  const isFloatMatrix = inputs.length === 1 && inputs[0]?.type === 'float32' && signature.inputs.every(isFloatColumn);
  const shapes = (rows: number): number[][] =>
    inputs.map(({ dims }) => [rows, ...dims.slice(1).map((dim) => (dim === -1 ? places.length : dim))]);
  const encode = (rows: readonly unknown[]): Tensor[] => {
    const dims = shapes(rows.length);
    const tensors = inputs.map(({ type }, i) => {
      const shape = dims[i] as number[];
      return { type, dims: shape, data: allocate(type, elementCount(shape)) };
    });
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (isFloatMatrix && fillFloats(places, row as Row, tensors[0]?.data as Float32Array, i)) continue;
      fillRow(places, keysOf, tensors, row, i);
    }
    return tensors;
  };
  const isPlainMatrix = isFloatMatrix && inputs[0]?.dims.length === 2 && places.every((place) => !place.isOptional);
  const placeOf = placeFinder(places.map(({ name }) => name));
  return Object.assign(encode, { layout: { places, inputs, shapes, isPlainMatrix, placeOf } });
}

const isFloatColumn = ({ type }: InputColumn): boolean => type === 'float32' || type === 'float64';

/** The common case, without a call per value: false when anything is out of the ordinary, and then nothing counts. */
function fillFloats(places: readonly Place[], row: Row, data: Float32Array, index: number): boolean {
  if (typeof row !== 'object' || row === null) return false;
  const base = index * places.length;
  for (let column = 0; column < places.length; column++) {
    const value = row[(places[column] as Place).name];
    if (typeof value !== 'number') return false;
    data[base + column] = value;
    if (!Number.isFinite(data[base + column])) return false;
  }
  let keys = 0;
  for (const _ in row) keys++;
  return keys === places.length;
}

function fillRow(
  places: readonly Place[],
  keysOf: (row: Row, index: number) => Keys,
  tensors: readonly { readonly data: TensorData }[],
  row: unknown,
  index: number,
): void {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new RowError(index, undefined, 'dict_type', `Input should be an object of features, got ${typeName(row)}`);
  }
  const { keys, unknown } = keysOf(row as Row, index);
  places.forEach((place, column) => {
    const key = keys[column];
    if (key === undefined && !place.isOptional) throw new RowError(index, place.name, 'missing', 'Field required');
    const data = tensors[place.input]?.data as TensorData;
    const value = key === undefined ? undefined : (row as Row)[key];
    const problem = place.write(value, data, index * place.stride + place.offset);
    if (!problem) return;
    const Fault = problem === LOST_DIGITS ? LostDigitsError : RowError;
    throw new Fault(index, place.name, problem.type, problem.message);
  });
  if (unknown !== undefined) {
    const known = listed(places.map(({ name }) => name));
    throw new RowError(index, unknown, 'extra_forbidden', `Extra inputs are not permitted; the model takes ${known}`);
  }
}

interface Keys {
  /** By column, the row's own key for it. */
  readonly keys: readonly (string | undefined)[];
  /** The first key that names no column. */
  readonly unknown: string | undefined;
}

/** Longer keys cannot be a column's name and are not worth comparing. */
const MAX_KEY = 256;

const byNormalName = (names: readonly string[]): Map<string, number[]> => {
  const columns = new Map<string, number[]>();
  names.forEach((name, column) => {
    const normal = normalizedName(name);
    columns.set(normal, [...(columns.get(normal) ?? []), column]);
  });
  return columns;
};

function placeFinder(names: readonly string[]): InputLayout['placeOf'] {
  const exact = new Map(names.map((name, column) => [name, column]));
  const loose = byNormalName(names);
  return (key) => {
    const columns = exact.has(key) || key.length > MAX_KEY ? undefined : loose.get(normalizedName(key));
    return exact.get(key) ?? (columns?.length === 1 ? columns[0] : undefined);
  };
}

/** Finds each column's key in a row: by its exact name, else by its normalised one. Throws RowError if ambiguous. */
function keyFinder(names: readonly string[]): (row: Row, index: number) => Keys {
  const exact = new Set(names);
  const loose = byNormalName(names);
  const columnsFor = (key: string): readonly number[] =>
    key.length > MAX_KEY ? [] : (loose.get(normalizedName(key)) ?? []);
  return (row, index) => {
    const keys = names.map((name) => (Object.hasOwn(row, name) ? name : undefined));
    let unknown: string | undefined;
    for (const key of Object.keys(row)) {
      if (exact.has(key)) continue;
      const columns = columnsFor(key);
      const column = columns[0];
      if (column === undefined) {
        unknown ??= key;
        continue;
      }
      const rival = keys[column];
      if (columns.length > 1 || rival !== undefined) throw ambiguous(index, key, columns, names, rival);
      keys[column] = key;
    }
    return { keys, unknown };
  };
}

function ambiguous(
  index: number,
  key: string,
  columns: readonly number[],
  names: readonly string[],
  rival: string | undefined,
): RowError {
  const candidates = listed(columns.map((column) => names[column] as string));
  const why = rival === undefined ? `it could be ${candidates}` : `${candidates} is given twice`;
  return new RowError(index, key, 'ambiguous_name', `Ambiguous feature name: ${why}; use the exact name once`);
}

/** True when the columns are, in their order, those of the model's one input; else each is an input of its own. */
export function isMatrix(columns: readonly InputColumn[], inputs: readonly TensorSpec[]): boolean {
  const [only, another] = inputs;
  if (only === undefined || another !== undefined || only.dims.length !== 2) return false;
  return only.dims[1] === columns.length || only.dims[1] === -1;
}

function placesOf(
  columns: readonly InputColumn[],
  inputs: readonly TensorSpec[],
  categories: ReadonlyMap<string, Categories>,
): Place[] {
  const matrix = isMatrix(columns, inputs) ? inputs[0] : undefined;
  const places = columns.map((column, offset) => {
    const input = matrix ? 0 : namedInput(column, inputs);
    const spec = inputs[input] as TensorSpec;
    const at = matrix ? { input, offset, stride: columns.length } : { input, offset: 0, stride: 1 };
    return placeOf(column, spec, at, categories.get(spec.name));
  });
  const free = inputs.find((_, index) => !places.some(({ input }) => input === index));
  if (free) throw mismatch(`no column feeds the model's input ${describe(free)}`);
  const shared = matrix ? undefined : places.find(({ input }, i) => places.findIndex((p) => p.input === input) !== i);
  if (shared) throw mismatch(`two columns feed the model's input ${describe(inputs[shared.input] as TensorSpec)}`);
  const twice = columns.find(({ name }, i) => columns.findIndex((other) => other.name === name) !== i);
  if (twice) throw mismatch(`column ${JSON.stringify(twice.name)} is listed twice`);
  return places;
}

function namedInput(column: InputColumn, inputs: readonly TensorSpec[]): number {
  const input = inputIndex(column.name, inputs);
  const spec = inputs[input];
  if (!spec) {
    const have = inputs.slice(0, 8).map(describe).join(', ');
    throw mismatch(
      `column ${JSON.stringify(column.name)} fits no input of the model (${have}): expected one matrix with as many ` +
        'columns as the signature, or one input per column with its name',
    );
  }
  if (spec.dims.length !== 1 && !(spec.dims.length === 2 && spec.dims[1] === 1)) {
    throw mismatch(`the model's input ${describe(spec)} takes no single column; expected shape [N] or [N,1]`);
  }
  return input;
}

function placeOf(
  column: InputColumn,
  spec: TensorSpec,
  at: Pick<Place, 'input' | 'offset' | 'stride'>,
  texts: Categories | undefined,
): Place {
  const writeAny = valueWriter(column.type, spec.type);
  const isOptional = column.optional === true;
  const missing = missingValue(spec.type);
  if (!writeAny || (isOptional && missing === undefined)) {
    const type = `${isOptional ? 'optional ' : ''}${column.type}`;
    throw mismatch(`column ${JSON.stringify(column.name)} is ${type}, the model's input ${describe(spec)}`);
  }
  const known = spec.type === 'string' ? (column.categories ?? (texts?.areAll ? texts.known : undefined)) : undefined;
  const write = known ? writeCategory(known) : writeAny;
  const place = { name: column.name, isOptional, ...at };
  return { ...place, write: isOptional && missing !== undefined ? orMissing(write, missing) : write };
}

/**
 * The input that takes the column, -1 when there is none. skl2onnx makes identifiers of column names:
 * `sepal length (cm)` feeds `sepal_length__cm_`.
 */
export function inputIndex(column: string, inputs: readonly TensorSpec[]): number {
  const exact = inputs.findIndex(({ name }) => name === column);
  return exact === -1 ? inputs.findIndex(({ name }) => name === column.replace(/[^A-Za-z0-9_]/g, '_')) : exact;
}

const describe = ({ name, type, dims }: TensorSpec): string =>
  `${name} (${type} [${dims.map((dim) => (dim === -1 ? 'N' : dim)).join(',')}])`;

const mismatch = (message: string): FailureError => new FailureError('SignatureMismatch', message);
