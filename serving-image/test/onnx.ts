/** Just enough of an ONNX writer to make the models these tests need, the hostile ones among them. */

type Bytes = Uint8Array;

const varint = (value: number | bigint): number[] => {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return out;
};

export const concat = (...parts: readonly Bytes[]): Bytes => Buffer.concat(parts);
export const int = (field: number, value: number | bigint): Bytes =>
  Uint8Array.from([...varint(field * 8), ...varint(value)]);
export const bytes = (field: number, value: Bytes): Bytes =>
  concat(Uint8Array.from([...varint(field * 8 + 2), ...varint(value.length)]), value);
export const text = (field: number, value: string): Bytes => bytes(field, Buffer.from(value));
export const float = (field: number, value: number): Bytes => {
  const out = Buffer.alloc(4);
  out.writeFloatLE(value);
  return concat(Uint8Array.from(varint(field * 8 + 5)), out);
};

export type AttributeValue =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly string: string }
  | { readonly floats: readonly number[] }
  | { readonly ints: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: Bytes }
  | { readonly graph: Bytes };

function attributeBody(value: AttributeValue): [type: number, body: Bytes] {
  if ('float' in value) return [1, float(2, value.float)];
  if ('int' in value) return [2, int(3, value.int)];
  if ('string' in value) return [3, text(4, value.string)];
  if ('tensor' in value) return [4, bytes(5, value.tensor)];
  if ('graph' in value) return [5, bytes(6, value.graph)];
  if ('floats' in value) return [6, Buffer.concat(value.floats.map((v) => float(7, v)))];
  if ('ints' in value) return [7, Buffer.concat(value.ints.map((v) => int(8, v)))];
  return [8, Buffer.concat(value.strings.map((v) => text(9, v)))];
}

export interface NodeOptions {
  readonly op: string;
  readonly inputs?: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly domain?: string;
  readonly name?: string;
}

export const node = ({ op, inputs = [], outputs, attributes = {}, domain, name }: NodeOptions): Bytes =>
  concat(
    ...inputs.map((input) => text(1, input)),
    ...outputs.map((output) => text(2, output)),
    ...(name === undefined ? [] : [text(3, name)]),
    text(4, op),
    ...Object.entries(attributes).map(([key, value]) => {
      const [type, body] = attributeBody(value);
      return bytes(5, concat(text(1, key), body, int(20, type)));
    }),
    ...(domain === undefined ? [] : [text(7, domain)]),
  );

export const ML = 'ai.onnx.ml';
export const FLOAT = 1;
export const INT64 = 7;
export const STRING = 8;
export const BOOL = 9;
export const DOUBLE = 11;
export const FLOAT16 = 10;
export const BFLOAT16 = 16;

/** A dimension given by name is open. */
export const tensorValue = (name: string, type: number, dims: readonly (number | string)[]): Bytes => {
  const shape = concat(...dims.map((dim) => bytes(1, typeof dim === 'number' ? int(1, dim) : text(2, dim))));
  return concat(text(1, name), bytes(2, bytes(1, concat(int(1, type), bytes(2, shape)))));
};

export const floatTensor = (name: string, dims: readonly number[], values: readonly number[]): Bytes =>
  concat(
    ...dims.map((dim) => int(1, dim)),
    int(2, FLOAT),
    text(8, name),
    bytes(9, Buffer.from(Float32Array.from(values).buffer)),
  );

/** A tensor whose data is said to lie in the file `location`. */
export const externalTensor = (name: string, dims: readonly number[], location: string): Bytes =>
  concat(
    ...dims.map((dim) => int(1, dim)),
    int(2, FLOAT),
    text(8, name),
    bytes(13, concat(text(1, 'location'), text(2, location))),
    int(14, 1),
  );

export interface GraphOptions {
  readonly nodes: readonly Bytes[];
  readonly inputs: readonly Bytes[];
  readonly outputs: readonly Bytes[];
  readonly initializers?: readonly Bytes[];
}

export const graph = ({ nodes, inputs, outputs, initializers = [] }: GraphOptions): Bytes =>
  concat(
    ...nodes.map((n) => bytes(1, n)),
    text(2, 'g'),
    ...initializers.map((t) => bytes(5, t)),
    ...inputs.map((v) => bytes(11, v)),
    ...outputs.map((v) => bytes(12, v)),
  );

export const model = (
  options: GraphOptions,
  { irVersion = 8, opset = 17 }: { irVersion?: number; opset?: number } = {},
): Buffer =>
  Buffer.from(
    concat(
      int(1, irVersion),
      text(2, 'slipway-tests'),
      bytes(7, graph(options)),
      bytes(8, concat(text(1, ''), int(2, opset))),
      bytes(8, concat(text(1, ML), int(2, 3))),
    ),
  );
