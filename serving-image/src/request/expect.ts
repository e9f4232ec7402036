/** Clients that ask before they send a body (RFC 9110, 10.1.1): who still waits to be told to go on. */
import type { IncomingMessage } from 'node:http';

const waiting = new WeakSet<IncomingMessage>();

/** Calls `goOn` once, as soon as somebody begins to read the body; never when the request is refused without it. */
export function whenRead(request: IncomingMessage, goOn: () => void): void {
  waiting.add(request);
  const look = (event: string | symbol): void => {
    if (event !== 'data' && event !== 'readable') return;
    request.off('newListener', look);
    waiting.delete(request);
    goOn();
  };
  request.on('newListener', look);
}

/** True while nothing of the body can come: its client has not been told to send it. */
export const isHeldBack = (request: IncomingMessage): boolean => waiting.has(request);
