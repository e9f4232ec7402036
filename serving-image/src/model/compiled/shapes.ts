/** Operators that move values, and leave them as they are. */
import { allocate, elementCount, type Tensor, type TensorData } from '../tensor.ts';
import type { GraphNode } from './graph.ts';
import { attributeOf, given, intOf, type Kernel, type MakeKernel, wholesOf } from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';

/** An axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  const from = axis < 0 ? axis + rank : axis;
  if (from < 0 || from >= rank) throw new Error(`axis ${axis} of ${rank} dimensions`);
  return from;
}

const reshaped = (input: Tensor, dims: readonly number[]): readonly Tensor[] => [
  { type: input.type, dims, data: input.data },
];

/** Axes from an attribute in old operator sets, from an input in newer ones. */
export function axesOf(
  node: GraphNode,
  inputs: readonly (Tensor | undefined)[],
  index = 1,
): readonly number[] | undefined {
  const input = inputs[index];
  if (input) return wholesOf(input);
  const ints = attributeOf(node, 'axes').ints;
  return ints && Array.from(ints);
}

export const identity: MakeKernel = () => (inputs) => [given(inputs)];

export const reshape: MakeKernel = (node) => {
  const allowZero = intOf(node, 'allowzero', 0) === 1;
  return (inputs) => {
    const input = given(inputs);
    const shape = inputs[1] ? wholesOf(inputs[1]) : Array.from(attributeOf(node, 'shape').ints ?? []);
    const dims = shape.map((size, i) => (size === 0 && !allowZero ? (input.dims[i] ?? 0) : size));
    const open = dims.indexOf(-1);
    if (open !== -1) dims[open] = input.data.length / elementCount(dims.filter((_, i) => i !== open));
    if (elementCount(dims) !== input.data.length || dims.some((size) => !Number.isInteger(size) || size < 0)) {
      throw new Error(`shape [${input.dims}] cannot become [${shape}]`);
    }
    return reshaped(input, dims);
  };
};

export const flatten: MakeKernel = (node) => (inputs) => {
  const input = given(inputs);
  const axis = intOf(node, 'axis', 1);
  const at = axis < 0 ? axis + input.dims.length : axis;
  const rows = elementCount(input.dims.slice(0, at));
  return reshaped(input, [rows, elementCount(input.dims.slice(at))]);
};

export const squeeze: MakeKernel = (node) => (inputs) => {
  const input = given(inputs);
  const axes = axesOf(node, inputs)?.map((axis) => axisOf(axis, input.dims.length));
  if (axes?.some((axis) => input.dims[axis] !== 1)) throw new Error('a dimension that is not 1 cannot be left out');
  return reshaped(
    input,
    input.dims.filter((size, i) => (axes ? !axes.includes(i) : size !== 1)),
  );
};

export const unsqueeze: MakeKernel = (node) => (inputs) => {
  const input = given(inputs);
  const axes = axesOf(node, inputs) ?? [];
  const rank = input.dims.length + axes.length;
  const places = axes.map((axis) => axisOf(axis, rank));
  let next = 0;
  return reshaped(
    input,
    Array.from({ length: rank }, (_, i) => (places.includes(i) ? 1 : (input.dims[next++] as number))),
  );
};

export const shape: MakeKernel = (node) => (inputs) => {
  if (attributeOf(node, 'start').int || attributeOf(node, 'end').int !== undefined) {
    throw new NotCompiledError('it takes part of a shape');
  }
  const { dims } = given(inputs);
  return [{ type: 'int64', dims: [dims.length], data: BigInt64Array.from(dims, BigInt) }];
};

export const constant: MakeKernel = (node) => {
  const { tensor } = attributeOf(node, 'value');
  const { float } = attributeOf(node, 'value_float');
  const { int } = attributeOf(node, 'value_int');
  if (tensor) return () => [tensor];
  if (float !== undefined) return () => [{ type: 'float32', dims: [], data: Float32Array.of(float) }];
  if (int !== undefined) return () => [{ type: 'int64', dims: [], data: BigInt64Array.of(BigInt(int)) }];
  throw new NotCompiledError('it has a constant of a kind that is not known');
};

export const constantOfShape: MakeKernel = (node) => {
  const { tensor } = attributeOf(node, 'value');
  const value = tensor?.data[0] ?? 0;
  const type = tensor?.type ?? 'float32';
  return (inputs, room) => {
    const dims = wholesOf(given(inputs));
    const out = room(type, elementCount(dims));
    for (let i = 0; i < out.length; i++) out[i] = value as never;
    return [{ type, dims, data: out }];
  };
};

function move(from: TensorData, at: number, to: TensorData, place: number, length: number): void {
  for (let i = 0; i < length; i++) to[place + i] = from[at + i] as never;
}

