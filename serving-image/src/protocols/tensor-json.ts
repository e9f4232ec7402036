/** The Open Inference Protocol's tensors: JSON to numbers, checked against the model, and back. */

import { isMissing, listOfTexts, missingValue, typeName } from '../model/column.ts';
import { cut } from '../model/cut.ts';
import {
  allocate,
  elementCount,
  type Tensor,
  type TensorData,
  type TensorSpec,
  type TensorType,
} from '../model/tensor.ts';
import type { TensorRules, ValueRule } from '../model/tensor-rules.ts';
import { Refusal } from '../request/refusal.ts';
import { singlesText } from './print/singles.ts';

export const DATATYPES: Readonly<Record<TensorType, string>> = {
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  int64: 'INT64',
  uint64: 'UINT64',
  int32: 'INT32',
  uint32: 'UINT32',
  int16: 'INT16',
  uint16: 'UINT16',
  int8: 'INT8',
  uint8: 'UINT8',
  bool: 'BOOL',
  string: 'BYTES',
};

/** An integer in the request is larger than a JavaScript number holds: parse again, exactly. */
export class InexactIntegerError extends Error {
  override readonly name = 'InexactIntegerError';
}

const bad = (message: string): Refusal => new Refusal(400, message);

export interface TensorLimits {
  readonly maxRows: number;
  readonly rules: TensorRules;
  /** Where the input stands in the request, as a JSON pointer. */
  readonly at: string;
  /** Large integers are bigints already. */
  readonly isExact: boolean;
}

/** A place in the request for people: the pointer, and the name of the input it belongs to. */
export const placeOf = (pointer: string, name: string): string =>
  `${pointer} (input ${JSON.stringify(cut(name, MAX_NAME))})`;
const MAX_NAME = 128;

/** The shape of one input, its datatype and shape being those of the model. Throws Refusal(400) as `parseTensor` does. */
export function parseHead(
  input: Readonly<Record<string, unknown>>,
  spec: TensorSpec,
  { maxRows, at }: Pick<TensorLimits, 'maxRows' | 'at'>,
): number[] {
  const datatype = DATATYPES[spec.type];
  if (input['datatype'] !== datatype) {
    const got = Object.values(DATATYPES).find((known) => known === input['datatype']) ?? typeName(input['datatype']);
    throw bad(`${placeOf(`${at}/datatype`, spec.name)}: expected datatype ${datatype}, got ${got}`);
  }
  const label = placeOf(`${at}/shape`, spec.name);
  const dims = parseShape(input['shape'], spec, label);
  if ((dims[0] ?? 1) > maxRows) throw bad(`${label}: expected at most ${maxRows} rows, got ${dims[0]}`);
  return dims;
}

/**
 * One input of a request as a tensor of the model; null stands for a value that may be missing. Throws Refusal(400)
 * naming input, place and types, never values; InexactIntegerError unless `isExact`.
 */
export function parseTensor(
  input: Readonly<Record<string, unknown>>,
  spec: TensorSpec,
  { maxRows, rules, at: pointer, isExact }: TensorLimits,
): Tensor {
  const dims = parseHead(input, spec, { maxRows, at: pointer });
  const label = placeOf(`${pointer}/data`, spec.name);
  const data = input['data'];
  if (!Array.isArray(data)) throw bad(`${label}: expected "data" as a list, got ${typeName(data)}`);
  const count = elementCount(dims);
  const target = allocate(spec.type, Math.min(count, MAX_VALUES));
  const write = ruled(WRITERS[spec.type], rules, missingValue(spec.type));
  const nested = nestingOf(data, dims.length + 1);
  if (nested.length > dims.length) throw bad(`${label}: "data" is nested deeper than its shape`);
  let at = 0;
  const refused = (problem: string, value: unknown): Error => {
    if (problem === INEXACT && !isExact) return new InexactIntegerError();
    const place = placeOf(`${pointer}/data${wayTo(at, nested)}`, spec.name);
    return bad(`${place}: expected ${problem}, got ${describe(value)}`);
  };
  const visit = (value: unknown, depth: number): void => {
    if (depth < nested.length) {
      if (!Array.isArray(value) || value.length !== nested[depth]) throw uneven(label, dims);
      for (const item of value) visit(item, depth + 1);
      return;
    }
    if (Array.isArray(value)) throw uneven(label, dims);
    if (at >= count) throw bad(`${label}: "data" has more values than its shape, which asks for ${count}`);
    const problem = write(target as never, at, value);
    if (problem) throw refused(problem, value);
    at++;
  };
  for (const item of data) visit(item, 1);
  if (at < count) throw bad(`${label}: "data" has ${at} values, its shape asks for ${count}`);
  if (!fitsShape(nested, dims)) throw uneven(label, dims);
  return { type: spec.type, dims, data: target };
}

