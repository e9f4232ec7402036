/** Operators that work on values one by one, with ONNX's broadcasting where there are several. */
import { elementCount, type Tensor, type TensorData, type TensorType } from '../tensor.ts';
import { attributeOf, given, intOf, type Kernel, type MakeKernel, numbersOf, type Room } from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';
import { tensorType } from './read-values.ts';

const FLOATS: ReadonlySet<TensorType> = new Set(['float32', 'float64']);
const NUMBERS: ReadonlySet<TensorType> = new Set(['float32', 'float64', 'int32', 'int64']);
const BOOLS: ReadonlySet<TensorType> = new Set(['bool']);

function expect({ type }: Tensor, types: ReadonlySet<TensorType>): void {
  if (!types.has(type)) throw new NotCompiledError(`it computes with ${type}`);
}

/** An operator of one value. int32 is left out where it would overflow otherwise than the runtime's. */
export const unary =
  (compute: (value: number) => number, types: ReadonlySet<TensorType> = FLOATS): MakeKernel =>
  () =>
  (inputs, room) => {
    const input = given(inputs);
    expect(input, types);
    const data = input.data as Float32Array;
    const out = room(input.type, data.length) as Float32Array;
    for (let i = 0; i < data.length; i++) out[i] = compute(data[i] as number);
    return [{ type: input.type, dims: input.dims, data: out }];
  };

/** By output value, the value of an input of shape `dims` in the output of shape `to`. */
export function broadcastIndex(dims: readonly number[], to: readonly number[]): (index: number) => number {
  const count = elementCount(dims);
  if (count === elementCount(to)) return (index) => index;
  if (count === 1) return () => 0;
  const lead = to.length - dims.length;
  const inner = dims.slice(dims.findIndex((size) => size !== 1));
  // A row for every row of the output.
  if (inner.every((size, i) => size === to[to.length - inner.length + i])) return (index) => index % count;
  const strides = to.map((_, i) => {
    const own = i - lead;
    return own < 0 || dims[own] === 1 ? 0 : elementCount(dims.slice(own + 1));
  });
  return (index) => {
    let [rest, at] = [index, 0];
    for (let i = to.length - 1; i >= 0; i--) {
      const size = to[i] as number;
      at += (rest % size) * (strides[i] as number);
      rest = Math.floor(rest / size);
    }
    return at;
  };
}

/** The shape two shapes are broadcast to. Throws as the runtime does when they do not fit. */
export function broadcastDims(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) throw new Error(`shapes [${a}] and [${b}] do not fit`);
    return x === 1 ? y : x;
  });
}

const sameDims = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

type Values = Record<number, number>;

function combine(
  a: Tensor,
  b: Tensor,
  compute: (a: number, b: number) => number,
  make: (length: number) => TensorData,
) {
  const isPlain = sameDims(a.dims, b.dims);
  const dims = isPlain ? a.dims : broadcastDims(a.dims, b.dims);
  const out = make(isPlain ? a.data.length : elementCount(dims));
  // Whole numbers of 64 bits are computed with by the same signs.
  const [x, y, to] = [a.data, b.data, out] as unknown as [Values, Values, Values];
  if (isPlain) {
    for (let i = 0; i < out.length; i++) to[i] = compute(x[i] as number, y[i] as number);
  } else if (b.data.length === 1 && a.data.length === out.length) {
    const one = y[0] as number;
    for (let i = 0; i < out.length; i++) to[i] = compute(x[i] as number, one);
  } else {
    const [atA, atB] = [broadcastIndex(a.dims, dims), broadcastIndex(b.dims, dims)];
    for (let i = 0; i < out.length; i++) to[i] = compute(x[atA(i)] as number, y[atB(i)] as number);
  }
  return { dims, data: out };
}

/** An operator of two values of one type. */
export const binary =
  (compute: (a: number, b: number) => number, types: ReadonlySet<TensorType> = NUMBERS): MakeKernel =>
  () =>
  (inputs, room) => {
    const [a, b] = [given(inputs), given(inputs, 1)];
    expect(a, types);
    if (a.type !== b.type) throw new NotCompiledError(`it puts ${a.type} and ${b.type} together`);
    return [{ type: a.type, ...combine(a, b, compute, (length) => room(a.type, length)) }];
  };

/** A question about two values. */
export const compare =
  (ask: (a: number, b: number) => boolean, types: ReadonlySet<TensorType> = NUMBERS): MakeKernel =>
  () =>
  (inputs, room) => {
    const [a, b] = [given(inputs), given(inputs, 1)];
    if (a.type !== b.type || !(types.has(a.type) || BOOLS.has(a.type))) {
      throw new NotCompiledError(`it compares ${a.type} with ${b.type}`);
    }
    return [
      {
        type: 'bool',
        ...combine(
          a,
          b,
          (x, y) => (ask(x, y) ? 1 : 0),
          (length) => room('bool', length),
        ),
      },
    ];
  };

