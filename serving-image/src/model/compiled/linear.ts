/** Products of tables, and the linear operators made of them. Sums are formed in float32 where the runtime does so. */
import type { Tensor, TensorData } from '../tensor.ts';
import type { GraphNode } from './graph.ts';
import {
  attributeOf,
  floatOf,
  floatsOf,
  given,
  intOf,
  type Kernel,
  type MakeKernel,
  matrixOf,
  numbersOf,
  textOf,
} from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';
import { transform, transformOf } from './post-transform.ts';
import { type Labels, labelsOf } from './trees.ts';

type Numbers = Float32Array | Float64Array;
const { fround } = Math;

interface Product {
  readonly a: Numbers;
  readonly b: Numbers;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/**
 * a·b, where `b` has a row for every column of the result. Several sums are formed in step, since each waits for its own
 * last one; each is formed in the order of its numbers.
 */
function multiply32(product: Product, out: Numbers): void {
  const { columns } = product;
  let column = 0;
  for (; column + 3 <= columns; column += 3) threeColumns(product, column, out);
  for (; column < columns; column++) oneColumn(product, column, out);
}

function threeColumns({ a, b, rows, inner, columns }: Product, column: number, out: Numbers): void {
  const from = column * inner;
  for (let row = 0; row < rows; row++) {
    const at = row * inner;
    let [x, y, z] = [0, 0, 0];
    for (let k = 0; k < inner; k++) {
      const value = a[at + k] as number;
      x = fround(x + value * (b[from + k] as number));
      y = fround(y + value * (b[from + inner + k] as number));
      z = fround(z + value * (b[from + 2 * inner + k] as number));
    }
    const to = row * columns + column;
    out[to] = x;
    out[to + 1] = y;
    out[to + 2] = z;
  }
}

function oneColumn({ a, b, rows, inner, columns }: Product, column: number, out: Numbers): void {
  const from = column * inner;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const at = row * inner;
    let [w, x, y, z] = [0, 0, 0, 0];
    for (let k = 0; k < inner; k++) {
      const weight = b[from + k] as number;
      w = fround(w + (a[at + k] as number) * weight);
      x = fround(x + (a[at + inner + k] as number) * weight);
      y = fround(y + (a[at + 2 * inner + k] as number) * weight);
      z = fround(z + (a[at + 3 * inner + k] as number) * weight);
    }
    const to = row * columns + column;
    out[to] = w;
    out[to + columns] = x;
    out[to + 2 * columns] = y;
    out[to + 3 * columns] = z;
  }
  for (; row < rows; row++) {
    const at = row * inner;
    let sum = 0;
    for (let k = 0; k < inner; k++) sum = fround(sum + (a[at + k] as number) * (b[from + k] as number));
    out[row * columns + column] = sum;
  }
}

function multiply64({ a, b, rows, inner, columns }: Product, out: Numbers): void {
  for (let row = 0; row < rows; row++) {
    const at = row * inner;
    for (let column = 0; column < columns; column++) {
      const from = column * inner;
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += (a[at + k] as number) * (b[from + k] as number);
      out[row * columns + column] = sum;
    }
  }
}

function multiply(product: Product, out: Numbers): void {
  if (out instanceof Float32Array) multiply32(product, out);
  else multiply64(product, out);
}

function transposed(data: Numbers, rows: number, columns: number): Numbers {
  const out = data instanceof Float32Array ? new Float32Array(data.length) : new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column] as number;
  }
  return out;
}

/** Tables larger than this are the runtime's strength. */
const MOST_WEIGHTS = 64 * 1024;

interface Weights {
  readonly data: Numbers;
  readonly inner: number;
  readonly columns: number;
}

/** A constant table, turned so that a column of the result finds its weights side by side. */
function weightsOf(tensor: Tensor | undefined, isTransposed: boolean): Weights {
  if (tensor?.dims.length !== 2) throw new NotCompiledError('it multiplies by something other than a constant table');
  const data = floatsOf(tensor);
  if (data.length > MOST_WEIGHTS)
    throw new NotCompiledError('it is a network of wide layers, which the runtime computes faster');
  const [first, second] = tensor.dims as [number, number];
  return isTransposed
    ? { data, inner: second, columns: first }
    : { data: transposed(data, first, second), inner: first, columns: second };
}

function checkInner(width: number, { inner }: Weights): void {
  if (width !== inner) throw new Error(`${width} columns are multiplied by ${inner} rows`);
}

export const matMul: MakeKernel = (_, constant) => {
  const weights = weightsOf(constant(1), false);
  return (inputs, room) => {
    const input = given(inputs);
    const a = floatsOf(input);
    const rank = input.dims.length;
    if (rank < 1) throw new NotCompiledError('it multiplies a single number');
    const inner = input.dims[rank - 1] as number;
    checkInner(inner, weights);
    if (a instanceof Float32Array !== weights.data instanceof Float32Array)
      throw new NotCompiledError('it mixes precisions');
    const rows = a.length / inner;
    const out = room(input.type, rows * weights.columns) as Numbers;
    multiply({ a, b: weights.data, rows, inner, columns: weights.columns }, out);
    return [{ type: input.type, dims: [...input.dims.slice(0, -1), weights.columns], data: out }];
  };
};

