/**
 * Where lines are put together: bytes, written once and in their order. As strings in many parts lines would outlive the
 * nursery, and to collect those costs more than to make them.
 *
 *   putBytes(page, KEY)              what never changes, prepared with Buffer.from
 *   putDecimal(page, 51000, 4)       5.1
 *   putAscii(page, requestId)        what is known to be ASCII
 *   putText(page, name)              any other text
 */

/** Lines, and the one that is being written; `at`: where it goes on. To take something back is to set `at` back. */
export interface Page {
  bytes: Buffer;
  at: number;
}

/** Holds `size` bytes, and more when that is asked of it. */
export const createPage = (size: number): Page => ({ bytes: Buffer.allocUnsafeSlow(size), at: 0 });

/** Empties the page; what a long line made larger has `size` bytes again. */
export function clearPage(page: Page, size: number): void {
  page.at = 0;
  if (page.bytes.length > size) page.bytes = Buffer.allocUnsafeSlow(size);
}

/** No character of a string takes more bytes. */
const MOST_BYTES = 3;
/** A sign, ten digits, a point and the zeros around it. */
const MOST_DECIMAL = 24;
const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;

function room(page: Page, count: number): void {
  if (page.at + count > page.bytes.length) grow(page, count);
}

function grow(page: Page, count: number): void {
  const larger = Buffer.allocUnsafeSlow(2 * (page.at + count));
  larger.set(page.bytes.subarray(0, page.at));
  page.bytes = larger;
}

export function putBytes(page: Page, part: Uint8Array): void {
  room(page, part.length);
  page.bytes.set(part, page.at);
  page.at += part.length;
}

export function putByte(page: Page, byte: number): void {
  room(page, 1);
  page.bytes[page.at++] = byte;
}

export function putAscii(page: Page, text: string): void {
  room(page, text.length);
  page.at += page.bytes.write(text, page.at, 'latin1');
}

export function putText(page: Page, text: string): void {
  room(page, text.length * MOST_BYTES);
  page.at += page.bytes.write(text, page.at);
}

/** What stands from `from` to `until` on the page, once more. */
export function putAgain(page: Page, from: number, until: number): void {
  room(page, until - from);
  const { bytes } = page;
  let { at } = page;
  for (let i = from; i < until; i++) bytes[at++] = bytes[i] as number;
  page.at = at;
}

/** What `putDecimal` can write. */
export const MOST_SCALED = 2 ** 31 - 1;

/**
 * The number `scaled` / 10^`places` as JavaScript prints it; `scaled`: a whole number no larger than MOST_SCALED, `places`:
 * at most 6, because smaller numbers have an exponent.
 */
export function putDecimal(page: Page, scaled: number, places: number): void {
  room(page, MOST_DECIMAL);
  const { bytes } = page;
  let { at } = page;
  let rest = scaled | 0;
  if (rest < 0) {
    bytes[at++] = MINUS;
    rest = -rest | 0;
  }
  let decimals = places;
  while (decimals > 0 && rest % 10 === 0) {
    rest = (rest / 10) | 0;
    decimals--;
  }
  const point = at + Math.max(1, lengthOf(rest) - decimals);
  const end = decimals === 0 ? point : point + 1 + decimals;
  for (let i = end - 1; i > point; i--) {
    const left = (rest / 10) | 0;
    bytes[i] = ZERO + rest - left * 10;
    rest = left;
  }
  if (decimals > 0) bytes[point] = POINT;
  for (let i = point - 1; i >= at; i--) {
    const left = (rest / 10) | 0;
    bytes[i] = ZERO + rest - left * 10;
    rest = left;
  }
  page.at = end;
}

/** How many digits a whole number has; 0 has one. */
function lengthOf(value: number): number {
  let length = 1;
  for (let next = 10; value >= next; next *= 10) length++;
  return length;
}
