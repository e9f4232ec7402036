/** Numbers as a log shows them: with the digits they were given, and no more. */

const SCALE = 1e4;
/** Digits that always tell two neighbouring numbers of half and of single precision apart. */
const ENOUGH_DIGITS = 9;

/** The shortest decimal that is this single-precision number; `null` for what JSON has no number for. */
export function shortSingle(value: number): string {
  // What people and sensors write: few decimals. Finding that out is cheaper than printing a double's 17 digits.
  const near = Math.round(value * SCALE) / SCALE;
  if (Math.fround(near) === value) return `${near}`;
  return slowSingle(value);
}

function slowSingle(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  for (let digits = 6; digits < ENOUGH_DIGITS; digits++) {
    const near = Number(value.toPrecision(digits));
    if (Math.fround(near) === value) return `${near}`;
  }
  return `${Number(value.toPrecision(ENOUGH_DIGITS))}`;
}

/** A double; `null` for what JSON has no number for. */
export const double = (value: number): string => (Number.isFinite(value) ? `${value}` : 'null');

const MICRO = 1e6;

/** A number that was computed for people to read: to the millionth, or with nine digits where that says more. */
export function rounded(value: number): string {
  const size = Math.abs(value);
  if ((size >= 0.01 && size < MICRO) || value === 0) return `${Math.round(value * MICRO) / MICRO}`;
  return Number.isFinite(value) ? `${Number(value.toPrecision(ENOUGH_DIGITS))}` : 'null';
}

/** A share between 0 and 1, to the millionth. */
export const share = (value: number): string => `${Math.round(value * 1e6) / 1e6}`;

/** Milliseconds, to the microsecond. */
export const milliseconds = (value: number): string => `${Math.round(value * 1000) / 1000}`;
