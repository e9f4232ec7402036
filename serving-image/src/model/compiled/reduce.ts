/** Operators that make one value of several along an axis. */
import { elementCount, type Tensor } from '../tensor.ts';
import { floatsOf, given, intOf, type MakeKernel } from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';
import { axesOf, axisOf } from './shapes.ts';

/** What lies before, along and behind axes that are neighbours. */
function spans(dims: readonly number[], axes: readonly number[]) {
  const [first, last] = [Math.min(...axes), Math.max(...axes)];
  if (last - first + 1 !== new Set(axes).size) throw new NotCompiledError('it sums up along axes that are apart');
  return {
    outer: elementCount(dims.slice(0, first)),
    along: elementCount(dims.slice(first, last + 1)),
    inner: elementCount(dims.slice(last + 1)),
  };
}

export interface Reduction {
  readonly start: number;
  add(total: number, value: number): number;
  end?(total: number, count: number): number;
}

export const SUM: Reduction = { start: 0, add: (total, value) => total + value };
export const MEAN: Reduction = { ...SUM, end: (total, count) => total / count };
export const PRODUCT: Reduction = { start: 1, add: (total, value) => total * value };
export const SQUARES: Reduction = { start: 0, add: (total, value) => total + value * value };
export const L1: Reduction = { start: 0, add: (total, value) => total + Math.abs(value) };
export const L2: Reduction = { ...SQUARES, end: Math.sqrt };
export const MOST: Reduction = {
  start: Number.NEGATIVE_INFINITY,
  add: (total, value) => Math.max(value, total),
};
export const LEAST: Reduction = {
  start: Number.POSITIVE_INFINITY,
  add: (total, value) => Math.min(value, total),
};

export const reduce =
  (how: Reduction): MakeKernel =>
  (node) => {
    const keep = intOf(node, 'keepdims', 1) === 1;
    const isIdleWithoutAxes = intOf(node, 'noop_with_empty_axes', 0) === 1;
    return (inputs, room) => {
      const input = given(inputs);
      const found = axesOf(node, inputs) ?? [];
      if (found.length === 0 && isIdleWithoutAxes) return [input];
      const rank = input.dims.length;
      const axes = found.length === 0 ? input.dims.map((_, i) => i) : found.map((axis) => axisOf(axis, rank));
      const span = spans(input.dims, axes);
      const out = room(input.type, span.outer * span.inner) as Float32Array;
      reduceInto(out, floatsOf(input), span, how);
      return [{ type: input.type, dims: reduced(input.dims, axes, keep), data: out }];
    };
  };

type Spans = ReturnType<typeof spans>;

function reduceInto(out: Float32Array, data: ArrayLike<number>, { outer, along, inner }: Spans, how: Reduction): void {
  for (let row = 0; row < outer; row++) {
    for (let column = 0; column < inner; column++) {
      let total = how.start;
      let at = row * along * inner + column;
      for (let k = 0; k < along; k++, at += inner) total = how.add(total, data[at] as number);
      out[row * inner + column] = how.end ? how.end(total, along) : total;
    }
  }
}

const reduced = (dims: readonly number[], axes: readonly number[], keep: boolean): readonly number[] =>
  keep ? dims.map((size, i) => (axes.includes(i) ? 1 : size)) : dims.filter((_, i) => !axes.includes(i));

/** The position of the best value; of equal ones the first. */
export const argBest =
  (isBetter: (value: number, best: number) => boolean): MakeKernel =>
  (node) => {
    const keep = intOf(node, 'keepdims', 1) === 1;
    if (intOf(node, 'select_last_index', 0) === 1) throw new NotCompiledError('of equal values it takes the last');
    return (inputs, room) => {
      const input = given(inputs);
      const data = floatsOf(input);
      const axis = axisOf(intOf(node, 'axis', 0), input.dims.length);
      const span = spans(input.dims, [axis]);
      const out = room('int64', span.outer * span.inner) as BigInt64Array;
      for (let i = 0; i < out.length; i++) out[i] = wholeOf(bestAt(data, span, i, isBetter));
      return [{ type: 'int64', dims: reduced(input.dims, [axis], keep), data: out }];
    };
  };

function bestAt(
  data: ArrayLike<number>,
  { along, inner }: Spans,
  result: number,
  isBetter: (value: number, best: number) => boolean,
): number {
  const from = Math.floor(result / inner) * along * inner + (result % inner);
  let best = 0;
  for (let k = 1; k < along; k++) {
    if (isBetter(data[from + k * inner] as number, data[from + best * inner] as number)) best = k;
  }
  return best;
}

const SMALL = Array.from({ length: 256 }, (_, i) => BigInt(i));
const wholeOf = (value: number): bigint => SMALL[value] ?? BigInt(value);

/** From opset 13 on along one axis, before that along it and all behind it. */
export const softmax: MakeKernel = (node) => {
  const isOld = node.version < 13;
  return (inputs, room) => {
    const input: Tensor = given(inputs);
    const data = floatsOf(input);
    const rank = input.dims.length;
    const axis = axisOf(intOf(node, 'axis', isOld ? 1 : -1), rank);
    const axes = isOld ? input.dims.map((_, i) => i).slice(axis) : [axis];
    const { outer, along, inner } = spans(input.dims, axes);
    const out = room(input.type, data.length) as Float32Array;
    for (let i = 0; i < outer * inner; i++) {
      const from = Math.floor(i / inner) * along * inner + (i % inner);
      softmaxOf(data, out, { from, until: from + along * inner, step: inner });
    }
    return [{ type: input.type, dims: input.dims, data: out }];
  };
};

interface Stride {
  readonly from: number;
  readonly until: number;
  readonly step: number;
}

function softmaxOf(data: ArrayLike<number>, out: Float32Array, { from, until, step }: Stride): void {
  let most = Number.NEGATIVE_INFINITY;
  for (let at = from; at < until; at += step) most = Math.max(most, data[at] as number);
  let sum = 0;
  for (let at = from; at < until; at += step) {
    out[at] = Math.exp((data[at] as number) - most);
    sum += out[at] as number;
  }
  for (let at = from; at < until; at += step) out[at] = (out[at] as number) / sum;
}
