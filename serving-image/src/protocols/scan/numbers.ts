/** Numbers from a body's bytes, exactly as JSON.parse reads them, and lists of them straight into a typed array. */
import { allocate, type NumericArray, type TensorType } from '../../model/tensor.ts';
import { BRACKET, COMMA, type Cursor, END_BRACKET, peek, take } from './cursor.ts';

/** Every power of ten that a double holds exactly: with them one operation rounds once, as a parser must. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
/** Any integer of so many digits is exact. */
const MOST_DIGITS = 15;
/** More than the share that is lost when only the first fifteen digits are looked at. */
const DOUBT = 2e-14;
/** Of smaller numbers the first eighteen digits after the point say less than that. */
const SMALL = 1e-3;

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const LETTER_E = 0x65;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= 0x39;

/** The number at the cursor, equal to what JSON.parse gives (infinite where that is); NaN when none stands there. */
export const readNumber = (cursor: Cursor): number => readUsual(cursor, false);

/** As `readNumber`, but only good as a float32: Math.fround of it equals Math.fround of what JSON.parse gives. */
export const readSingle = (cursor: Cursor): number => readUsual(cursor, true);

/** So many digits are an integer of 32 bits, with which the processor is quickest. */
const SHORT = 9;

/** Up to nine digits before the point and after it, fifteen in all, and no exponent; anything else by `read`. */
function readUsual(cursor: Cursor, isSingle: boolean): number {
  const { bytes } = cursor;
  const isNegative = peek(cursor) === MINUS;
  const whole = isNegative ? cursor.at + 1 : cursor.at;
  let at = whole;
  let digits = 0;
  let next = (bytes[at] as number) - ZERO;
  while (next >= 0 && next <= 9 && at - whole < SHORT) {
    digits = (digits * 10 + next) | 0;
    next = (bytes[++at] as number) - ZERO;
  }
  const integers = at - whole;
  let fraction = 0;
  const point = at;
  if (next === POINT - ZERO) {
    next = (bytes[++at] as number) - ZERO;
    while (next >= 0 && next <= 9 && at - point <= SHORT) {
      fraction = (fraction * 10 + next) | 0;
      next = (bytes[++at] as number) - ZERO;
    }
  }
  const places = at - point - 1;
  if (places === 0 || !isUsual(bytes, whole, integers + places, next)) return read(cursor, isSingle);
  cursor.at = at;
  const power = places < 0 ? 1 : (POWERS[places] as number);
  const size = places < 0 ? digits : (digits * power + fraction) / power;
  return isNegative ? -size : size;
}

/** `places` is one less than there are digits when there is no point. */
function isUsual(bytes: Uint8Array, whole: number, digits: number, next: number): boolean {
  if (next >= 0 && next <= 9) return false;
  if (next === LETTER_E - ZERO || next === LETTER_E - 0x20 - ZERO) return false;
  if (digits > MOST_DIGITS) return false;
  const first = (bytes[whole] as number) - ZERO;
  const second = (bytes[whole + 1] as number) - ZERO;
  return first > 0 ? first <= 9 : first === 0 && !(second >= 0 && second <= 9);
}

/** The first nine digits of the number that is being read, the next six, and how many more there are: one object for all. */
const decimal = { high: 0, low: 0, significant: 0, dropped: 0 };

function read(cursor: Cursor, isSingle: boolean): number {
  const { bytes } = cursor;
  const isNegative = peek(cursor) === MINUS;
  const start = cursor.at;
  const whole = isNegative ? start + 1 : start;
  decimal.high = 0;
  decimal.low = 0;
  decimal.significant = 0;
  decimal.dropped = 0;
  let at = readDigits(bytes, whole);
  // No digit at all, or one too many: JSON has no 01.
  if (at === whole || (bytes[whole] === ZERO && at > whole + 1)) return Number.NaN;
  let places = 0;
  if (bytes[at] === POINT) {
    const fraction = at + 1;
    at = readDigits(bytes, fraction);
    places = at - fraction;
    if (places === 0) return Number.NaN;
  }
  if (((bytes[at] as number) | 0x20) === LETTER_E) return readSlowly(cursor, start, at);
  cursor.at = at;
  const size = sizeOf(decimal.dropped - places, isSingle);
  if (size === undefined) return numberOf(bytes, start, at);
  return isNegative ? -size : size;
}