export const gemm: MakeKernel = (node, constant) => {
  if (intOf(node, 'transA', 0) !== 0) throw new NotCompiledError('it multiplies a turned table');
  const weights = weightsOf(constant(1), intOf(node, 'transB', 0) !== 0);
  const [alpha, beta] = [floatOf(node, 'alpha', 1), floatOf(node, 'beta', 1)];
  const added = node.inputs[2] ? constant(2) : undefined;
  if (node.inputs[2] && (!added || (added.data.length !== 1 && added.data.length !== weights.columns))) {
    throw new NotCompiledError('it adds something other than a constant row');
  }
  const row = added && floatsOf(added);
  return (inputs, room) => {
    const input = given(inputs);
    const a = floatsOf(input);
    const { rows, columns: inner } = matrixOf(input);
    checkInner(inner, weights);
    const { columns } = weights;
    const out = room(input.type, rows * columns) as Numbers;
    multiply({ a, b: weights.data, rows, inner, columns }, out);
    if (alpha !== 1) for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) * alpha;
    if (row) addRow(out, row, columns, beta);
    return [{ type: input.type, dims: [rows, columns], data: out }];
  };
};

function addRow(out: Numbers, row: Numbers, columns: number, scale: number): void {
  const isOne = row.length === 1;
  for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) + scale * (row[isOne ? 0 : i % columns] as number);
}

const NO_FLOATS = new Float32Array(0);

function lines(node: GraphNode, count: number) {
  const coefficients = attributeOf(node, 'coefficients').floats ?? NO_FLOATS;
  const intercepts = attributeOf(node, 'intercepts').floats ?? NO_FLOATS;
  const inner = coefficients.length / count;
  if (!Number.isInteger(inner) || inner < 1) throw new NotCompiledError('its coefficients do not add up');
  return { coefficients, intercepts, inner };
}

/** Rows as float32: other numbers are converted first, as the runtime does. */
const asFloat32 = (input: Tensor): Float32Array =>
  input.data instanceof Float32Array ? input.data : Float32Array.from(numbersOf(input));

export const linearRegressor: MakeKernel = (node): Kernel => {
  const targets = intOf(node, 'targets', 1);
  const post = transformOf(textOf(node, 'post_transform', 'NONE'));
  if (targets === 1 && post !== 'NONE') throw new NotCompiledError('it transforms a single target');
  const { coefficients, intercepts, inner } = lines(node, targets);
  if (intercepts.length !== 0 && intercepts.length !== targets)
    throw new NotCompiledError('its intercepts do not add up');
  return (inputs, room) => {
    const input = given(inputs);
    const { rows, columns } = matrixOf(input);
    if (columns !== inner) throw new Error(`the linear model takes ${inner} columns, got ${columns}`);
    if (input.type !== 'float32') throw new NotCompiledError(`it has a linear model of ${input.type}`);
    const out = room('float32', rows * targets) as Float32Array;
    multiply32({ a: input.data as Float32Array, b: coefficients, rows, inner, columns: targets }, out);
    if (intercepts.length > 0) addRow(out, intercepts, targets, 1);
    for (let row = 0; post !== 'NONE' && row < rows; row++) transform(post, out, row * targets, targets);
    return [{ type: 'float32', dims: [rows, targets], data: out }];
  };
};

/** Of so many rows, whole numbers of 64 bits are written by halves: no object is made for any. */
const MANY_ROWS = 16;

/** How the class at a place is put out. */
interface Puts {
  readonly all: Labels['all'];
  /** The halves of whole numbers. */
  readonly low: Int32Array;
  readonly high: Int32Array;
}

function putsOf({ all }: Labels): Puts {
  const whole = (label: string | bigint): bigint => (typeof label === 'bigint' ? label : 0n);
  return {
    all,
    low: Int32Array.from(all, (label) => Number(BigInt.asIntN(32, whole(label)))),
    high: Int32Array.from(all, (label) => Number(whole(label) >> 32n)),
  };
}

const halvesOf = (ids: TensorData): Int32Array | undefined =>
  ids.length < MANY_ROWS || !(ids instanceof BigInt64Array)
    ? undefined
    : new Int32Array(ids.buffer, ids.byteOffset, ids.length * 2);

/** Adds a row to a row, and gives the place of the first of the highest sums. */
function addAndFindBest(out: Float32Array, at: number, added: Float32Array): number {
  let best = 0;
  for (let k = 0; k < added.length; k++) {
    out[at + k] = (out[at + k] as number) + (added[k] as number);
    if (k > 0 && (out[at + k] as number) > (out[at + best] as number)) best = k;
  }
  return best;
}

export const linearClassifier: MakeKernel = (node): Kernel => {
  const post = transformOf(textOf(node, 'post_transform', 'NONE'));
  const labels = labelsOf(node, { texts: 'classlabels_strings', ints: 'classlabels_ints' });
  const classes = attributeOf(node, 'intercepts').floats?.length ?? 0;
  if (classes < 2 || labels.count !== classes) throw new NotCompiledError('it has a linear classifier of one class');
  const { coefficients, intercepts, inner } = lines(node, classes);
  const { all, low, high } = putsOf(labels);
  return (inputs, room) => {
    const input = given(inputs);
    const { rows, columns } = matrixOf(input);
    if (columns !== inner) throw new Error(`the linear model takes ${inner} columns, got ${columns}`);
    const out = room('float32', rows * classes) as Float32Array;
    const ids = room(labels.type, rows);
    multiply32({ a: asFloat32(input), b: coefficients, rows, inner, columns: classes }, out);
    const halves = halvesOf(ids);
    for (let row = 0, at = 0; row < rows; row++, at += classes) {
      const best = addAndFindBest(out, at, intercepts);
      if (halves) {
        halves[2 * row] = low[best] as number;
        halves[2 * row + 1] = high[best] as number;
      } else ids[row] = all[best] as never;
      if (post !== 'NONE') transform(post, out, at, classes);
    }
    return [
      { type: labels.type, dims: [rows], data: ids },
      { type: 'float32', dims: [rows, classes], data: out },
    ];
  };
};
