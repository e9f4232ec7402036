/** Numbers as a log shows them: with the digits they were given, and no more. */
import { shortSingle as quickSingle } from '../protocols/print/singles.ts';
import { MOST_SCALED, type Page, putAscii, putDecimal } from './page.ts';

/** What people and sensors write: few decimals. Finding that out is cheaper than printing a double's 17 digits. */
const PLACES = 4;
const SCALE = 10 ** PLACES;
/** Digits that always tell two neighbouring numbers of half and of single precision apart. */
const ENOUGH_DIGITS = 9;
/** Sizes for which there is a quicker way to the same digits. */
const QUICK_FROM = 1e-13;
const QUICK_UNTIL = 1e8;

/** The shortest decimal that is this single-precision number; `null` for what JSON has no number for. */
export function shortSingle(value: number): string {
  const near = Math.round(value * SCALE) / SCALE;
  if (Math.fround(near) === value && Number.isFinite(near)) return `${near}`;
  const size = Math.abs(value);
  return size >= QUICK_FROM && size < QUICK_UNTIL ? `${quickSingle(value)}` : slowSingle(value);
}

function slowSingle(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  for (let digits = 6; digits < ENOUGH_DIGITS; digits++) {
    const near = Number(value.toPrecision(digits));
    if (Math.fround(near) === value) return `${near}`;
  }
  return `${Number(value.toPrecision(ENOUGH_DIGITS))}`;
}

/** As `shortSingle` prints it. */
export function putSingle(page: Page, value: number): void {
  const scaled = Math.round(value * SCALE);
  if (Math.abs(scaled) <= MOST_SCALED && Math.fround(scaled / SCALE) === value) putDecimal(page, scaled, PLACES);
  else putAscii(page, shortSingle(value));
}

/** A double; `null` for what JSON has no number for. */
export const double = (value: number): string => (Number.isFinite(value) ? `${value}` : 'null');

/** As `double` prints it. */
export function putDouble(page: Page, value: number): void {
  const scaled = Math.round(value * SCALE);
  if (Math.abs(scaled) <= MOST_SCALED && scaled / SCALE === value) putDecimal(page, scaled, PLACES);
  else putAscii(page, double(value));
}

const MICRO = 1e6;

/** A number that was computed for people to read: to the millionth, or with nine digits where that says more. */
export function rounded(value: number): string {
  const size = Math.abs(value);
  if ((size >= 0.01 && size < MICRO) || value === 0) return `${Math.round(value * MICRO) / MICRO}`;
  return Number.isFinite(value) ? `${Number(value.toPrecision(ENOUGH_DIGITS))}` : 'null';
}

/** A share between 0 and 1, to the millionth. */
export const putShare = (page: Page, value: number): void => putDecimal(page, Math.round(value * MICRO), 6);

/** Milliseconds, to the microsecond. */
export function putMilliseconds(page: Page, value: number): void {
  const microseconds = Math.round(value * 1000);
  if (Math.abs(microseconds) <= MOST_SCALED) putDecimal(page, microseconds, 3);
  else putAscii(page, `${microseconds / 1000}`);
}
