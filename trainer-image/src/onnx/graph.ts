/** Putting an ONNX file together: nodes, constants, inputs and outputs. Field numbers are those of onnx.proto. */
import { FailureError } from '../failure.ts';
import {
  bytes,
  bytesOf,
  float,
  float32s,
  floats,
  int,
  int64s,
  ints,
  message,
  type Part,
  text,
  uint8s,
} from './wire.ts';

/** An attribute still without its name. */
export type Attribute = (name: string) => Part;

export const FLOAT = 1;
const UINT8 = 2;
export const INT32 = 6;
export const INT64 = 7;
export const STRING = 8;
export type ElementType = typeof FLOAT | typeof UINT8 | typeof INT32 | typeof INT64 | typeof STRING;

/** A tensor's content. */
const tensorOf = (type: ElementType, dims: readonly number[], content: Part): Part =>
  message(ints(1, dims), int(2, type), bytes(9, content));
export const floatTensor = (dims: readonly number[], values: ArrayLike<number>): Part =>
  tensorOf(FLOAT, dims, float32s(values));
/** `length` times the same byte. */
export const byteTensor = (length: number, value: number): Part => tensorOf(UINT8, [length], uint8s(length, value));

export const attribute = {
  int:
    (value: number): Attribute =>
    (name) =>
      message(text(1, name), int(3, value), int(20, 2)),
  string:
    (value: string): Attribute =>
    (name) =>
      message(text(1, name), text(4, value), int(20, 3)),
  tensor:
    (value: Part): Attribute =>
    (name) =>
      message(text(1, name), bytes(5, value), int(20, 4)),
  float:
    (value: number): Attribute =>
    (name) =>
      message(text(1, name), float(2, value), int(20, 1)),
  floats:
    (values: ArrayLike<number>): Attribute =>
    (name) =>
      message(text(1, name), floats(7, values), int(20, 6)),
  ints:
    (values: ArrayLike<number>): Attribute =>
    (name) =>
      message(text(1, name), ints(8, values), int(20, 7)),
  strings:
    (values: readonly string[]): Attribute =>
    (name) =>
      message(text(1, name), ...values.map((value) => text(9, value)), int(20, 8)),
};

/** An input or output: its rows are open, its width is given where it has one. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly width?: number;
}

const dimension = (size: number | 'N') => bytes(1, size === 'N' ? text(2, size) : int(1, size));
function valueInfo({ name, type, width }: Value): Part {
  const shape = message(dimension('N'), ...(width === undefined ? [] : [dimension(width)]));
  return message(text(1, name), bytes(2, bytes(1, message(int(1, type), bytes(2, shape)))));
}

export const ML = 'ai.onnx.ml';

export interface NodeOptions {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** A graph that grows node by node. */
export interface Graph {
  /** A name that nothing in the graph has yet: `wanted`, with underscores behind it where it must. */
  readonly fresh: (wanted: string) => string;
  /** Adds an operator of the standard set; its first output. */
  readonly add: (operator: string, options: NodeOptions) => string;
  /** The same of the set for classical machine learning. */
  readonly addMl: (operator: string, options: NodeOptions) => string;
  /** Adds a constant tensor of float32; its name. */
  readonly constant: (wanted: string, dims: readonly number[], values: ArrayLike<number>) => string;
  /** The same of int64: what indices and axes are. */
  readonly indices: (wanted: string, values: readonly number[]) => string;
  /** The whole file. Throws InvalidParameter when that is more than ONNX can hold. */
  readonly encode: (
    name: string,
    inputs: readonly Value[],
    outputs: readonly Value[],
    versions: Versions,
  ) => Uint8Array;
}

/** Of the format, and of the two operator sets. */
export interface Versions {
  readonly ir: number;
  readonly opset: number;
  readonly ml: number;
}

/** What protobuf can hold, and what a server takes. */
const MOST_BYTES = 2 ** 31 - 1;

function checkSize(bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  throw new FailureError(
    'InvalidParameter',
    `the model would have ${bytes} bytes, an ONNX file may have ${MOST_BYTES}: lower n_estimators, max_iter or max_depth, or raise min_samples_leaf`,
  );
}

/** An empty graph in which `taken` names are used already. */
export function createGraph(taken: Iterable<string>): Graph {
  const names = new Set(taken);
  const nodes: Part[] = [];
  const constants: Part[] = [];
  const fresh = (wanted: string): string => {
    let name = wanted;
    while (names.has(name)) name += '_';
    names.add(name);
    return name;
  };
  const addConstant = (wanted: string, tensor: Part): string => {
    const name = fresh(wanted);
    constants.push(message(tensor, text(8, name)));
    return name;
  };
  const addFrom =
    (domain: string) =>
    (operator: string, { inputs, outputs, attributes = {} }: NodeOptions): string => {
      nodes.push(
        message(
          ...inputs.map((name) => text(1, name)),
          ...outputs.map((name) => text(2, name)),
          text(4, operator),
          ...Object.entries(attributes).map(([name, value]) => bytes(5, value(name))),
          ...(domain === '' ? [] : [text(7, domain)]),
        ),
      );
      return outputs[0] as string;
    };
  return {
    fresh,
    add: addFrom(''),
    addMl: addFrom(ML),
    constant: (wanted, dims, values) => addConstant(wanted, floatTensor(dims, values)),
    indices: (wanted, values) => addConstant(wanted, tensorOf(INT64, [values.length], int64s(values))),
    encode: (name, inputs, outputs, { ir, opset, ml }) => {
      const graph = message(
        ...nodes.map((node) => bytes(1, node)),
        text(2, name),
        ...constants.map((tensor) => bytes(5, tensor)),
        ...inputs.map((value) => bytes(11, valueInfo(value))),
        ...outputs.map((value) => bytes(12, valueInfo(value))),
      );
      const model = message(
        int(1, ir),
        text(2, 'slipway'),
        bytes(7, graph),
        bytes(8, message(text(1, ''), int(2, opset))),
        bytes(8, message(text(1, ML), int(2, ml))),
      );
      checkSize(model.size);
      return bytesOf(model);
    },
  };
}
