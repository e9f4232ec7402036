/** Which headers pass between a client and the server behind. Pure. */
import type { IncomingHttpHeaders } from 'node:http';

type Headers = Readonly<Record<string, readonly string[] | undefined>>;

/** Of one connection only. */
const HOP_BY_HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
]);
/** What shows who a client is, where it is for us to ask. */
const CREDENTIALS = new Set(['authorization', 'x-api-key']);
/** What we say on every answer. */
const OURS = new Set(['x-model-version', 'x-artifact-sha256', 'x-request-id', 'traceparent']);

const namedBy = (connection: readonly string[] | undefined): ReadonlySet<string> =>
  new Set(
    (connection ?? []).flatMap((text) =>
      text
        .toLowerCase()
        .split(',')
        .map((name) => name.trim()),
    ),
  );

/** One value as it is: of some headers node:http takes no list. */
const plain = (values: readonly string[] = []): string | string[] =>
  values.length === 1 ? (values[0] as string) : [...values];

/** What the server gets: no credentials where we have looked at them, and the id and the trace we have given the request. */
export function headersForServer(
  headers: Headers,
  own: { readonly requestId: string; readonly traceparent: string; readonly hidesCredentials: boolean },
): Record<string, string | string[]> {
  const left = namedBy(headers['connection']);
  const passed = Object.entries(headers).filter(
    ([name]) =>
      !HOP_BY_HOP.has(name) &&
      !left.has(name) &&
      // The body is sent as it comes, so the server need not be asked whether it wants it.
      name !== 'expect' &&
      !(own.hidesCredentials && CREDENTIALS.has(name)),
  );
  return {
    ...Object.fromEntries(passed.map(([name, values]) => [name, plain(values)])),
    'x-request-id': own.requestId,
    traceparent: own.traceparent,
  };
}

/** What the client gets of the server's answer: nothing that we say ourselves, and no leave for other origins, which is spec.cors's to give. */
export function headersForClient(headers: Headers): readonly (readonly [string, readonly string[]])[] {
  const left = namedBy(headers['connection']);
  return Object.entries(headers)
    .filter(([name]) => !HOP_BY_HOP.has(name) && !left.has(name) && !OURS.has(name))
    .filter(([name]) => !name.startsWith('access-control-'))
    .map(([name, values]) => [name, values ?? []] as const);
}

/** True when the request has a body that is too long, or of unknown length, to be kept for a second try. */
export function isLong(headers: IncomingHttpHeaders, most: number): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > most;
}
