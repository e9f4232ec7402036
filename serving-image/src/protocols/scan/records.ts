/**
 * Rows of named values straight from a request's bytes into the model's inputs: `{"samples":[{…},…]}` or one record `{…}`.
 * What order a client writes its keys in, and how it spells them, is learnt from the first row that is different; every
 * row after it is compared byte by byte and its numbers go where they belong. Undefined for anything out of the ordinary,
 * among it everything that is to be refused.
 */
import type { InputLayout, Place } from '../../model/binding.ts';
import { allocate, elementCount, type Tensor, type TensorData, type TensorSpec } from '../../model/tensor.ts';
import {
  BRACE,
  BRACKET,
  COLON,
  COMMA,
  type Cursor,
  END_BRACE,
  END_BRACKET,
  isAtEnd,
  keyBytes,
  peek,
  QUOTE,
  readString,
  take,
  takeKey,
} from './cursor.ts';
import { readNumber, readSingle } from './numbers.ts';

export interface ScannedRecords {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  /** The body was one record and not a list of them. */
  readonly isRecord: boolean;
  /** A key of the last row has a space in it. */
  readonly hasSpaces: boolean;
}

export type ScanRecords = (body: Buffer) => ScannedRecords | undefined;

/** How a row was written: which key stood where. */
interface Order {
  /** With quotes and colon. */
  readonly keys: readonly Key[];
  /** By position in the row, the place it fills. */
  readonly places: readonly number[];
  /** Places no key of the row fills: all of them may be missing. */
  readonly absent: readonly number[];
  /** Every place has its key, spelt as its name. */
  readonly isExact: boolean;
  readonly hasSpaces: boolean;
  /** No row of this order has fewer bytes, the comma after it included. */
  readonly leastBytes: number;
}

interface Key {
  readonly bytes: Uint8Array;
  /** Four bytes each, the last of them apart from the others where they are no multiple of four. */
  readonly words: Int32Array;
}

/** Of a larger body keys are compared by four bytes at a time, for which something has to be made first. */
const LARGE_BODY = 1024;
/** No wider row is learnt by heart. */
const MOST_COLUMNS = 1024;

/** Under which name the rows come, and how their columns are called. */
export interface Form {
  readonly list: string;
  /** A body may be one record as well. */
  readonly takesRecord: boolean;
  /** Every column is there in every row, under exactly its own name. */
  readonly isExact: boolean;
}

const SAMPLES: Form = { list: 'samples', takesRecord: true, isExact: false };

/** A scanner for rows of this layout; `maxRows`: more are left to others. */
export function createRecordScanner(layout: InputLayout, maxRows: number, form: Form = SAMPLES): ScanRecords {
  const listKey = keyBytes(form.list);
  const { places, inputs, shapes } = layout;
  if (places.length > MOST_COLUMNS) return () => undefined;
  let order = firstOrder(places);
  const width = places.length;
  const { isPlainMatrix } = layout;
  const targets = (rows: number): TensorData[] =>
    isPlainMatrix
      ? [new Float32Array(rows * width)]
      : shapes(rows).map((dims, i) => allocate((inputs[i] as TensorSpec).type, elementCount(dims)));
  const tensorsOf = (data: readonly TensorData[], rows: number): Tensor[] => {
    const [first] = data;
    if (isPlainMatrix)
      return [{ type: 'float32', dims: [rows, width], data: cut(first as Float32Array, rows * width) }];
    return shapes(rows).map((dims, i) => {
      const { type } = inputs[i] as TensorSpec;
      return { type, dims, data: cut(data[i] as TensorData, elementCount(dims)) };
    });
  };

  const readRow = (cursor: Seen, data: readonly TensorData[], row: number): boolean => {
    const from = cursor.at;
    if (isPlainMatrix ? readPlain(cursor, order, data[0] as Float32Array, row) : read(cursor, data, row)) return true;
    cursor.at = from;
    const learnt = learn(cursor, layout);
    if (!learnt || (form.isExact && !learnt.isExact)) return false;
    order = learnt;
    cursor.at = from;
    return read(cursor, data, row);
  };
  const read = (cursor: Seen, data: readonly TensorData[], row: number): boolean =>
    readAny(cursor, order, places, data, row);

  const readSamples = (cursor: Seen): ScannedRecords | undefined => {
    // Filled to the brim by rows that are as short as they can be; longer ones leave room.
    const room = Math.min(maxRows, Math.max(1, Math.floor((cursor.bytes.length - cursor.at) / order.leastBytes)));
    const data = targets(room);
    let rows = 0;
    do {
      if (rows === room || !readRow(cursor, data, rows)) return undefined;
      rows++;
    } while (take(cursor, COMMA));
    if (!take(cursor, END_BRACKET) || !take(cursor, END_BRACE) || !isAtEnd(cursor)) return undefined;
    return { inputs: tensorsOf(data, rows), rows, isRecord: false, hasSpaces: order.hasSpaces };
  };
  const readRecord = (cursor: Seen): ScannedRecords | undefined => {
    const data = targets(1);
    if (!readRow(cursor, data, 0) || !isAtEnd(cursor)) return undefined;
    return { inputs: tensorsOf(data, 1), rows: 1, isRecord: true, hasSpaces: order.hasSpaces };
  };
  return (body) => {
    const cursor = seen(body);
    if (take(cursor, BRACE) && takeKey(cursor, listKey) && take(cursor, BRACKET)) return readSamples(cursor);
    if (!form.takesRecord) return undefined;
    cursor.at = 0;
    return readRecord(cursor);
  };
}

