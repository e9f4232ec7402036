/** The HTTP server's own limits, its start and its end. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';

/** How long open requests, uploads among them, have to finish once nothing new comes. */
const CLOSE_MS = 20_000;
const SWEEP_MS = 50;
/** A connection on which nothing moves for this long is closed, whatever it is in the middle of. */
const IDLE_MS = 120_000;

/** An upload of gigabytes takes as long as it takes: what is limited is the time for headers, and silence. */
export function httpServer(listener: RequestListener): Server {
  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0, headersTimeout: 10_000 }, listener);
  server.setTimeout(IDLE_MS);
  return server;
}

/** Resolves when it listens. `::` is every address, also on a machine that speaks IPv4 only. */
export async function listening(server: Server, port: number, address: string): Promise<void> {
  server.listen(port, address === '::' ? undefined : address);
  await once(server, 'listening');
}

/** From now on every answer is the last on its connection, so that clients come back somewhere else. */
export function lettingGo(server: Server): void {
  server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
}

/** Takes nothing new, lets open requests finish, and resolves when the last connection has ended. */
export async function closed(server: Server): Promise<void> {
  const ended = once(server, 'close');
  server.close();
  // A connection gets idle when its request is answered; by itself it would wait for the next one.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await ended;
  clearInterval(sweep);
  clearTimeout(timer);
}
