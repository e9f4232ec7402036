/** How one value of a request becomes one value of a tensor. */
import type { ColumnType } from '@slipway/contract';
import { listed } from './cut.ts';
import type { TensorData, TensorType } from './tensor.ts';

/** What is wrong with a value, in pydantic's words, so that FastAPI's clients can read it. Never holds the value. */
export interface ValueProblem {
  readonly type: string;
  readonly message: string;
}

/** Checks `value`, writes it at `at`, or says what is wrong with it. */
export type WriteValue = (value: unknown, data: TensorData, at: number) => ValueProblem | undefined;

/** `null`, `list` and `object` besides JavaScript's own names. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  return typeof value === 'bigint' ? 'number' : typeof value;
}

const notA = (type: string, expected: string, value: unknown): ValueProblem => ({
  type,
  message: `Input should be a valid ${expected}, got ${typeName(value)}`,
});

const NOT_FINITE: ValueProblem = { type: 'finite_number', message: 'Input should be a finite number' };

/** An integer beyond those a double tells apart: only a reader that keeps every digit, as a bigint, can say which it is. */
export const LOST_DIGITS: ValueProblem = {
  type: 'int_parsing_size',
  message: 'Input should be an integer with all of its digits, got a number that has lost some',
};

type FloatType = 'float16' | 'float32' | 'float64';

const FLOAT_LIMIT: Readonly<Record<FloatType, (value: number) => boolean>> = {
  // A number may be finite in JSON and infinite once it is a float of 16 or 32 bits.
  float16: (value) => Number.isFinite(Math.f16round(value)),
  float32: (value) => Number.isFinite(Math.fround(value)),
  float64: Number.isFinite,
};

const INTEGER_RANGE = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-2_147_483_648, 2_147_483_647],
  uint32: [0, 4_294_967_295],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0, 2n ** 64n - 1n],
} as const;
type IntegerType = keyof typeof INTEGER_RANGE;
type Range = readonly [least: number | bigint, most: number | bigint];

function writeFloat(limit: FloatType): WriteValue {
  const fits = FLOAT_LIMIT[limit];
  return (value, data, at) => {
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number') return notA('float_type', 'number', value);
    if (!fits(number)) return NOT_FINITE;
    (data as Float32Array)[at] = number;
    return undefined;
  };
}

function integerProblem(value: unknown, [least, most]: Range): ValueProblem | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint') return notA('int_type', 'integer', value);
  if (typeof value === 'number' && !Number.isFinite(value)) return NOT_FINITE;
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return { type: 'int_from_float', message: 'Input should be a valid integer, got a number with a fractional part' };
  }
  if (value < least)
    return { type: 'greater_than_equal', message: `Input should be greater than or equal to ${least}` };
  return value > most
    ? { type: 'less_than_equal', message: `Input should be less than or equal to ${most}` }
    : undefined;
}

function writeInteger(column: IntegerType, tensor: TensorType): WriteValue {
  const range = commonRange(column, tensor);
  if (tensor === 'int64' || tensor === 'uint64') return writeBigInteger(range);
  return (value, data, at) => {
    const problem = integerProblem(value, range);
    if (problem) return problem;
    (data as Int32Array)[at] = Number(value);
    return undefined;
  };
}

/** Numbers where they are exact, bigints beyond; a number beyond is for somebody who still has its digits. */
function writeBigInteger(range: Range): WriteValue {
  // Comparing numbers with bigints is slow, and nearly all are of a size where that is not needed.
  const [least, most] = narrower(range, SAFE_RANGE).map(Number) as [number, number];
  return (value, data, at) => {
    if (typeof value === 'number' && value >= least && value <= most && Number.isInteger(value)) {
      (data as BigInt64Array)[at] = BigInt(value);
      return undefined;
    }
    const isRounded = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
    if (isRounded && Math.abs(value) <= 2 ** 64) return LOST_DIGITS;
    const problem = integerProblem(value, range);
    if (!problem) (data as BigInt64Array)[at] = value as bigint;
    return problem;
  };
}

const SAFE_RANGE: Range = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

/** What both the column and the tensor can hold; of a tensor of floats, what it tells apart. */
const commonRange = (column: IntegerType, tensor: TensorType): Range =>
  narrower(
    INTEGER_RANGE[column],
    Object.hasOwn(INTEGER_RANGE, tensor) ? INTEGER_RANGE[tensor as IntegerType] : SAFE_RANGE,
  );

/** Math.max takes no bigints. */
const larger = (a: number | bigint, b: number | bigint): number | bigint => (b > a ? b : a);
const smaller = (a: number | bigint, b: number | bigint): number | bigint => (b > a ? a : b);
const narrower = (a: Range, b: Range): Range => [larger(a[0], b[0]), smaller(a[1], b[1])];

const writeString: WriteValue = (value, data, at) => {
  if (typeof value !== 'string') return notA('string_type', 'string', value);
  (data as string[])[at] = value;
  return undefined;
};

/** A text that must be one of those the model knows: the runtime would fail on any other, and say nothing useful. */
export function writeCategory(known: readonly string[]): WriteValue {
  const texts = new Set(known);
  const expected = listOfTexts(known);
  return (value, data, at) => {
    if (typeof value === 'string' && !texts.has(value)) {
      return { type: 'literal_error', message: `Input should be one of ${expected}` };
    }
    return writeString(value, data, at);
  };
}

/** Texts for people, not too many of them. */
export const listOfTexts = (texts: readonly string[]): string => listed(texts, (text) => `'${text}'`);

/** True for what stands for a missing value: nothing, null and NaN, and for texts the empty one. */
export const isMissing = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (typeof value === 'number' && Number.isNaN(value));

/** The value that stands for a missing one in a tensor; undefined where the type has none. */
export function missingValue(type: TensorType): number | string | undefined {
  if (type === 'string') return '';
  return isFloat(type) ? Number.NaN : undefined;
}

/** As `write`, but a missing value is written as the tensor's own word for it. */
export const orMissing =
  (write: WriteValue, missing: number | string): WriteValue =>
  (value, data, at) => {
    // An empty text is no missing number: it is a text where a number belongs.
    if (!isMissing(value) || (value === '' && typeof missing === 'number')) return write(value, data, at);
    (data as unknown[])[at] = missing;
    return undefined;
  };

const writeBoolean: WriteValue = (value, data, at) => {
  if (typeof value !== 'boolean') return notA('bool_type', 'boolean', value);
  (data as Uint8Array)[at] = value ? 1 : 0;
  return undefined;
};

const isFloat = (type: string): type is FloatType => type.startsWith('float');

const narrowerFloat = (a: FloatType, b: FloatType): FloatType =>
  [a, b].includes('float16') ? 'float16' : [a, b].includes('float32') ? 'float32' : 'float64';

/** How a column of type `column` is written into a tensor of type `tensor`; undefined when that makes no sense. */
export function valueWriter(column: ColumnType, tensor: TensorType): WriteValue | undefined {
  if (column === 'string') return tensor === 'string' ? writeString : undefined;
  if (column === 'bool') return tensor === 'bool' || isFloat(tensor) ? writeBoolean : undefined;
  if (tensor === 'string' || tensor === 'bool') return undefined;
  if (isFloat(column)) return isFloat(tensor) ? writeFloat(narrowerFloat(column, tensor)) : undefined;
  return writeInteger(column, tensor);
}
