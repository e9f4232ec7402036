/** URIs as MLflow's server takes them apart: by Python's rules, so that what one accepts the other does. Pure. */

export interface SplitUri {
  /** Lower case; empty for a plain path. */
  readonly scheme: string;
  /** What stands between `//` and the path. */
  readonly authority: string;
  readonly path: string;
}

/** Never fails: what has no scheme is a path. */
export function splitUri(uri: string): SplitUri {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what Python leaves out
  const clean = uri.replace(/^[\u0000-\u0020]+/, '').replace(/[\t\r\n]/g, '');
  const [, scheme, rest = clean] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(clean) ?? [];
  const [, authority, path = ''] = /^(?:\/\/([^/?#]*))?([^?#]*)/.exec(rest) ?? [];
  return { scheme: scheme?.toLowerCase() ?? '', authority: authority ?? '', path };
}

const decodeOnce = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString('utf8'));

/** Percent-decoded until nothing is left to decode, so that what was encoded twice is seen too. */
export function fullyDecoded(text: string, options: { readonly plusIsSpace?: boolean } = {}): string {
  let before = text;
  for (;;) {
    const after = decodeOnce(options.plusIsSpace ? before.replaceAll('+', ' ') : before);
    if (after === before) return after;
    before = after;
  }
}

/** True when the path of the URI, however encoded, is absolute and has no part that leads elsewhere. */
export function hasPlainPath(uri: string): boolean {
  const decoded = fullyDecoded(uri, { plusIsSpace: true });
  const { path } = splitUri(decoded);
  if (path.includes('\0') || decoded.split('/').includes('..')) return false;
  const plain = path.replace(/\/+$/, '');
  return plain.startsWith('/') && !plain.split('/').includes('.');
}

/** The parts of a URI's path as they are; several slashes are one. */
export const pathParts = (uri: string): string[] =>
  splitUri(uri)
    .path.split('/')
    .filter((part) => part !== '');

/** True when the source lies in the folder, or is it. */
export function isWithin(source: string, folder: string): boolean {
  const [inner, outer] = [splitUri(source), splitUri(folder)];
  const [parts, root] = [pathParts(source), pathParts(folder)].map((all) => all.map((part) => fullyDecoded(part)));
  if (inner.scheme !== outer.scheme || inner.authority.toLowerCase() !== outer.authority.toLowerCase()) return false;
  return root !== undefined && root.length > 0 && root.every((part, index) => part === parts?.[index]);
}
