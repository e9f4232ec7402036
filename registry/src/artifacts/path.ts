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

function decodeOnce(text: string): string {
  try {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => decodeURIComponent(encoded));
  } catch {
    throw invalidPath();
  }
}

/** As MLflow does: `%252e` is `%2e` is `.`, so that no later reader can see another path than the one that was checked. */
function decodeToTheEnd(raw: string): string {
  let text = raw;
  for (let round = 0; round < MOST_DECODINGS; round++) {
    const decoded = decodeOnce(text);
    if (decoded === text) return text;
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

/**
 * The path a client means: below an experiment's folder (`<digits>/…`), never data sets or predictions beside them.
 * Throws 400 for everything else, encoded however often.
 */
export function artifactPath(raw: string): string {
  const path = decodeToTheEnd(raw);
  if (!isPlainPath(path) || !/^\d+(\/|$)/.test(path)) throw invalidPath();
  return path;
}

/** As `artifactPath`, for a folder: with a slash at its end or none, and empty for the root. */
export function folderPath(raw: string | undefined): string {
  const path = decodeToTheEnd(raw ?? '').replace(/\/$/, '');
  return path === '' ? '' : artifactPath(path);
}

/** A path below a folder that is known already, as `artifacts/list` takes it; empty for the folder itself. */
export function subPath(raw: string | undefined): string {
  const path = decodeToTheEnd(raw ?? '').replace(/\/$/, '');
  if (path !== '' && !isPlainPath(path)) throw invalidPath();
  return path;
}
