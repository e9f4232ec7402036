/** Operators of ai.onnx.ml that prepare features. */
import type { Tensor, TensorType } from '../tensor.ts';
import type { GraphNode } from './graph.ts';
import {
  attributeOf,
  given,
  intOf,
  type Kernel,
  type MakeKernel,
  matrixOf,
  numbersOf,
  textOf,
  wholesOf,
} from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';

const { fround } = Math;
const NO_FLOATS = new Float32Array(0);

export const scaler: MakeKernel = (node): Kernel => {
  const offset = attributeOf(node, 'offset').floats ?? NO_FLOATS;
  const scale = attributeOf(node, 'scale').floats ?? NO_FLOATS;
  const width = offset.length;
  if (width === 0 || scale.length !== width) throw new NotCompiledError('it has a Scaler without numbers');
  return (inputs, room) => {
    const input = given(inputs);
    const data = numbersOf(input);
    const { columns } = matrixOf(input);
    if (width !== 1 && width !== columns) throw new Error(`the Scaler takes ${width} columns, got ${columns}`);
    const isSingle = input.type === 'float32';
    const out = room('float32', data.length) as Float32Array;
    for (let i = 0, column = 0; i < data.length; i++) {
      const rest = (data[i] as number) - (offset[column] as number);
      out[i] = (isSingle ? fround(rest) : rest) * (scale[column] as number);
      if (++column === width) column = 0;
    }
    return [{ type: 'float32', dims: input.dims, data: out }];
  };
};

export const normalizer: MakeKernel = (node): Kernel => {
  const norm = textOf(node, 'norm', 'MAX');
  if (norm !== 'MAX' && norm !== 'L1' && norm !== 'L2')
    throw new NotCompiledError('it has a Normalizer of another norm');
  return (inputs, room) => {
    const input = given(inputs);
    const data = numbersOf(input);
    const { columns } = matrixOf(input);
    const out = room('float32', data.length) as Float32Array;
    if (norm === 'L1' && data instanceof Float32Array) normalizeShares(data, columns, out);
    else for (let at = 0; at < data.length; at += columns) normalize(norm, data, at, columns, out);
    return [{ type: 'float32', dims: input.dims, data: out }];
  };
};

type Norm = 'MAX' | 'L1' | 'L2';

/** By what a row is divided; 0: by nothing. */
function sizeOf(norm: Norm, data: Float32Array | Float64Array, from: number, until: number): number {
  let size = norm === 'MAX' ? -3.4028234663852886e38 : 0;
  for (let i = from; i < until; i++) {
    const value = fround(data[i] as number);
    if (norm === 'MAX') size = Math.max(size, value);
    else size = fround(size + (norm === 'L1' ? Math.abs(value) : fround(value * value)));
  }
  return size;
}

/** The rows of float32 divided by the sums of their sizes: what classifiers end in. */
function normalizeShares(data: Float32Array, columns: number, out: Float32Array): void {
  for (let at = 0; at < data.length; at += columns) {
    let size = 0;
    for (let i = at; i < at + columns; i++) size = fround(size + Math.abs(data[i] as number));
    if (size === 0) size = 1;
    for (let i = at; i < at + columns; i++) out[i] = (data[i] as number) / size;
  }
}

function normalize(
  norm: Norm,
  data: Float32Array | Float64Array,
  at: number,
  columns: number,
  out: Float32Array,
): void {
  const size = sizeOf(norm, data, at, at + columns);
  for (let i = at; i < at + columns; i++) {
    const value = fround(data[i] as number);
    if (size === 0) out[i] = value;
    else if (norm === 'L2') out[i] = Math.sqrt(fround(fround(value * value) / size)) * (value < 0 ? -1 : 1);
    else out[i] = value / size;
  }
}

/** Missing values, or others that stand for them, become what is put in for them. */
export const imputer: MakeKernel = (node): Kernel => {
  const imputed = attributeOf(node, 'imputed_value_floats').floats;
  const replaced = attributeOf(node, 'replaced_value_float').float;
  if (!imputed || replaced === undefined) throw new NotCompiledError('it has an Imputer of whole numbers');
  return (inputs, room) => {
    const input = given(inputs);
    if (input.type !== 'float32') throw new NotCompiledError(`it has an Imputer of ${input.type}`);
    const data = input.data as Float32Array;
    const { columns } = matrixOf(input);
    const isOne = imputed.length !== columns;
    const out = room('float32', data.length) as Float32Array;
    const isNan = Number.isNaN(replaced);
    for (let i = 0; i < data.length; i++) {
      const value = data[i] as number;
      const isReplaced = isNan ? Number.isNaN(value) : value === replaced;
      out[i] = isReplaced ? (imputed[isOne ? 0 : i % columns] as number) : value;
    }
    return [{ type: 'float32', dims: input.dims, data: out }];
  };
};

