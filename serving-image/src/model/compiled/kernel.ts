/** What an operator becomes: a function from tensors to tensors. */
import type { Tensor, TensorData, TensorType } from '../tensor.ts';
import type { Attribute, GraphNode } from './graph.ts';
import { NotCompiledError } from './not-compiled.ts';

/** Gives room for a result of this many values, whatever was in it before; it may be the same every time. */
export type Room = (type: TensorType, length: number) => TensorData;

/**
 * Results in the order of the operator's outputs; inputs that are left out are undefined. Throws for what the runtime
 * fails on as well, and NotCompiledError for what it was not made for.
 */
export type Kernel = (inputs: readonly (Tensor | undefined)[], room: Room) => readonly Tensor[];

/** Makes the kernel of a node. `constant`: an input's value, where it is the same for all requests. */
export type MakeKernel = (node: GraphNode, constant: (input: number) => Tensor | undefined) => Kernel;

export const attributeOf = ({ attributes }: GraphNode, name: string): Attribute => attributes.get(name) ?? {};
export const intOf = (node: GraphNode, name: string, otherwise: number): number =>
  attributeOf(node, name).int ?? otherwise;
export const floatOf = (node: GraphNode, name: string, otherwise: number): number =>
  attributeOf(node, name).float ?? otherwise;
export const textOf = (node: GraphNode, name: string, otherwise: string): string =>
  attributeOf(node, name).text ?? otherwise;

/** The input, which must be there. */
export function given(inputs: readonly (Tensor | undefined)[], index = 0): Tensor {
  const tensor = inputs[index];
  if (!tensor) throw new NotCompiledError(`an operator lacks its input ${index}`);
  return tensor;
}

/** The numbers of a tensor of floats. */
export function floatsOf({ type, data }: Tensor): Float32Array | Float64Array {
  if (type !== 'float32' && type !== 'float64') throw new NotCompiledError(`it computes with ${type}`);
  return data as Float32Array;
}

/** Numbers of any type but text as doubles: a copy where they are not floats. */
export function numbersOf({ type, data }: Tensor): Float32Array | Float64Array {
  if (type === 'float32' || type === 'float64') return data as Float32Array;
  if (type === 'string') throw new NotCompiledError('it computes with texts');
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(data[i]);
  return out;
}

/** Small whole numbers: sizes, axes, positions. */
export function wholesOf({ type, data }: Tensor): number[] {
  if (type !== 'int64' && type !== 'int32') throw new NotCompiledError(`it counts with ${type}`);
  return Array.from(data as BigInt64Array, Number);
}

/** Rows and columns of an operator's input: one row where it has one dimension. */
export function matrixOf({ dims }: Tensor): { readonly rows: number; readonly columns: number } {
  if (dims.length === 1) return { rows: 1, columns: dims[0] as number };
  if (dims.length !== 2) throw new NotCompiledError(`it has a table of ${dims.length} dimensions`);
  return { rows: dims[0] as number, columns: dims[1] as number };
}
