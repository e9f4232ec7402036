/** /livez, /readyz and /metrics, which change nothing; what lies below /control/v1/ is the control API's. Anything else is 404. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const CONTROL = '/control/v1/';
/** Enough for everybody who waits for a run. */
const MAX_CONNECTIONS = 1024;

export interface Probes {
  /** What makes a restart the only cure; empty: alive. */
  readonly dead: () => readonly string[];
  /** What is missing before this process can do its work; empty: ready. */
  readonly missing: () => readonly string[];
  /** Shown by /readyz beside the verdict. */
  readonly details: () => object;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}

async function answer(path: string, probes: Probes, response: ServerResponse): Promise<void> {
  if (path === '/livez') {
    const dead = probes.dead();
    sendJson(response, dead.length === 0 ? 200 : 500, { alive: dead.length === 0, dead });
  } else if (path === '/readyz') {
    const missing = probes.missing();
    sendJson(response, missing.length === 0 ? 200 : 503, {
      ready: missing.length === 0,
      missing,
      ...probes.details(),
    });
  } else if (path === '/metrics') {
    const { contentType, text } = await probes.metrics();
    response.writeHead(200, { 'content-type': contentType }).end(text);
  } else sendJson(response, 404, { error: 'not found: this port answers /livez, /readyz and /metrics' });
}

/**
 * Room for whoever comes next: a connection too many takes the place of the one that has asked nothing for the longest time,
 * so that somebody who opens many cannot keep the kubelet's probes out.
 */
function makeRoom(server: Server): void {
  const idle = new Set<Socket>();
  let open = 0;
  server.on('connection', (socket: Socket) => {
    open++;
    idle.add(socket);
    socket.once('close', () => {
      open--;
      idle.delete(socket);
    });
    const [longest] = idle;
    if (open > MAX_CONNECTIONS) longest?.destroy();
  });
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket);
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket);
    });
  });
}

/** Resolves when it listens. */
export async function startServer(port: number, probes: Probes, control?: RequestListener): Promise<Server> {
  // Timeouts are only as exact as what looks for them.
  const server = createServer({ connectionsCheckingInterval: 2_000 }, (request, response) => {
    const path = (request.url ?? '/').split('?')[0] as string;
    if (control && path.startsWith(CONTROL)) {
      control(request, response);
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      sendJson(response, 405, { error: 'only GET is answered' });
      return;
    }
    answer(path, probes, response).catch(() => {
      if (!response.headersSent) sendJson(response, 500, { error: 'internal error' });
      else response.destroy();
    });
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  makeRoom(server);
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, () => listening.resolve());
  await listening.promise;
  server.off('error', listening.reject);
  return server;
}
