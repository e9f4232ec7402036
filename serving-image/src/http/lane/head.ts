/**
 * Heads of requests that nothing is unusual about. Whatever could be read in two ways (RFC 9112: folded lines, bare line
 * feeds, lengths beside codings, anything twice) is not read here at all, so that no proxy can have seen another request than
 * we do: node:http decides about those.
 */
import type { IncomingHttpHeaders } from 'node:http';

export interface PlainHead {
  /** Path and query, as they were sent. */
  readonly url: string;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  /** Of the body, in bytes. */
  readonly length: number;
}

const REQUEST_LINE = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** Nothing but what can be seen, spaces and tabs. */
const VALUE = /^[\t\x20-\x7e]*$/;
const LENGTH = /^(?:0|[1-9]\d{0,9})$/;
/** Fields by which a request is more than a head and so many bytes. */
const UNUSUAL = new Set([
  ...[
    'transfer-encoding',
    'content-encoding',
    'expect',
    'upgrade',
    'trailer',
    'te',
    'proxy-connection',
    'http2-settings',
  ],
]);
const LINE_END = '\r\n';

/** `head` is everything before the empty line, byte by byte (latin1). Undefined: it is somebody else's to read. */
export function readHead(head: string): PlainHead | undefined {
  const [requestLine = '', ...lines] = head.split(LINE_END);
  const url = REQUEST_LINE.exec(requestLine)?.[1];
  if (url === undefined) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const given = line.slice(colon + 1);
    // Before `trim`, which would take line ends away, and spaces that are none in HTTP.
    if (!NAME.test(name) || !VALUE.test(given)) return undefined;
    const value = given.trim();
    if (name in headers || isUnusual(name, value)) return undefined;
    headers[name] = value;
  }
  const { host, 'content-length': length } = headers;
  if (host === undefined || length === undefined || !LENGTH.test(length)) return undefined;
  return { url, headers, length: Number(length) };
}

const isUnusual = (name: string, value: string): boolean =>
  UNUSUAL.has(name) || (name === 'connection' && value.toLowerCase() !== 'keep-alive');
