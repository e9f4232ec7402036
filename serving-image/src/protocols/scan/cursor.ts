/**
 * Reading JSON straight from a request's bytes, for as long as it is of the ordinary kind. Whoever meets anything else
 * (an escape, text beyond ASCII, a value of another type) gets `undefined` or NaN, gives up without a word, and leaves the
 * body to JSON.parse and to the checks that can say what is wrong. So nothing here needs an error message.
 *
 *   const cursor = cursorOf(body);
 *   if (!take(cursor, BRACE) || !takeKey(cursor, INPUTS)) return undefined;      // {"inputs":
 *   const tensor = scanNumbers(cursor, 'float32', 4096 * 4);                     // [[1,2],[3,4]]: numbers.ts
 *   if (!tensor || !take(cursor, END_BRACE) || !isAtEnd(cursor)) return undefined;
 */

/** A place in a body. Everything here moves `at` on; after a failure where it stands means nothing. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

export const cursorOf = (bytes: Uint8Array, at = 0): Cursor => ({ bytes, at });

export const BRACE = 0x7b;
export const END_BRACE = 0x7d;
export const BRACKET = 0x5b;
export const END_BRACKET = 0x5d;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The byte after any white space, -1 at the end of the body; it stays to be read. */
export function peek(cursor: Cursor): number {
  const { bytes } = cursor;
  let { at } = cursor;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    if (byte > 0x20 || !isSpace(byte)) {
      cursor.at = at;
      return byte;
    }
    at++;
  }
  cursor.at = at;
  return -1;
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Reads past this byte, and white space before it; false when another stands there. */
export function take(cursor: Cursor, byte: number): boolean {
  // Bodies seldom have white space: one comparison is all it takes.
  if (cursor.bytes[cursor.at] !== byte && peek(cursor) !== byte) return false;
  cursor.at++;
  return true;
}

/** Nothing but white space is left. */
export const isAtEnd = (cursor: Cursor): boolean => cursor.at === cursor.bytes.length || peek(cursor) === -1;

/** A key as `takeKey` wants it: as JSON.stringify writes it, quotes included. */
export const keyBytes = (key: string): Uint8Array => Buffer.from(JSON.stringify(key));

/** Reads past exactly this key and its colon; false, without having moved, when another key stands there. */
export function takeKey(cursor: Cursor, key: Uint8Array): boolean {
  if (peek(cursor) !== QUOTE) return false;
  const { bytes, at } = cursor;
  // The last characters tell names apart that begin alike.
  for (let i = key.length - 1; i > 0; i--) if (bytes[at + i] !== key[i]) return false;
  cursor.at = at + key.length;
  if (take(cursor, COLON)) return true;
  cursor.at = at;
  return false;
}

/** Longer strings are left to others. */
const MOST_CHARACTERS = 1024;

/** A short string of plain ASCII without escapes; undefined for any other, and for what is no string. */
export function readString(cursor: Cursor): string | undefined {
  if (peek(cursor) !== QUOTE) return undefined;
  const { bytes } = cursor;
  const from = cursor.at + 1;
  let at = from;
  for (;;) {
    const byte = bytes[at];
    if (byte === QUOTE) break;
    if (byte === undefined || byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return undefined;
    if (at++ - from > MOST_CHARACTERS) return undefined;
  }
  cursor.at = at + 1;
  return String.fromCharCode.apply(undefined, bytes.subarray(from, at) as unknown as number[]);
}
