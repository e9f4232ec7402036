/** Pages of other origins: which may call from a browser, and what they may send and read. */
import type { IncomingMessage, ServerResponse } from 'node:http';

const METHODS = 'GET, POST';
const REQUEST_HEADERS = [
  ...['content-type', 'authorization', 'x-api-key', 'x-request-id', 'traceparent', 'tracestate'],
  ...['inference-header-content-length', 'idempotency-key', 'prefer'],
].join(', ');
const RESPONSE_HEADERS = [
  ...['x-model-version', 'x-artifact-sha256', 'x-request-id', 'inference-header-content-length'],
  ...['retry-after', 'location', 'preference-applied', 'www-authenticate'],
].join(', ');
/** How long a browser may go without asking again. */
const MAX_AGE_SECONDS = '600';

/**
 * To be asked before anything else answers. Sets what a browser wants to see on the answer; true when the request was a
 * preflight, which is answered then. Browsers are never told that they may send cookies. A page of an origin that is not
 * listed gets no such header, so its browser keeps the answer from it.
 */
export function createCors(
  origins: readonly string[],
): (request: Pick<IncomingMessage, 'method' | 'headers'>, response: ServerResponse) => boolean {
  const isForAll = origins.includes('*');
  const listed = new Set(origins);
  return ({ method, headers }, response) => {
    // What is kept of this answer must not be shown to another origin.
    if (!isForAll) response.setHeader('vary', 'Origin');
    const { origin } = headers;
    const isPreflight =
      method === 'OPTIONS' && origin !== undefined && headers['access-control-request-method'] !== undefined;
    if (origin === undefined || !(isForAll || listed.has(origin))) {
      // Without our headers it is a no to the browser; with an error it would look like one of credentials.
      if (isPreflight) response.writeHead(204).end();
      return isPreflight;
    }
    response.setHeader('access-control-allow-origin', isForAll ? '*' : origin);
    response.setHeader('access-control-expose-headers', RESPONSE_HEADERS);
    if (!isPreflight) return false;
    response.setHeader('access-control-allow-methods', METHODS);
    response.setHeader('access-control-allow-headers', REQUEST_HEADERS);
    response.setHeader('access-control-max-age', MAX_AGE_SECONDS);
    response.writeHead(204).end();
    return true;
  };
}