/** The first `length` values. */
function cut(data: TensorData, length: number): TensorData {
  if (data.length === length) return data;
  return Array.isArray(data) ? data.slice(0, length) : data.subarray(0, length);
}

/** A cursor, and of a large body another look at its bytes. */
interface Seen extends Cursor {
  readonly view: DataView | undefined;
}

const seen = (bytes: Buffer): Seen => ({
  bytes,
  at: 0,
  view: bytes.length < LARGE_BODY ? undefined : new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
});

const WORD = 4;

function keyWithColon(name: string): Key {
  const bytes = Buffer.concat([keyBytes(name), Buffer.from(':')]);
  const words = Int32Array.from({ length: Math.floor(bytes.length / WORD) }, (_, i) => bytes.readInt32LE(i * WORD));
  return { bytes, words };
}

/** Braces, a comma after each value and one after the row; a value has a byte at least. */
const leastBytes = (keys: readonly Key[]): number => keys.reduce((sum, { bytes }) => sum + bytes.length + 2, 2);

const firstOrder = (places: readonly Place[]): Order => {
  const keys = places.map(({ name }) => keyWithColon(name));
  const hasSpaces = places.some(({ name }) => name.includes(' '));
  return { keys, places: places.map((_, i) => i), absent: [], isExact: true, hasSpaces, leastBytes: leastBytes(keys) };
};

/** Reads past a key that is exactly this one, and a space after its colon. */
function takeExactly(cursor: Seen, key: Key): boolean {
  const { bytes, view } = cursor;
  // Nearly always there is no white space to look for.
  if (bytes[cursor.at] !== QUOTE) peek(cursor);
  const { at } = cursor;
  const end = at + key.bytes.length;
  if (view && end <= bytes.length) {
    if (!hasWords(view, at, key.words) || !hasBytes(bytes, at, key.bytes, key.words.length * WORD)) return false;
  } else if (!hasBytes(bytes, at, key.bytes, 0)) return false;
  cursor.at = bytes[end] === SPACE ? end + 1 : end;
  return true;
}

