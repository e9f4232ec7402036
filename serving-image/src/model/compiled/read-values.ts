/** Numbers and tensors out of an ONNX file in memory. Lists of a forest have millions of entries: no object for each. */
import { MalformedError } from '../onnx/wire.ts';
import { allocate, elementCount, type Tensor, type TensorData, type TensorType } from '../tensor.ts';
import { type Attribute, NotCompiledError } from './graph.ts';

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Walks over protobuf fields; every read is checked against `end`. */
class Cursor {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
  number = 0;
  wire = 0;
  /** Of a delimited field. */
  from = 0;
  until = 0;

  constructor(bytes: Buffer, from: number, end: number) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  /** Reads the tag of the next field, and where its content lies if it is delimited; false at the end. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const tag = this.varint();
    this.number = Math.floor(tag / 8);
    this.wire = tag % 8;
    if (this.wire === DELIMITED) {
      const length = this.varint();
      this.from = this.at;
      this.until = this.at + length;
      if (length < 0 || this.until > this.end) throw new MalformedError(`a field runs past byte ${this.end}`);
      this.at = this.until;
    }
    return true;
  }

  /** A whole number, signed as int64 is. Throws NotCompiledError for one that a double does not hold. */
  varint(): number {
    let [low, high] = [0, 0];
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw new MalformedError(`a number runs past byte ${this.end}`);
      const byte = this.bytes[this.at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low += bits * 2 ** shift;
      else high += bits * 2 ** (shift - 28);
      if (byte < 0x80) return signed(low, high);
    }
    throw new MalformedError(`a number at byte ${this.at} is too long`);
  }

  float(): number {
    this.take(4);
    return this.bytes.readFloatLE(this.at - 4);
  }

  double(): number {
    this.take(8);
    return this.bytes.readDoubleLE(this.at - 8);
  }

  text(): string {
    if (this.wire !== DELIMITED) throw new MalformedError(`field ${this.number} has wire type ${this.wire}`);
    return this.bytes.toString('utf8', this.from, this.until);
  }

  skip(): void {
    if (this.wire === VARINT) this.varint();
    else if (this.wire === FIXED64) this.take(8);
    else if (this.wire === FIXED32) this.take(4);
    else if (this.wire !== DELIMITED) throw new MalformedError(`unknown wire type ${this.wire}`);
  }

  private take(length: number): void {
    this.at += length;
    if (this.at > this.end) throw new MalformedError(`a number runs past byte ${this.end}`);
  }
}

/** From the low 28 and the high 36 bits of a varint. */
function signed(low: number, high: number): number {
  const value = (high >= 2 ** 35 ? high - 2 ** 36 : high) * 2 ** 28 + low;
  if (!Number.isSafeInteger(value)) throw new NotCompiledError('it has whole numbers beyond 2^53');
  return value;
}

/** Grows as it is filled: no length in the file is believed. */
class Numbers<T extends Float32Array | Float64Array> {
  private values: T;
  private readonly make: (length: number) => T;
  private count = 0;

  constructor(make: (length: number) => T) {
    this.make = make;
    this.values = make(16);
  }

  push(value: number): void {
    if (this.count === this.values.length) {
      const grown = this.make(this.count * 2);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.count++] = value;
  }

  taken(): T {
    return this.values.slice(0, this.count) as T;
  }
}

const floats = () => new Numbers((length) => new Float32Array(length));
const doubles = () => new Numbers((length) => new Float64Array(length));

type ReadOne = (cursor: Cursor) => number;
const asVarint: ReadOne = (cursor) => cursor.varint();
const asFloat: ReadOne = (cursor) => cursor.float();
const asDouble: ReadOne = (cursor) => cursor.double();

/** One entry of a repeated field, or a packed run of them. */
function collect(cursor: Cursor, into: Numbers<Float32Array | Float64Array>, read: ReadOne): void {
  if (cursor.wire !== DELIMITED) {
    into.push(read(cursor));
    return;
  }
  const packed = new Cursor(cursor.bytes, cursor.from, cursor.until);
  while (packed.at < packed.end) into.push(read(packed));
}