/** The digits at this power of ten, where that can be said without doubt. */
function sizeOf(exponent: number, isSingle: boolean): number | undefined {
  if (exponent < -22 || exponent > 22) return undefined;
  const size = scaled(digitsRead(), exponent);
  if (decimal.dropped === 0) return size;
  if (!isSingle) return undefined;
  const low = Math.fround(size * (1 - DOUBT));
  return low === Math.fround(size * (1 + DOUBT)) ? low : undefined;
}

const scaled = (digits: number, exponent: number): number =>
  exponent < 0 ? digits / (POWERS[-exponent] as number) : digits * (POWERS[exponent] as number);

/** Adds the digits from `at` on to `decimal`; where they end. */
function readDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  let { high, low, significant } = decimal;
  let digit = (bytes[at] as number) - ZERO;
  while (digit >= 0 && digit <= 9 && significant < SHORT) {
    high = (high * 10 + digit) | 0;
    if (high > 0) significant++;
    digit = (bytes[++at] as number) - ZERO;
  }
  while (digit >= 0 && digit <= 9 && significant < MOST_DIGITS) {
    low = (low * 10 + digit) | 0;
    significant++;
    digit = (bytes[++at] as number) - ZERO;
  }
  const full = at;
  while (digit >= 0 && digit <= 9) digit = (bytes[++at] as number) - ZERO;
  decimal.high = high;
  decimal.low = low;
  decimal.significant = significant;
  decimal.dropped += at - full;
  return at;
}

const digitsRead = (): number =>
  decimal.significant <= SHORT
    ? decimal.high
    : decimal.high * (POWERS[decimal.significant - SHORT] as number) + decimal.low;

/** With an exponent, whose `e` stands at `letter`. */
function readSlowly(cursor: Cursor, start: number, letter: number): number {
  const { bytes } = cursor;
  let at = letter + 1;
  if (bytes[at] === MINUS || bytes[at] === PLUS) at++;
  const digits = at;
  while (isDigit(bytes[at])) at++;
  if (at === digits) return Number.NaN;
  cursor.at = at;
  return numberOf(bytes, start, at);
}

const numberOf = (bytes: Uint8Array, from: number, until: number): number =>
  Number(Buffer.from(bytes.buffer, bytes.byteOffset + from, until - from).toString('latin1'));

/** The types `scanNumbers` fills. */
export type NumberType = Exclude<TensorType, 'string' | 'bool'>;

/** Numbers and how they were nested: `data.length` is the product of `dims`. */
export interface Scanned {
  readonly dims: readonly number[];
  readonly data: NumericArray | BigInt64Array | BigUint64Array;
}

const RANGES: Partial<Readonly<Record<NumberType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-2_147_483_648, 2_147_483_647],
  uint32: [0, 4_294_967_295],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

/** Deeper lists are no tensor of anybody's model. */
const MOST_DIMS = 8;

/**
 * The list at the cursor, flat or nested and of at most `most` numbers, as one array of `type`. Undefined when it is
 * empty anywhere or ragged, or when a number is not finite as that type, has a fraction or is out of range for an
 * integer one, or is an integer beyond what a double holds.
 */
export function scanNumbers(cursor: Cursor, type: NumberType, most: number): Scanned | undefined {
  const depth = openLists(cursor);
  if (depth === 0 || depth > MOST_DIMS) return undefined;
  const scan: Scan = {
    cursor,
    most,
    isSingle: type === 'float32',
    range: RANGES[type],
    type,
    data: allocate(type, Math.min(most, roomFor(cursor))) as Scanned['data'],
    count: 0,
  };
  const dims = new Array<number>(depth).fill(-1);
  if (!readLists(scan, dims, 0)) return undefined;
  return { dims, data: scan.data.length === scan.count ? scan.data : scan.data.slice(0, scan.count) };
}

interface Scan {
  readonly cursor: Cursor;
  readonly most: number;
  readonly isSingle: boolean;
  readonly range: readonly [number, number] | undefined;
  readonly type: NumberType;
  data: Scanned['data'];
  count: number;
}

/** As many numbers of the usual length as the rest of the body may hold. */
const roomFor = ({ bytes, at }: Cursor): number => Math.max(4, (bytes.length - at) >> 2);

/** How many lists open here, one in the other; the cursor stays. */
function openLists(cursor: Cursor): number {
  const { at } = cursor;
  let depth = 0;
  while (depth <= MOST_DIMS && take(cursor, BRACKET)) depth++;
  cursor.at = at;
  return depth;
}

