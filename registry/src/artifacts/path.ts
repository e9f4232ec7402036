/** Paths of the artifact proxy as clients send them: decoded to the end, and refused unless they stay where they belong. Pure. */
import { isRelativePath } from '@slipway/contract';
import { invalid } from '../errors.ts';

/** S3 keys have 1,024 bytes; the namespace and its slash take up to 64 of them. */
const LONGEST_PATH = 960;
/** Longer names are more than some stores can keep. */
const LONGEST_SEGMENT = 255;
/** A path that is still encoded after so many rounds is nobody's honest name. */
const MOST_DECODINGS = 10;

const invalidPath = () => invalid('Invalid path');

/** One character each, as UTF-8 has it: `%41`, `%C3%BC`. */
const CHARACTER =
  /%[0-7][0-9a-f]|%[cd][0-9a-f]%[89ab][0-9a-f]|%e[0-9a-f](?:%[89ab][0-9a-f]){2}|%f[0-7](?:%[89ab][0-9a-f]){3}/gi;
/** Characters that no path may hold: an escape of one that is left after the request's own was opened is part of a name. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for here
const NEVER_IN_PATHS = /[#\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** What the request's own encoding says. Throws for what is no UTF-8. */
function requested(raw: string): string {
  try {
    return raw.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => decodeURIComponent(encoded));
  } catch {
    throw invalidPath();
  }
}

function characterOf(escaped: string): string {
  try {
    const character = decodeURIComponent(escaped);
    return NEVER_IN_PATHS.test(character) ? escaped : character;
  } catch {
    return escaped;
  }
}

/** True when someone who opens the escapes that were left would see a step to a folder above, or none. */
const climbs = (path: string): boolean =>
  path
    .replace(/%5c/gi, '/')
    .replace(/%(?:[01][0-9a-f]|7f|23)/gi, '')
    .split('/')
    .some((segment) => /^\.{1,2}$/.test(segment.trim()));

/**
 * Opens a path that a client encoded itself, as MLflow does: `%252e` is `%2e` is `.`, so that no later reader can see
 * another path than the one that was checked. Clients name files like `dogs%step%3%timestamp%17…`: an escape of what
 * no path may hold stays as it is.
 */
function decodeToTheEnd(named: string): string {
  let text = named;
  for (let round = 0; round < MOST_DECODINGS; round++) {
    const decoded = text.replace(CHARACTER, characterOf);
    if (decoded === text) {
      if (climbs(text)) throw invalidPath();
      return text;
    }
    text = decoded;
  }
  throw invalidPath();
}

/** True for a path below an artifact root that a client may name: relative, plain, short enough, no character that hides. */
export function isPlainPath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (/[#\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(path) || !path.isWellFormed()) return false;
  if (!isRelativePath(path) || Buffer.byteLength(path) > LONGEST_PATH) return false;
  return path.split('/').every((segment) => Buffer.byteLength(segment) <= LONGEST_SEGMENT);
}

/** As `artifactPath`, for a path that was read from a query or a body, or put together of such. */
export function namedPath(named: string): string {
  const path = decodeToTheEnd(named);
  if (!isPlainPath(path) || !/^\d+(\/|$)/.test(path)) throw invalidPath();
  return path;
}

/**
 * The path a client means by the path of its request: below an experiment's folder (`<digits>/…`), never data sets or
 * predictions beside them. Throws 400 for everything else, encoded however often.
 */
export const artifactPath = (raw: string): string => namedPath(requested(raw));

/** As `artifactPath`, for a folder that a query names: with a slash at its end or none, and empty for the root. */
export function folderPath(named = ''): string {
  const folder = named.replace(/\/$/, '');
  return folder === '' ? '' : namedPath(folder);
}

/** A path below a folder that is known already, as the query of `artifacts/list` names it; empty for the folder itself. */
export function subPath(named = ''): string {
  const path = decodeToTheEnd(named).replace(/\/$/, '');
  if (path !== '' && !isPlainPath(path)) throw invalidPath();
  return path;
}