export const oneHotEncoder: MakeKernel = (node): Kernel => {
  const texts = attributeOf(node, 'cats_strings').texts;
  const ids = attributeOf(node, 'cats_int64s').ints;
  const known = new Map<string | number, number>((texts ?? Array.from(ids ?? [])).map((category, i) => [category, i]));
  const width = (texts ?? ids)?.length ?? 0;
  const isLenient = intOf(node, 'zeros', 1) !== 0;
  if (width === 0) throw new NotCompiledError('it has a OneHotEncoder without categories');
  return (inputs, room) => {
    const input = given(inputs);
    const isText = input.type === 'string';
    if (isText !== (texts !== undefined) || input.dims.length > 2)
      throw new NotCompiledError('it encodes other values than it knows');
    const out = room('float32', input.data.length * width) as Float32Array;
    out.fill(0);
    for (let i = 0; i < input.data.length; i++) {
      const value = isText ? (input.data[i] as string) : Math.trunc(Number(input.data[i]));
      const category = known.get(value);
      if (category !== undefined) out[i * width + category] = 1;
      else if (!isLenient) throw new Error('Unknown Category and zeros = 0.');
    }
    return [{ type: 'float32', dims: [...input.dims, width], data: out }];
  };
};

/** What is looked up, and what is found; in the order of the attributes' kinds. */
function labelLists(node: GraphNode) {
  const strings = attributeOf(node, 'classes_strings').texts;
  if (strings) throw new NotCompiledError('it has a LabelEncoder of the first version');
  const list = (of: 'keys' | 'values') =>
    attributeOf(node, `${of}_strings`).texts ??
    attributeOf(node, `${of}_int64s`).ints ??
    attributeOf(node, `${of}_floats`).floats;
  const [keys, values] = [list('keys'), list('values')];
  if (!keys || !values || keys.length !== values.length) throw new NotCompiledError('it has a LabelEncoder of tensors');
  return { keys, values };
}

const typeOfList = (list: readonly string[] | Float64Array | Float32Array): TensorType =>
  list instanceof Float64Array ? 'int64' : list instanceof Float32Array ? 'float32' : 'string';

export const labelEncoder: MakeKernel = (node): Kernel => {
  const { keys, values } = labelLists(node);
  const [from, to] = [typeOfList(keys), typeOfList(values)];
  // A Map takes NaN for equal to NaN, and both zeros for one: as the runtime does.
  const known = new Map<string | number, number>();
  for (let i = 0; i < keys.length; i++) if (!known.has(keys[i] as string)) known.set(keys[i] as string, i);
  const otherwise =
    to === 'string'
      ? textOf(node, 'default_string', '_Unused')
      : to === 'int64'
        ? BigInt(intOf(node, 'default_int64', -1))
        : (attributeOf(node, 'default_float').float ?? -0);
  const results = Array.from(values as ArrayLike<string | number>, (value) => (to === 'int64' ? BigInt(value) : value));
  return (inputs, room) => {
    const input = given(inputs);
    if (input.type !== from) throw new NotCompiledError(`it looks ${input.type} up among ${from}`);
    const out = room(to, input.data.length);
    for (let i = 0; i < out.length; i++) {
      const value = input.data[i] as string | number | bigint;
      const place = known.get(typeof value === 'bigint' ? Number(value) : value);
      out[i] = (place === undefined ? otherwise : results[place]) as never;
    }
    return [{ type: to, dims: input.dims, data: out }];
  };
};

export const arrayFeatureExtractor: MakeKernel = () => (inputs, room) => {
  const input = given(inputs);
  const width = input.dims.at(-1) ?? 0;
  const places = wholesOf(given(inputs, 1));
  if (places.some((place) => place < 0 || place >= width) || places.length === 0)
    throw new Error('index is out of range');
  const rows = input.data.length / width;
  const out = room(input.type, rows * places.length);
  for (let row = 0, to = 0; row < rows; row++) {
    for (const place of places) out[to++] = input.data[row * width + place] as never;
  }
  const dims = input.dims.length === 1 ? [1, places.length] : [...input.dims.slice(0, -1), places.length];
  return [{ type: input.type, dims, data: out }];
};

/** Columns side by side as float32. */
export const featureVectorizer: MakeKernel = (node) => {
  const widths = attributeOf(node, 'inputdimensions').ints;
  return (inputs, room) => {
    const tables = inputs.map((_, i): Tensor => given(inputs, i));
    const sizes = tables.map((table) => matrixOf(table));
    const rows = sizes[0]?.rows ?? 0;
    if (sizes.some((size, i) => size.rows !== rows || size.columns !== widths?.[i])) {
      throw new NotCompiledError('it puts columns together that do not fit');
    }
    const width = sizes.reduce((sum, { columns }) => sum + columns, 0);
    const out = room('float32', rows * width) as Float32Array;
    let offset = 0;
    tables.forEach((table, i) => {
      const data = numbersOf(table);
      const columns = (sizes[i] as { columns: number }).columns;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          out[row * width + offset + column] = data[row * columns + column] as number;
        }
      }
      offset += columns;
    });
    return [{ type: 'float32', dims: [rows, width], data: out }];
  };
};
