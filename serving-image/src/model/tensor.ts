/** Tensors as every part of the server sees them, whatever the runtime calls them. */

export const TENSOR_TYPES = [
  'float16',
  'float32',
  'float64',
  'int64',
  'uint64',
  'int32',
  'uint32',
  'int16',
  'uint16',
  'int8',
  'uint8',
  'bool',
  'string',
] as const;
export type TensorType = (typeof TENSOR_TYPES)[number];

export type NumericArray =
  | Float16Array
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;
/** Booleans are bytes 0 and 1. */
export type TensorData = NumericArray | BigInt64Array | BigUint64Array | string[];

export interface Tensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** An input or output of a model; -1 stands for a size the model leaves open. */
export interface TensorSpec {
  readonly name: string;
  readonly type: TensorType;
  readonly dims: readonly number[];
}

const ARRAYS = {
  float16: Float16Array,
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** How many bytes one value takes. */
export const bytesPerValue = (type: Exclude<TensorType, 'string'>): number => ARRAYS[type].BYTES_PER_ELEMENT;

/** The numbers in little-endian bytes: the very same memory where it is aligned for them, else a copy. */
export function viewOf(type: Exclude<TensorType, 'string'>, bytes: Uint8Array): TensorData {
  const size = bytesPerValue(type);
  // A Buffer's own slice would not copy.
  const { buffer, byteOffset, length } = bytes.byteOffset % size === 0 ? bytes : Uint8Array.prototype.slice.call(bytes);
  return new ARRAYS[type](buffer as ArrayBuffer, byteOffset, length / size);
}

/** Room for `length` values, all zero, false or ''. */
export function allocate(type: TensorType, length: number): TensorData {
  // The two that nearly every model has: a constructor that is known is called at a fraction of the cost.
  if (type === 'float32') return new Float32Array(length);
  if (type === 'int64') return new BigInt64Array(length);
  return type === 'string' ? new Array<string>(length).fill('') : new ARRAYS[type](length);
}

/** The number of values of a shape. */
export const elementCount = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** Rows `from` to `until` along the first dimension, without copying numbers. */
export function sliceRows(tensor: Tensor, from: number, until: number): Tensor {
  const [, ...rest] = tensor.dims;
  const width = elementCount(rest);
  const data = Array.isArray(tensor.data)
    ? tensor.data.slice(from * width, until * width)
    : tensor.data.subarray(from * width, until * width);
  return { type: tensor.type, dims: [until - from, ...rest], data };
}

/** One tensor from several that differ only in their first dimension. */
export function joinRows(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (!first || tensors.length === 1) return first as Tensor;
  const rows = tensors.reduce((sum, { dims }) => sum + (dims[0] ?? 0), 0);
  const dims = [rows, ...first.dims.slice(1)];
  const data = allocate(first.type, elementCount(dims));
  let at = 0;
  for (const tensor of tensors) {
    copyInto(data, tensor.data, at);
    at += tensor.data.length;
  }
  return { type: first.type, dims, data };
}

function copyInto(target: TensorData, source: TensorData, at: number): void {
  if (Array.isArray(target)) for (let i = 0; i < source.length; i++) target[at + i] = source[i] as string;
  else (target as Float32Array).set(source as Float32Array, at);
}

/** True for the types whose values may be NaN or infinite. */
export const isFloat = (type: TensorType): type is 'float16' | 'float32' | 'float64' => type.startsWith('float');

/** The position of the first value that is NaN or infinite, -1 when all are finite. Only floats can be. */
export function firstNonFinite({ type, data }: Tensor): number {
  if (!isFloat(type)) return -1;
  if (type === 'float32' && areFinite(data as Float32Array)) return -1;
  const numbers = data as Float32Array;
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return i;
  return -1;
}

/** Nothing but a finite number gives zero when it is multiplied with it: one sum tells of all, without a branch for each. */
function areFinite(numbers: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += (numbers[i] as number) * 0;
  return sum === 0;
}
