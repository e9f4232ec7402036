/** Whoever speaks http to a port that speaks https is told so, instead of losing the connection without a word. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const MESSAGE = 'This port speaks https; send the request to the same address with https:// instead of http://\n';
const ANSWER = [
  'HTTP/1.1 400 Bad Request',
  'content-type: text/plain; charset=utf-8',
  `content-length: ${MESSAGE.length}`,
  'connection: close',
  '',
  MESSAGE,
].join('\r\n');

/** A client that has its answer and stays is let go after this long. */
const LINGER_MS = 1_000;

/** From now on a handshake that is the beginning of an http request is answered with 400. */
export function explainHttps(server: Server): void {
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, { _parent: plain }: { readonly _parent?: Socket }) => {
    // Beneath the failed TLS lies the connection itself, which nothing has been sent on.
    if (code !== 'ERR_SSL_HTTP_REQUEST' || !plain?.writable) return;
    plain.on('error', () => plain.destroy());
    plain.setTimeout(LINGER_MS, () => plain.destroy());
    plain.end(ANSWER);
  });
}
