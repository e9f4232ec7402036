/** The client has no timeouts of its own: a store that accepts a connection and then says nothing would hang it for ever. */
import http from 'node:http';
import https from 'node:https';

type Transport = Pick<typeof http, 'request'>;

export class StalledError extends Error {
  override readonly name = 'StalledError';
  readonly code = 'ETIMEDOUT';
}

/**
 * A transport whose connections fail when they are not made, or stand still, for `timeoutMs`: while connecting, while
 * waiting for the answer and between two pieces of a body alike. An answer that stands still because nobody takes what
 * has come is not the store's fault and goes on waiting.
 */
export function transportWithTimeout(secure: boolean, timeoutMs: number): Transport {
  const { request, Agent } = secure ? https : http;
  const agent = new Agent({ keepAlive: true, timeout: timeoutMs });
  const requestWithTimeout = (options: https.RequestOptions, callback: (response: http.IncomingMessage) => void) => {
    let answer: http.IncomingMessage | undefined;
    const made = request({ ...options, agent, timeout: timeoutMs }, (response) => {
      answer = response;
      callback(response);
    });
    made.on('timeout', () => {
      if (answer && answer.readableLength > 0) return;
      made.destroy(new StalledError(`nothing came for ${timeoutMs} ms`));
    });
    return made;
  };
  return { request: requestWithTimeout as Transport['request'] };
}