export const ANY_VALUES: ReadonlySet<TensorType> = new Set([...NUMBERS, 'string']);

export const logic = (compute: (a: number, b: number) => number): MakeKernel => binary(compute, BOOLS);

export const not: MakeKernel = unary((value) => (value === 0 ? 1 : 0), BOOLS);

export const isNan: MakeKernel = () => (inputs, room) => {
  const input = given(inputs);
  expect(input, FLOATS);
  const data = input.data as Float32Array;
  const out = room('bool', data.length) as Uint8Array;
  for (let i = 0; i < data.length; i++) out[i] = Number.isNaN(data[i]) ? 1 : 0;
  return [{ type: 'bool', dims: input.dims, data: out }];
};

/** The sum of any number of tensors. */
export const sum: MakeKernel = () => (inputs, room) => {
  let total = given(inputs);
  expect(total, FLOATS);
  for (let i = 1; i < inputs.length; i++) {
    const next = given(inputs, i);
    if (next.type !== total.type) throw new NotCompiledError('it sums up different types');
    const isLast = i === inputs.length - 1;
    const make = (length: number): TensorData =>
      isLast || total.type === 'float64' ? room(total.type, length) : new Float32Array(length);
    total = { type: total.type, ...combine(total, next, (a, b) => a + b, make) };
  }
  return [inputs.length === 1 ? { ...total, data: copyOf(total, room) } : total];
};

function copyOf({ type, data }: Tensor, room: Room): TensorData {
  const out = room(type, data.length);
  for (let i = 0; i < data.length; i++) out[i] = data[i] as never;
  return out;
}

export const where: MakeKernel = () => (inputs, room) => {
  const [condition, a, b] = [given(inputs), given(inputs, 1), given(inputs, 2)];
  expect(condition, BOOLS);
  if (a.type !== b.type) throw new NotCompiledError(`it chooses between ${a.type} and ${b.type}`);
  const dims = broadcastDims(broadcastDims(condition.dims, a.dims), b.dims);
  const out = room(a.type, elementCount(dims));
  const [atC, atA, atB] = [condition, a, b].map((tensor) => broadcastIndex(tensor.dims, dims)) as [
    (index: number) => number,
    (index: number) => number,
    (index: number) => number,
  ];
  for (let i = 0; i < out.length; i++) {
    out[i] = (condition.data[atC(i)] === 0 ? b.data[atB(i)] : a.data[atA(i)]) as never;
  }
  return [{ type: a.type, dims, data: out }];
};

export const clip: MakeKernel = (node) => (inputs, room) => {
  const input = given(inputs);
  expect(input, FLOATS);
  const least =
    (inputs[1]?.data[0] as number | undefined) ?? attributeOf(node, 'min').float ?? Number.NEGATIVE_INFINITY;
  const most = (inputs[2]?.data[0] as number | undefined) ?? attributeOf(node, 'max').float ?? Number.POSITIVE_INFINITY;
  const data = input.data as Float32Array;
  const out = room(input.type, data.length) as Float32Array;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    out[i] = value < least ? least : Math.min(value, most);
  }
  return [{ type: input.type, dims: input.dims, data: out }];
};

const CAST_TYPES: ReadonlySet<TensorType> = new Set(['float32', 'float64', 'int32', 'int64', 'bool']);

/** Between numbers. What does not fit a whole number is the processor's own business, and not compiled: it throws. */
export const cast: MakeKernel = (node): Kernel => {
  const to = tensorType(intOf(node, 'to', 0));
  return (inputs, room) => {
    const input = given(inputs);
    if (input.type === to) return [input];
    if (!CAST_TYPES.has(to) || !CAST_TYPES.has(input.type)) {
      throw new NotCompiledError(`it makes ${to} of ${input.type}`);
    }
    return [{ type: to, dims: input.dims, data: castTo(to, input, room) }];
  };
};

function castTo(to: TensorType, input: Tensor, room: Room): TensorData {
  const values = numbersOf(input);
  const out = room(to, values.length);
  if (to === 'float32' || to === 'float64') (out as Float32Array).set(values);
  else if (to === 'bool') for (let i = 0; i < values.length; i++) out[i] = values[i] === 0 ? 0 : 1;
  else castWhole(to, input, values, out);
  return out;
}

function castWhole(to: TensorType, input: Tensor, values: Float32Array | Float64Array, out: TensorData): void {
  const limit = to === 'int64' ? Number.MAX_SAFE_INTEGER : 2 ** 31 - 1;
  for (let i = 0; i < values.length; i++) {
    const whole = Math.trunc(values[i] as number);
    if (!(Math.abs(whole) <= limit)) throw new Error(`a ${input.type} does not fit ${to}`);
    out[i] = (to === 'int64' ? BigInt(whole) : whole) as never;
  }
}
