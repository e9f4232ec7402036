/** How one value of a request becomes one value of a tensor. */
import type { ColumnType } from '@slipway/contract';
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
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
} as const;
type IntegerType = keyof typeof INTEGER_RANGE;

function writeFloat(limit: FloatType): WriteValue {
  const fits = FLOAT_LIMIT[limit];
  return (value, data, at) => {
    if (typeof value !== 'number') return notA('float_type', 'number', value);
    if (!fits(value)) return NOT_FINITE;
    (data as Float32Array)[at] = value;
    return undefined;
  };
}

function integerProblem(value: unknown, range: readonly [number, number]): ValueProblem | undefined {
  if (typeof value !== 'number') return notA('int_type', 'integer', value);
  if (!Number.isFinite(value)) return NOT_FINITE;
  if (!Number.isInteger(value)) {
    return { type: 'int_from_float', message: 'Input should be a valid integer, got a number with a fractional part' };
  }
  const [least, most] = range;
  if (value >= least && value <= most) return undefined;
  return value < least
    ? { type: 'greater_than_equal', message: `Input should be greater than or equal to ${least}` }
    : { type: 'less_than_equal', message: `Input should be less than or equal to ${most}` };
}

function writeInteger(column: IntegerType, tensor: TensorType): WriteValue {
  const range = narrower(INTEGER_RANGE[column], tensor);
  const isBig = tensor === 'int64' || tensor === 'uint64';
  return (value, data, at) => {
    const problem = integerProblem(value, range);
    if (problem) return problem;
    if (isBig) (data as BigInt64Array)[at] = BigInt(value as number);
    else (data as Int32Array)[at] = value as number;
    return undefined;
  };
}

function narrower(range: readonly [number, number], tensor: TensorType): readonly [number, number] {
  if (!Object.hasOwn(INTEGER_RANGE, tensor)) return range;
  const [least, most] = INTEGER_RANGE[tensor as IntegerType];
  return [Math.max(least, range[0]), Math.min(most, range[1])];
}

const writeString: WriteValue = (value, data, at) => {
  if (typeof value !== 'string') return notA('string_type', 'string', value);
  (data as string[])[at] = value;
  return undefined;
};

/** A text that must be one of those the model knows: the runtime would fail on any other, and say nothing useful. */
export function writeCategory(known: readonly string[]): WriteValue {
  const texts = new Set(known);
  const listed = listOfTexts(known);
  return (value, data, at) => {
    if (typeof value === 'string' && !texts.has(value)) {
      return { type: 'literal_error', message: `Input should be one of ${listed}` };
    }
    return writeString(value, data, at);
  };
}

/** Texts for people: at most about 400 characters. */
export function listOfTexts(texts: readonly string[]): string {
  const listed = texts.map((text) => `'${text}'`).join(', ');
  return listed.length <= 400 ? listed : `${listed.slice(0, 400)}…`;
}

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