/** To the value that is so many values in, through lists of these lengths. */
function wayTo(count: number, nested: readonly number[]): string {
  let left = count;
  let way = '';
  for (let depth = nested.length - 1; depth > 0; depth--) {
    const size = nested[depth] as number;
    way = `/${left % size}${way}`;
    left = Math.floor(left / size);
  }
  return `/${left}${way}`;
}

/** How long the lists are that begin one another, from the outside in; no deeper than `most`. */
function nestingOf(data: readonly unknown[], most: number): number[] {
  const sizes: number[] = [];
  for (let list: unknown = data; Array.isArray(list) && sizes.length < most; list = list[0]) sizes.push(list.length);
  return sizes;
}

/** True for a flat list of all values, and for lists as the shape says, the innermost of which may hold several dimensions. */
export function fitsShape(nested: readonly number[], dims: readonly number[]): boolean {
  const inner = nested.length - 1;
  if (inner < 0 || inner >= dims.length) return false;
  return nested.every((size, i) => size === (i < inner ? dims[i] : elementCount(dims.slice(inner))));
}

const uneven = (label: string, dims: readonly number[]): Refusal =>
  bad(`${label}: "data" is neither flat nor nested as its shape ${shownShape(dims)}`);

/** No body within limits holds more; a shape that claims more fails on its count before anything is allocated for it. */
const MAX_VALUES = 64 * 1024 * 1024;

const describe = (value: unknown): string =>
  typeof value === 'number' ? 'a number that does not fit' : value === undefined ? 'nothing' : typeName(value);

function parseShape(shape: unknown, spec: TensorSpec, label: string): number[] {
  const expected = `[${spec.dims.join(',')}]`;
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isShape)
    throw bad(`${label}: expected "shape" as a list of sizes like ${expected} (-1: any), got ${typeName(shape)}`);
  const dims = shape as number[];
  const fits = dims.length === spec.dims.length && spec.dims.every((size, i) => size === -1 || size === dims[i]);
  if (!fits) throw bad(`${label}: expected shape ${expected} (-1: any), got ${shownShape(dims)}`);
  if (elementCount(dims) > MAX_VALUES) throw bad(`${label}: its shape asks for more than ${MAX_VALUES} values`);
  if (dims.includes(0)) throw bad(`${label}: expected at least one value, got shape ${shownShape(dims)}`);
  return dims;
}

const shownShape = (dims: readonly number[]): string =>
  dims.length <= 8 ? `[${dims.join(',')}]` : `${dims.length} dimensions`;

/** `write` with what the signature says of the value at its place. */
function ruled(write: Write, rules: TensorRules, missing: number | string | undefined): Write {
  if (rules.length === 0) return write;
  return (target: unknown[], at, value) => {
    const { isOptional, known } = rules[at % rules.length] as ValueRule;
    if (isOptional && missing !== undefined && value !== '' && isMissing(value)) {
      target[at] = missing;
      return undefined;
    }
    const isUnknown = known !== undefined && typeof value === 'string' && !known.has(value);
    if (isUnknown && !(isOptional && value === missing)) return `one of ${listOfTexts([...known])}`;
    return write(target as never, at, value);
  };
}

