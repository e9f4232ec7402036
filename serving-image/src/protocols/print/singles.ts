/**
 * Numbers of a float32 tensor as JSON: the shortest text that is the same float32 when it is read again. JSON.stringify
 * would write the digits of the double in between, twice as many and slowly.
 *
 *   singlesText(data)                     0.1,0.97,3e-9
 *   rowsText(data, 2)                     [0.1,0.9],[0.4,0.6]
 */

/** Exact, so that one division gives the double a parser gives. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** What `shorten` found: the value is `digits` / 10^`places`. */
const found = { digits: 0, places: 0 };

/** Values from here up to MOST are printed digit by digit, others by JavaScript itself. */
const LEAST = 1e-13;
const MOST = 1e8;

/** No text that is further away than this share of a float32 can be read as it. */
const SPACING = 2 ** -24 * 1.01;

/** The fewest digits, six to nine, that read as this positive float32; false where there is no doing it exactly. */
function shorten(value: number): boolean {
  if (!(value >= LEAST && value < MOST)) return false;
  // Six digits in front of the point of value * 10^places.
  let places = placesFor(value);
  for (let digits = 6; digits <= 9 && places <= 22; digits++, places++) {
    const power = POWERS[places] as number;
    const exact = value * power;
    const rounded = Math.floor(exact + 0.5);
    // A division costs more than all the rest: not where it is plain to see that another float32 is nearer.
    if (Math.abs(rounded - exact) > exact * SPACING) continue;
    if (Math.fround(rounded / power) === value) return strip(rounded | 0, places);
  }
  return false;
}

/** 10^places times the value has at least six digits before the point, and no more if that can be. */
function placesFor(value: number): number {
  let places = 0;
  // Most predictions lie between a thousandth and a thousand.
  if (value < 1e-3) places = value < 1e-8 ? 13 : 8;
  while (places < 18 && value * (POWERS[places] as number) < 99_999.95) places++;
  return places;
}

function strip(rounded: number, at: number): true {
  let [digits, places] = [rounded, at];
  while (places > 0 && digits % 10 === 0) {
    digits = (digits / 10) | 0;
    places--;
  }
  found.digits = digits;
  found.places = places;
  return true;
}

/** The double whose shortest text is also the shortest for this float32: `String(shortSingle(x))` is what belongs into JSON. */
export function shortSingle(value: number): number {
  const size = Math.abs(value);
  if (!shorten(size)) return shortSlowly(value);
  const short = found.digits / (POWERS[found.places] as number);
  return value < 0 ? -short : short;
}

function shortSlowly(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** A sign, nine digits, a point, zeros after it, an exponent: no number is longer, and neither is a separator. */
const MOST_CHARACTERS = 32;
/** Where text is put together; given away as a string before anybody else comes. */
let page = Buffer.alloc(16_384);
/** A page for an unusually large answer is not kept. */
const KEPT_BYTES = 4 * 1024 * 1024;

function pageFor(numbers: number): Buffer {
  const size = numbers * MOST_CHARACTERS + MOST_CHARACTERS;
  if (size <= page.length) return page;
  const larger = Buffer.alloc(size);
  if (size <= KEPT_BYTES) page = larger;
  return larger;
}

const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;
const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** Writes the value's text; where it ends. */
function put(bytes: Buffer, from: number, value: number): number {
  let at = from;
  const size = value < 0 ? -value : value;
  if (!shorten(size)) return at + bytes.write(String(shortSlowly(value === 0 ? 0 : value)), at, 'latin1');
  if (value < 0) bytes[at++] = MINUS;
  const { digits, places } = found;
  // JavaScript, and so everybody's JSON, turns to exponents below a millionth.
  if (size < 1e-6) return at + bytes.write(String(digits / (POWERS[places] as number)), at, 'latin1');
  return places === 0 ? putInteger(bytes, at, digits) : putDecimal(bytes, at, digits, places);
}

function putInteger(bytes: Buffer, from: number, value: number): number {
  const end = from + lengthOf(value);
  putDigits(bytes, end, value, end - from);
  return end;
}

function putDecimal(bytes: Buffer, from: number, digits: number, places: number): number {
  const whole = Math.max(1, lengthOf(digits) - places);
  const end = from + whole + 1 + places;
  const rest = putDigits(bytes, end, digits, places);
  bytes[from + whole] = POINT;
  putDigits(bytes, from + whole, rest, whole);
  return end;
}

/** The last `count` digits, zeros in front, so that they end at `end`; what is left of the number. */
function putDigits(bytes: Buffer, end: number, value: number, count: number): number {
  let rest = value;
  for (let at = end - 1; at >= end - count; at--) {
    const left = (rest / 10) | 0;
    bytes[at] = ZERO + (rest - left * 10);
    rest = left;
  }
  return rest;
}

function lengthOf(value: number): number {
  let length = 1;
  while (length < 16 && value >= (POWERS[length] as number)) length++;
  return length;
}

/** Shorter lists are put together as strings. */
const FEW = 4;

/** `data[from..until]`, separated by commas, without brackets. All must be finite. */
export function singlesText(data: Float32Array, from = 0, until = data.length): string {
  if (until - from <= FEW) return fewText(data, from, until);
  const bytes = pageFor(until - from);
  let at = 0;
  for (let i = from; i < until; i++) {
    if (i > from) bytes[at++] = COMMA;
    at = put(bytes, at, data[i] as number);
  }
  return bytes.toString('latin1', 0, at);
}

function fewText(data: Float32Array, from: number, until: number): string {
  let text = '';
  for (let i = from; i < until; i++) text += (i > from ? ',' : '') + shortSingle(data[i] as number);
  return text;
}

/** The rows of `width` values each as lists, separated by commas. All must be finite. */
export function rowsText(data: Float32Array, width: number): string {
  const bytes = pageFor(data.length);
  let at = 0;
  for (let i = 0; i < data.length; i++) {
    const isFirst = i % width === 0;
    if (i > 0) bytes[at++] = COMMA;
    if (isFirst) bytes[at++] = OPEN;
    at = put(bytes, at, data[i] as number);
    if (i % width === width - 1) bytes[at++] = CLOSE;
  }
  return bytes.toString('latin1', 0, at);
}
