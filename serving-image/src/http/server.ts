/**
 * The HTTP server. A prediction goes: headers → protocol → method, media type → body within limits → model → reply;
 * each step may refuse, and the protocol words the refusal. Everything else is handed to express. What is usual takes the
 * lane, past node:http.
 */
import { type IncomingMessage, type RequestListener, Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { detailOf } from '../protocols/fastapi.ts';
import { asRefusal, type Refusal } from '../request/refusal.ts';
import type { ServerState } from '../request/state.ts';
import { traceOf } from '../request/trace.ts';
import { createAnswering } from './answering.ts';
import { type Asked, CLIENT_CLOSED_REQUEST } from './exchange.ts';
import { continueWhenWanted } from './expect.ts';
import { openLane } from './lane/lane.ts';
import type { Metrics } from './metrics.ts';
import { createNodeExchange, type NodeAsked } from './node-exchange.ts';
import type { ServerOptions } from './options.ts';
import { explainHttps } from './plain-on-tls.ts';
import { requestIdOf } from './request-id.ts';
import { createRouter, originForm, pathOf } from './router.ts';
import { spareAnswers } from './spare.ts';

/** Longer than the idle time of the usual balancers, so that it is never us who close a connection they still use. */
const KEEP_ALIVE_MS = 75_000;
const MAX_CONNECTIONS = 8192;

export function createModelServer(options: ServerOptions): Server {
  const settings = {
    headersTimeout: options.requestTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: 1000,
  };
  const answering = createAnswering(options);
  const routeOf = createRouter(options.protocols);
  const listener = createListener(options, routeOf, createNodeExchange(options, answering));
  const server = options.tls
    ? createSecureServer({ ...settings, ...options.tls }, listener)
    : new LaneServer(settings, listener);
  // Where every answer carries more, or bytes have to be deciphered first, there is no shorter way.
  if (server instanceof LaneServer && !options.intercept) {
    server.lane = openLane(server, { options, answering, routeOf, keepAliveMs: KEEP_ALIVE_MS });
  }
  if (options.tls) explainHttps(server);
  continueWhenWanted(server);
  spareAnswers(server, options.tls ? 'secureConnection' : 'connection');
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

/** A server some of whose connections node:http knows nothing of. */
class LaneServer extends Server {
  lane: ReturnType<typeof openLane> | undefined;

  override closeIdleConnections(): void {
    this.lane?.closeIdle();
    super.closeIdleConnections();
  }

  override closeAllConnections(): void {
    this.lane?.closeAll();
    super.closeAllConnections();
  }
}

const SLASH = 0x2f;

type RouteOf = ReturnType<typeof createRouter>;

function createListener(
  options: ServerOptions,
  routeOf: RouteOf,
  exchange: (asked: NodeAsked) => void,
): RequestListener {
  const slowly = createSlowListener(options, exchange);
  return (request, response) => {
    const startedAt = performance.now();
    if (request.url?.charCodeAt(0) !== SLASH) request.url = originForm(request.url ?? '/');
    const route = routeOf(request.url);
    // Node has made the object of all headers by now, to look for one of them.
    const { headers } = request;
    const requestId = requestIdOf(headers['x-request-id']);
    const { traceId, traceparent } = traceOf(headers);
    const asked = { route, requestId, traceId, traceparent, startedAt, headers, request, response };
    if (route.protocol && !options.intercept) exchange(asked);
    else slowly(asked);
  };
}

/** As the listener: for what is asked seldom, and where answers carry more than the usual headers. */
function createSlowListener(options: ServerOptions, exchange: (asked: NodeAsked) => void): (asked: NodeAsked) => void {
  const { state, app, metrics, authorize, intercept } = options;
  return (asked) => {
    const { route, request, response } = asked;
    begin(asked, response, state);
    const isAnswered = intercept?.(request, response) ?? false;
    if (route.protocol && !isAnswered) {
      exchange(asked);
      return;
    }
    measure(asked, response, metrics);
    if (isAnswered) return;
    // Browsers send no credentials along when they ask what they may send.
    if (authorize && request.method !== 'OPTIONS' && !isOpen(route.path))
      void authorized(authorize, app, request, response);
    else app(request, response);
  };
}

const OPEN_PATHS = new Set(['/', '/livez', '/readyz', '/health', '/metrics', '/ping']);
const isOpen = (path: string): boolean =>
  OPEN_PATHS.has(path) || path.startsWith('/v2/health/') || /^\/docs(\/|$)/.test(path);

async function authorized(
  authorize: NonNullable<ServerOptions['authorize']>,
  app: RequestListener,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const asked = async (): Promise<Refusal | undefined> => authorize(request);
  const refusal = await asked().catch((error: unknown) => asRefusal(error, String(response.getHeader('x-request-id'))));
  if (!refusal) return app(request, response);
  const isKServe = /^\/v[12](\/|$)/.test(pathOf(request.url ?? '/'));
  const body = JSON.stringify(isKServe ? { error: refusal.message } : { detail: detailOf(refusal) });
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(refusal.status, { ...refusal.headers, 'content-type': 'application/json' }).end(body);
}

function begin({ requestId, traceparent }: Asked, response: ServerResponse, state: ServerState): void {
  response.setHeader('x-model-version', state.identity.version);
  response.setHeader('x-artifact-sha256', state.identity.digest);
  response.setHeader('x-request-id', requestId);
  response.setHeader('traceparent', traceparent);
  if (state.isDraining) response.setHeader('connection', 'close');
}

function measure({ route: { endpoint }, startedAt }: Asked, response: ServerResponse, metrics: Metrics): void {
  metrics.requestStarted();
  response.once('close', () => {
    const status = response.headersSent ? response.statusCode : CLIENT_CLOSED_REQUEST;
    metrics.requestEnded(endpoint, status, (performance.now() - startedAt) / 1000);
  });
}