function readLists(scan: Scan, dims: number[], level: number): boolean {
  const { cursor } = scan;
  if (!take(cursor, BRACKET)) return false;
  const count = level === dims.length - 1 ? readValues(scan) : readInner(scan, dims, level + 1);
  if (dims[level] === -1) dims[level] = count;
  return count > 0 && dims[level] === count && take(cursor, END_BRACKET);
}

/** The number of lists read; 0 when one of them is out of the ordinary. */
function readInner(scan: Scan, dims: number[], level: number): number {
  let count = 0;
  do {
    if (!readLists(scan, dims, level)) return 0;
    count++;
  } while (take(scan.cursor, COMMA));
  return count;
}

/** The number of values read; 0 when one of them is out of the ordinary. */
function readValues(scan: Scan): number {
  const before = scan.count;
  do {
    if (scan.range === undefined && readUsualList(scan)) break;
    if (!readValue(scan)) return 0;
  } while (take(scan.cursor, COMMA));
  return scan.count - before;
}

/** Usual numbers up to the end of their list; false where another one, or white space before a comma, stands before it. */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: a call for every number would cost more than the number
function readUsualList(scan: Scan): boolean {
  const { bytes } = scan.cursor;
  const data = scan.data as Float32Array;
  let { count } = scan;
  let at = scan.cursor.at;
  let start = at;
  let isDone = false;
  while (!isDone && count < data.length) {
    let byte = bytes[at] as number;
    if (byte === SPACE) byte = bytes[++at] as number;
    const isNegative = byte === MINUS;
    if (isNegative) byte = bytes[++at] as number;
    const first = at;
    let size = 0;
    while (byte >= ZERO && byte <= NINE) {
      size = (size * 10 + byte - ZERO) | 0;
      byte = bytes[++at] as number;
    }
    const integers = at - first;
    if (integers === 0 || integers > SHORT || (integers > 1 && bytes[first] === ZERO)) break;
    if (byte === POINT) {
      const fraction = ++at;
      let tail = 0;
      byte = bytes[at] as number;
      while (byte >= ZERO && byte <= NINE && at - fraction < SHORT) {
        tail = (tail * 10 + byte - ZERO) | 0;
        byte = bytes[++at] as number;
      }
      const places = at - fraction;
      if (places === 0 || places + integers > MOST_DIGITS) break;
      const power = POWERS[places] as number;
      size = (size * power + tail) / power;
      if (byte >= ZERO && byte <= NINE) {
        // Seventeen digits are usual for doubles, and more than a float32 needs.
        let rest = 0;
        const more = at;
        while (byte >= ZERO && byte <= NINE) {
          if (at - more < SHORT) rest = (rest * 10 + byte - ZERO) | 0;
          byte = bytes[++at] as number;
        }
        size += rest / (power * (POWERS[Math.min(SHORT, at - more)] as number));
        const low = Math.fround(size * (1 - DOUBT));
        if (!scan.isSingle || size < SMALL || low !== Math.fround(size * (1 + DOUBT))) break;
        size = low;
      }
    }
    if (byte === END_BRACKET) isDone = true;
    else if (byte !== COMMA) break;
    data[count++] = isNegative ? -size : size;
    if (!isDone) at++;
    start = at;
  }
  scan.cursor.at = start;
  scan.count = count;
  return isDone;
}

function readValue(scan: Scan): boolean {
  const { cursor, isSingle, range } = scan;
  if (scan.count === scan.data.length && !grow(scan)) return false;
  const value = read(cursor, isSingle);
  if (range === undefined) {
    (scan.data as Float32Array)[scan.count] = value;
    return Number.isFinite((scan.data as Float32Array)[scan.count++] as number);
  }
  if (!Number.isInteger(value) || value < range[0] || value > range[1]) return false;
  const isBig = scan.type === 'int64' || scan.type === 'uint64';
  (scan.data as BigInt64Array)[scan.count++] = (isBig ? BigInt(value) : value) as bigint;
  return true;
}

function grow(scan: Scan): boolean {
  if (scan.count >= scan.most) return false;
  const larger = allocate(scan.type, Math.min(scan.most, scan.count * 2 + 4)) as Float32Array;
  larger.set(scan.data as Float32Array);
  scan.data = larger;
  return true;
}