/** Writes `value`, or says what was expected. */
type Write = (target: never, at: number, value: unknown) => string | undefined;

const float =
  (round: (value: number) => number): Write =>
  (target: Float32Array, at, value) => {
    // Read with all digits, because of another value of the request.
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(round(number))) return 'a finite number';
    target[at] = number;
    return undefined;
  };

const integer =
  (least: number, most: number): Write =>
  (target: Int32Array, at, value) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      return `an integer from ${least} to ${most}`;
    }
    target[at] = value as number;
    return undefined;
  };

/** Said of a number that has lost digits, or, where all of them are known, of one with digits behind its point. */
const INEXACT = 'an integer';

const bigInteger =
  (least: bigint, most: bigint): Write =>
  (target: BigInt64Array, at, value) => {
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return INEXACT;
    const isInteger = typeof value === 'bigint' || Number.isInteger(value);
    const exact = isInteger ? BigInt(value as number) : undefined;
    if (exact === undefined || exact < least || exact > most) return `an integer from ${least} to ${most}`;
    target[at] = exact;
    return undefined;
  };

const WRITERS: Readonly<Record<TensorType, Write>> = {
  float16: float(Math.f16round),
  float32: float(Math.fround),
  float64: float((value) => value),
  int64: bigInteger(-(2n ** 63n), 2n ** 63n - 1n),
  uint64: bigInteger(0n, 2n ** 64n - 1n),
  int32: integer(-(2 ** 31), 2 ** 31 - 1),
  uint32: integer(0, 2 ** 32 - 1),
  int16: integer(-(2 ** 15), 2 ** 15 - 1),
  uint16: integer(0, 2 ** 16 - 1),
  int8: integer(-128, 127),
  uint8: integer(0, 255),
  bool: (target: Uint8Array, at, value) => {
    if (typeof value !== 'boolean') return 'true or false';
    target[at] = value ? 1 : 0;
    return undefined;
  },
  string: (target: string[], at, value) => {
    if (typeof value !== 'string') return 'a string';
    target[at] = value;
    return undefined;
  },
};

/** The tensor as the protocol's JSON, flat; `name` is JSON already. 64-bit integers keep every digit; numbers must be finite. */
export function writeTensor(name: string, { type, dims, data }: Tensor): string {
  const values = Array.isArray(data) ? JSON.stringify(data) : `[${numbersText(type, data)}]`;
  return `{${head(name, type, dims)},"data":${values}}`;
}

function numbersText(type: TensorType, data: Exclude<TensorData, string[]>): string {
  if (type === 'float32') return singlesText(data as Float32Array);
  if (type === 'int64' && data.length >= MANY) return wholesText(data as BigInt64Array);
  return type === 'bool' ? Array.from(data as Uint8Array, (bit) => bit === 1).join(',') : data.join(',');
}

/** From here on whole numbers of 64 bits are looked at by halves: making a BigInt of each is what they cost. */
const MANY = 16;

function wholesText(data: BigInt64Array): string {
  const halves = new Int32Array(data.buffer, data.byteOffset, data.length * 2);
  const low = new Array<number>(data.length);
  for (let i = 0; i < low.length; i++) {
    const value = halves[2 * i] as number;
    if (halves[2 * i + 1] !== value >> 31) return data.join(',');
    low[i] = value;
  }
  return low.join(',');
}

/** The tensor's place in an answer whose bytes follow the JSON; `name` is JSON already. */
export const writeBinaryHead = (name: string, { type, dims }: Tensor, size: number): string =>
  `{${head(name, type, dims)},"parameters":{"binary_data_size":${size}}}`;

const head = (name: string, type: TensorType, dims: readonly number[]): string =>
  `"name":${name},"datatype":"${DATATYPES[type]}","shape":[${dims.length === 1 ? dims[0] : dims.join(',')}]`;