export const concat: MakeKernel =
  (node): Kernel =>
  (inputs, room) => {
    const first = given(inputs);
    const axis = axisOf(intOf(node, 'axis', 1), first.dims.length);
    let size = 0;
    for (let i = 0; i < inputs.length; i++) {
      const input = given(inputs, i);
      const fits =
        input.dims.length === first.dims.length && input.dims.every((d, j) => j === axis || d === first.dims[j]);
      if (!fits || input.type !== first.type) throw new Error('tensors that do not fit are put side by side');
      size += input.dims[axis] as number;
    }
    const dims = first.dims.map((d, i) => (i === axis ? size : d));
    const outer = elementCount(dims.slice(0, axis));
    const inner = elementCount(dims.slice(axis + 1));
    const out = room(first.type, elementCount(dims));
    let offset = 0;
    for (let i = 0; i < inputs.length; i++) {
      const input = given(inputs, i);
      const width = (input.dims[axis] as number) * inner;
      for (let row = 0; row < outer; row++) move(input.data, row * width, out, row * size * inner + offset, width);
      offset += width;
    }
    return [{ type: first.type, dims, data: out }];
  };

export const gather: MakeKernel = (node) => (inputs, room) => {
  const [input, indices] = [given(inputs), given(inputs, 1)];
  const axis = axisOf(intOf(node, 'axis', 0), input.dims.length);
  const size = input.dims[axis] as number;
  const outer = elementCount(input.dims.slice(0, axis));
  const inner = elementCount(input.dims.slice(axis + 1));
  const places = wholesOf(indices).map((index) => axisOf(index, size));
  const out = room(input.type, outer * places.length * inner);
  let to = 0;
  for (let row = 0; row < outer; row++) {
    for (const place of places) {
      move(input.data, (row * size + place) * inner, out, to, inner);
      to += inner;
    }
  }
  const dims = [...input.dims.slice(0, axis), ...indices.dims, ...input.dims.slice(axis + 1)];
  return [{ type: input.type, dims, data: out }];
};

function cut(input: Tensor, axis: number, places: readonly number[]): Tensor {
  const size = input.dims[axis] as number;
  const outer = elementCount(input.dims.slice(0, axis));
  const inner = elementCount(input.dims.slice(axis + 1));
  const out = allocate(input.type, outer * places.length * inner);
  let to = 0;
  for (let row = 0; row < outer; row++) {
    for (const place of places) {
      move(input.data, (row * size + place) * inner, out, to, inner);
      to += inner;
    }
  }
  return { type: input.type, dims: input.dims.map((d, i) => (i === axis ? places.length : d)), data: out };
}

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most);

export const slice: MakeKernel = (node) => (inputs) => {
  let result = given(inputs);
  const list = (input: number, name: string) =>
    inputs[input] ? wholesOf(given(inputs, input)) : Array.from(attributeOf(node, name).ints ?? []);
  const [starts, ends] = [list(1, 'starts'), list(2, 'ends')];
  const axes = inputs[3] || attributeOf(node, 'axes').ints ? list(3, 'axes') : starts.map((_, i) => i);
  const steps = inputs[4] ? list(4, 'steps') : starts.map(() => 1);
  axes.forEach((given, i) => {
    const axis = axisOf(given, result.dims.length);
    const size = result.dims[axis] as number;
    const step = steps[i] as number;
    if (step <= 0) throw new NotCompiledError('it takes a slice backwards');
    const [from, until] = [starts[i] as number, ends[i] as number].map((at) => clamp(at < 0 ? at + size : at, 0, size));
    const places: number[] = [];
    for (let at = from as number; at < (until as number); at += step) places.push(at);
    result = cut(result, axis, places);
  });
  return [result === inputs[0] ? { ...result, data: result.data.slice() as TensorData } : result];
};

export const split: MakeKernel = (node) => (inputs) => {
  const input = given(inputs);
  const axis = axisOf(intOf(node, 'axis', 0), input.dims.length);
  const size = input.dims[axis] as number;
  const even = Math.ceil(size / node.outputs.length);
  const sizes = inputs[1]
    ? wholesOf(inputs[1])
    : Array.from(attributeOf(node, 'split').ints ?? node.outputs.map((_, i) => clamp(size - i * even, 0, even)));
  let at = 0;
  const parts = sizes.map((count) => {
    const places = Array.from({ length: count }, (_, i) => at + i);
    at += count;
    return cut(input, axis, places);
  });
  if (at !== size) throw new Error('a tensor is split into parts that are not the whole');
  return parts;
};

export const transpose: MakeKernel = (node) => (inputs, room) => {
  const input = given(inputs);
  if (input.dims.length !== 2) throw new NotCompiledError('it transposes what is no table');
  const order = attributeOf(node, 'perm').ints;
  if (order && order[0] === 0) return [input];
  const [rows, columns] = input.dims as [number, number];
  const out = room(input.type, input.data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = input.data[row * columns + column] as never;
  }
  return [{ type: input.type, dims: [columns, rows], data: out }];
};
