/** Names of data sets: plain, of one segment. Pure. */
import { invalid } from '../errors.ts';

/** Throws 400 for anything that could be a path, hide something, or be too long for some store. */
export function dataSetName(raw: string): string {
  let name: string;
  try {
    name = decodeURIComponent(raw);
  } catch {
    throw invalid('The name of a data set must be valid percent-encoding.');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  const isPlain = !/[\u0000-\u001f\u007f-\u009f\u2028\u2029/\\%#?]/.test(name) && name.isWellFormed();
  if (!isPlain || /^\.{1,2}$/.test(name) || name === '' || Buffer.byteLength(name) > 250)
    throw invalid(
      'Expected a name of 1 to 250 bytes without "/", "\\", "%", "#", "?" and control characters, such as train.csv.',
    );
  return name;
}

/** A sha256 as somebody announces it; undefined when nobody does. Throws 400 for what is none. */
export function announcedSha256(value: string | null | undefined): string | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  const hex = value.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex)) throw invalid('sha256 must be 64 hex characters.');
  return hex;
}
