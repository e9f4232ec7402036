/** Numbers and tensors out of an ONNX file in memory. Lists of a forest have millions of entries: no object for each. */
import { MalformedError } from '../onnx/wire.ts';
import { allocate, elementCount, type Tensor, type TensorData, type TensorType } from '../tensor.ts';
import type { Attribute } from './graph.ts';
import { NotCompiledError } from './not-compiled.ts';

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
  private readonly view: DataView;

  constructor(bytes: Buffer, from: number, end: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
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
    // Most are small: a forest has millions of them.
    const first = this.at < this.end ? (this.bytes[this.at] as number) : 0x80;
    if (first < 0x80) {
      this.at++;
      return first;
    }
    return this.longVarint();
  }

  float(): number {
    this.take(4);
    return this.view.getFloat32(this.at - 4, true);
  }

  double(): number {
    this.take(8);
    return this.view.getFloat64(this.at - 8, true);
  }

  /** True when the next field has the same tag, of one byte; it is then passed. */
  isAgain(tag: number): boolean {
    if (this.at >= this.end || this.bytes[this.at] !== tag) return false;
    this.at++;
    return true;
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

  private longVarint(): number {
    let [low, high] = [0, 0];
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw new MalformedError(`a number runs past byte ${this.end}`);
      const byte = this.bytes[this.at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low += bits << shift;
      else high += bits * 2 ** (shift - 28);
      if (byte < 0x80) return high === 0 ? low : signed(low, high);
    }
    throw new MalformedError(`a number at byte ${this.at} is too long`);
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
    return this.values.subarray(0, this.count) as T;
  }
}

const floats = () => new Numbers((length) => new Float32Array(length));
const doubles = () => new Numbers((length) => new Float64Array(length));

/** The tag of a field as its one byte; a number that no byte equals where it has more. */
const tagOf = ({ number, wire }: Cursor): number => (number < 16 ? number * 8 + wire : -1);

/** One entry of a repeated field and those that follow it, or a packed run of them. */
function collectFloats(cursor: Cursor, into: Numbers<Float32Array | Float64Array>): void {
  const tag = tagOf(cursor);
  if (cursor.wire !== DELIMITED) {
    do into.push(cursor.float());
    while (cursor.isAgain(tag));
    return;
  }
  const packed = new Cursor(cursor.bytes, cursor.from, cursor.until);
  while (packed.at < packed.end) into.push(packed.float());
}

/** As `collectFloats`. */
function collectWholes(cursor: Cursor, into: Numbers<Float64Array>): void {
  const tag = tagOf(cursor);
  if (cursor.wire !== DELIMITED) {
    do into.push(cursor.varint());
    while (cursor.isAgain(tag));
    return;
  }
  const packed = new Cursor(cursor.bytes, cursor.from, cursor.until);
  while (packed.at < packed.end) into.push(packed.varint());
}

/** As `collectFloats`. */
function collectDoubles(cursor: Cursor, into: Numbers<Float64Array>): void {
  if (cursor.wire !== DELIMITED) {
    into.push(cursor.double());
    return;
  }
  const packed = new Cursor(cursor.bytes, cursor.from, cursor.until);
  while (packed.at < packed.end) into.push(packed.double());
}

/** Texts of which the same few come again and again are made once: a forest says of every node what it asks. */
class Texts {
  readonly all: string[] = [];
  private readonly recent: { readonly bytes: Buffer; readonly text: string }[] = [];

  push(cursor: Cursor): void {
    if (cursor.wire !== DELIMITED) throw new MalformedError(`field ${cursor.number} has wire type ${cursor.wire}`);
    const length = cursor.until - cursor.from;
    for (const { bytes, text } of this.recent) {
      if (bytes.length === length && isAt(cursor.bytes, cursor.from, bytes)) {
        this.all.push(text);
        return;
      }
    }
    const text = cursor.text();
    this.all.push(text);
    if (this.recent.length === RECENT) this.recent.pop();
    this.recent.unshift({ bytes: cursor.bytes.subarray(cursor.from, cursor.until), text });
  }
}

const RECENT = 4;

function isAt(bytes: Buffer, from: number, text: Buffer): boolean {
  // Texts of one length usually differ at their end.
  for (let i = text.length - 1; i >= 0; i--) if (bytes[from + i] !== text[i]) return false;
  return true;
}

/** Where a message lies in the file. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The attribute between two positions, and its name. Throws MalformedError, NotCompiledError. */
export function readAttribute(bytes: Buffer, { start, end }: Range): { name: string; value: Attribute } {
  const cursor = new Cursor(bytes, start, end);
  const lists = { floats: floats(), ints: doubles(), texts: new Texts() };
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
    7: () => collectFloats(cursor, lists.floats),
    8: () => collectWholes(cursor, lists.ints),
    9: () => lists.texts.push(cursor),
    20: () => void cursor.varint(),
  };
  while (cursor.next()) {
    const read = readers[cursor.number];
    if (read) read();
    else cursor.skip();
  }
  const taken = { floats: lists.floats.taken(), ints: lists.ints.taken(), texts: lists.texts.all };
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
    1: () => collectWholes(cursor, dims),
    2: () => {
      type = cursor.varint();
    },
    4: () => collectFloats(cursor, numbers),
    5: () => collectWholes(cursor, numbers),
    6: () => void texts.push(cursor.text()),
    7: () => collectWholes(cursor, numbers),
    8: () => {
      name = cursor.text();
    },
    9: () => {
      raw = bytes.subarray(cursor.from, cursor.until);
    },
    10: () => collectDoubles(cursor, numbers),
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