/** Where a message lies in the file. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The attribute between two positions, and its name. Throws MalformedError, NotCompiledError. */
export function readAttribute(bytes: Buffer, { start, end }: Range): { name: string; value: Attribute } {
  const cursor = new Cursor(bytes, start, end);
  const lists = { floats: floats(), ints: doubles(), texts: [] as string[] };
  const value: { -readonly [K in keyof Attribute]: Attribute[K] } = {};
  let name = '';
  const readers: Readonly<Record<number, () => void>> = {
    1: () => {
      name = cursor.text();
    },
    2: () => {
      value.float = cursor.float();
    },
    3: () => {
      value.int = cursor.varint();
    },
    4: () => {
      value.text = cursor.text();
    },
    5: () => {
      value.tensor = readTensor(bytes, { start: cursor.from, end: cursor.until }).tensor;
    },
    7: () => collect(cursor, lists.floats, asFloat),
    8: () => collect(cursor, lists.ints, asVarint),
    9: () => void lists.texts.push(cursor.text()),
    20: () => void cursor.varint(),
  };
  while (cursor.next()) {
    const read = readers[cursor.number];
    if (read) read();
    else cursor.skip();
  }
  const taken = { floats: lists.floats.taken(), ints: lists.ints.taken(), texts: lists.texts };
  return {
    name,
    value: {
      ...value,
      ...(taken.floats.length > 0 && { floats: taken.floats }),
      ...(taken.ints.length > 0 && { ints: taken.ints }),
      ...(taken.texts.length > 0 && { texts: taken.texts }),
    },
  };
}

const TYPES: Readonly<Record<number, TensorType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  11: 'float64',
};

/** The type of tensors the file calls by this number. Throws NotCompiledError for one that is not computed with. */
export function tensorType(number: number): TensorType {
  const type = TYPES[number];
  if (type === undefined) throw new NotCompiledError(`it has tensors of element type ${number}`);
  return type;
}

/** A tensor that lies in the file itself, and its name. Throws MalformedError, NotCompiledError. */
export function readTensor(bytes: Buffer, { start, end }: Range): { name: string; tensor: Tensor } {
  const cursor = new Cursor(bytes, start, end);
  const [dims, numbers, texts] = [doubles(), doubles(), [] as string[]];
  let name = '';
  let type = 0;
  let raw: Buffer | undefined;
  const readers: Readonly<Record<number, () => void>> = {
    1: () => collect(cursor, dims, asVarint),
    2: () => {
      type = cursor.varint();
    },
    4: () => collect(cursor, numbers, asFloat),
    5: () => collect(cursor, numbers, asVarint),
    6: () => void texts.push(cursor.text()),
    7: () => collect(cursor, numbers, asVarint),
    8: () => {
      name = cursor.text();
    },
    9: () => {
      raw = bytes.subarray(cursor.from, cursor.until);
    },
    10: () => collect(cursor, numbers, asDouble),
    14: () => {
      if (cursor.varint() !== 0) throw new NotCompiledError('it keeps data in another file');
    },
  };
  while (cursor.next()) {
    const read = readers[cursor.number];
    if (read) read();
    else cursor.skip();
  }
  const shape = Array.from(dims.taken());
  const known = tensorType(type);
  const data = known === 'string' ? texts : fromFile(known, raw, numbers.taken());
  if (data.length !== elementCount(shape)) throw new MalformedError(`tensor ${name.slice(0, 128)} has another size`);
  return { name, tensor: { type: known, dims: shape, data } };
}

function fromFile(type: Exclude<TensorType, 'string'>, raw: Buffer | undefined, numbers: Float64Array): TensorData {
  if (raw) {
    // A copy that is aligned, and that does not keep the file in memory.
    const own = new Uint8Array(raw).buffer;
    const one = allocate(type, 0) as Uint8Array;
    if (raw.length % one.BYTES_PER_ELEMENT !== 0) throw new MalformedError('a tensor of broken numbers');
    const Numbers = one.constructor as new (buffer: ArrayBuffer) => TensorData;
    return new Numbers(own);
  }
  if (type === 'int64') return BigInt64Array.from(numbers, BigInt);
  const data = allocate(type, numbers.length) as Float64Array;
  data.set(numbers);
  return data;
}
