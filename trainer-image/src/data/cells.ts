/** What the bytes of one cell say: nothing, a number, or text. */

const ASCII = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** These words, besides an empty cell, say that a value is missing; case counts, as in pandas and R. */
export const MISSING_WORDS = ['NA', 'NaN', 'nan', 'null', 'None', '?'] as const;
const missing = MISSING_WORDS.map(ASCII);

/** True for an empty cell and for one of MISSING_WORDS. The cell is `bytes[start, end)` without surrounding spaces. */
export function isMissing(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0) return true;
  // A number begins with a digit, point or sign, all of which lie below '?': most cells are answered here.
  if (length > 4 || (bytes[start] as number) < 0x3f) return false;
  return missing.some((word) => word.length === length && word.every((byte, i) => byte === bytes[start + i]));
}

const POWERS = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const INFINITE = /^[+-]?inf(inity)?$/i;

/** The text of a cell. */
export const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');

function readSlowly(bytes: Uint8Array, start: number, end: number): number {
  const text = textOf(bytes, start, end);
  if (DECIMAL.test(text)) return Number(text);
  return INFINITE.test(text) ? Number.POSITIVE_INFINITY : Number.NaN;
}

/**
 * The decimal number in `bytes[start, end)`, correctly rounded; NaN when it is none, an infinity when it is too large for
 * a double or says `inf`. Up to 15 digits are put together by hand: both they and a power of ten up to 22 are exact in a
 * double, so one division or multiplication rounds as it should (W. D. Clinger, How to read floating point numbers
 * accurately, 1990). Anything else is read by the language.
 */
export function readNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const sign = bytes[at];
  if (sign === 0x2d || sign === 0x2b) at++;
  let mantissa = 0;
  let digits = 0;
  let decimals = 0;
  let point = -1;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      digits++;
    } else if (digit === -2 && point < 0) point = at;
    else return readSlowly(bytes, start, end);
  }
  if (digits === 0 || digits > 15) return readSlowly(bytes, start, end);
  if (point >= 0) decimals = end - point - 1;
  const value = decimals === 0 ? mantissa : mantissa / (POWERS[decimals] as number);
  return sign === 0x2d ? -value : value;
}