function hasBytes(bytes: Uint8Array, at: number, wanted: Uint8Array, from: number): boolean {
  for (let i = from; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

function hasWords(view: DataView, at: number, wanted: Int32Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (view.getInt32(at + i * WORD, true) !== wanted[i]) return false;
  return true;
}

const SPACE = 0x20;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** Exact powers of ten, for as many digits as fit an integer of 32 bits. */
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/**
 * A row of numbers only; every key is there. Short numbers, as they mostly are, are read here, like all of them by
 * readSingle else.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: calls for every key and number would cost more than they do
function readPlain(cursor: Seen, { keys, places }: Order, data: Float32Array, row: number): boolean {
  const { bytes } = cursor;
  const base = row * places.length;
  if (!take(cursor, BRACE)) return false;
  for (let i = 0; i < keys.length; i++) {
    if (i > 0 && !take(cursor, COMMA)) return false;
    if (!takeExactly(cursor, keys[i] as Key)) return false;
    const start = cursor.at;
    const isNegative = bytes[start] === MINUS;
    const first = isNegative ? start + 1 : start;
    let at = first;
    let byte = bytes[at] as number;
    let digits = 0;
    let point = -1;
    while ((byte >= ZERO && byte <= NINE) || (byte === POINT && point === -1)) {
      if (byte === POINT) point = at;
      else digits = (digits * 10 + byte - ZERO) | 0;
      byte = bytes[++at] as number;
    }
    const length = at - first;
    const isEnd = byte === COMMA || byte === END_BRACE;
    const isWhole = length > 0 && (bytes[first] !== ZERO || length === 1 || point === first + 1);
    let value: number;
    if (isEnd && isWhole && length <= 9 && point !== first && point !== at - 1) {
      const size = point === -1 ? digits : digits / (POWERS[at - point - 1] as number);
      value = isNegative ? -size : size;
      cursor.at = at;
    } else value = readSingle(cursor);
    data[base + (places[i] as number)] = value;
    if (!Number.isFinite(data[base + (places[i] as number)])) return false;
  }
  return take(cursor, END_BRACE);
}

/** A row of whatever the columns take; a problem is left to those who have words for it. */
function readAny(
  cursor: Seen,
  order: Order,
  places: readonly Place[],
  data: readonly TensorData[],
  row: number,
): boolean {
  if (!take(cursor, BRACE)) return false;
  for (let i = 0; i < order.keys.length; i++) {
    if (i > 0 && !take(cursor, COMMA)) return false;
    if (!takeExactly(cursor, order.keys[i] as Key)) return false;
    const value = readValue(cursor);
    if (value === NOTHING || !put(places[order.places[i] as number] as Place, value, data, row)) return false;
  }
  for (const place of order.absent) if (!put(places[place] as Place, undefined, data, row)) return false;
  return take(cursor, END_BRACE);
}

const put = (place: Place, value: unknown, data: readonly TensorData[], row: number): boolean =>
  place.write(value, data[place.input] as TensorData, row * place.stride + place.offset) === undefined;

/** No value that can be read here. */
const NOTHING = Symbol('nothing');
const WORDS: readonly (readonly [word: Uint8Array, value: unknown])[] = [
  [Buffer.from('true'), true],
  [Buffer.from('false'), false],
  [Buffer.from('null'), null],
];

function readValue(cursor: Cursor): unknown {
  const first = peek(cursor);
  if (first === QUOTE) return readString(cursor) ?? NOTHING;
  if (first < 0x61) {
    const value = readNumber(cursor);
    return Number.isNaN(value) ? NOTHING : value;
  }
  const { bytes, at } = cursor;
  for (const [word, value] of WORDS) {
    if (!word.every((byte, i) => bytes[at + i] === byte)) continue;
    cursor.at = at + word.length;
    return value;
  }
  return NOTHING;
}

/** How the row at the cursor is written; undefined when a key is unknown, given twice or not clear, or one is missing. */
function learn(cursor: Cursor, { places, placeOf }: InputLayout): Order | undefined {
  const found: number[] = [];
  const names: string[] = [];
  if (!take(cursor, BRACE)) return undefined;
  do {
    const name = readString(cursor);
    const place = name === undefined ? undefined : placeOf(name);
    if (place === undefined || found.includes(place) || !take(cursor, COLON)) return undefined;
    if (readValue(cursor) === NOTHING) return undefined;
    found.push(place);
    names.push(name as string);
  } while (take(cursor, COMMA));
  const absent = places.flatMap((_, place) => (found.includes(place) ? [] : [place]));
  if (absent.some((place) => !(places[place] as Place).isOptional)) return undefined;
  const keys = names.map(keyWithColon);
  const isExact = absent.length === 0 && names.every((name, i) => name === places[found[i] as number]?.name);
  const hasSpaces = names.some((name) => name.includes(' '));
  return { keys, places: found, absent, isExact, hasSpaces, leastBytes: leastBytes(keys) };
}
