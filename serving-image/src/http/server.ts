/**
 * The HTTP server. A prediction goes: headers → protocol → method, media type → body within limits → model → reply;
 * each step may refuse, and the protocol words the refusal. Everything else is handed to express.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { detailOf } from '../protocols/fastapi.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { asRefusal, type Refusal } from '../request/refusal.ts';
import type { ServerState } from '../request/state.ts';
import { traceOf } from '../request/trace.ts';
import { CLIENT_CLOSED_REQUEST, createExchange, type Exchange } from './exchange.ts';
import type { Metrics } from './metrics.ts';
import type { Route, ServerOptions } from './options.ts';

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
  const listener = createListener(options);
  const server = options.tls
    ? createSecureServer({ ...settings, ...options.tls }, listener)
    : createServer(settings, listener);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

function createListener(options: ServerOptions): RequestListener {
  const { protocols, intercept } = options;
  const routeOf = createRouter(protocols);
  const exchange = createExchange(options);
  const slowly = createSlowListener(options, exchange);
  return (request, response) => {
    const startedAt = performance.now();
    const route = routeOf(request.url ?? '/');
    // Node has made the object of all headers by now, to look for one of them.
    const { headers } = request;
    const requestId = requestIdOf(headers['x-request-id']);
    const { traceId, traceparent } = traceOf(headers);
    const asked = { route, requestId, traceId, traceparent, startedAt, request, response };
    if (route.protocol && !intercept) exchange(asked);
    else slowly(asked);
  };
}

/** As the listener: for what is asked seldom, and where answers carry more than the usual headers. */
function createSlowListener(options: ServerOptions, exchange: (exchange: Exchange) => void): (asked: Exchange) => void {
  const { state, app, metrics, authorize, intercept } = options;
  return (asked) => {
    const { route, request, response } = asked;
    begin(asked, response, state);
    const isAnswered = intercept?.(request, response) ?? false;
    if (route.protocol && !isAnswered) {
      exchange(asked);
      return;
    }
    measure(asked, metrics);
    if (isAnswered) return;
    if (authorize && !isOpen(route.path)) void authorized(authorize, app, request, response);
    else app(request, response);
  };
}

const OPEN_PATHS = new Set(['/livez', '/readyz', '/health', '/metrics', '/ping']);
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

const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
};

/** So many different URLs are remembered: nearly every request has one of a few. */
const KNOWN_URLS = 256;
const LONG_URL = 256;

function createRouter(protocols: readonly Protocol[]): (url: string) => Route {
  const known = new Map<string, Route>();
  return (url) => {
    const route = known.get(url);
    if (route) return route;
    const path = pathOf(url);
    const protocol = protocols.find(({ matches }) => matches(path));
    const found = {
      path,
      query: url.slice(path.length + 1),
      endpoint: protocol?.endpoint ?? endpointOf(path),
      protocol,
    };
    if (known.size < KNOWN_URLS && url.length < LONG_URL) known.set(url, found);
    return found;
  };
}

const PLAIN_ENDPOINTS = new Set(['/livez', '/readyz', '/health', '/metrics', '/ping', '/version', '/openapi.json']);
/** Endpoints that go on below their name. */
const FOLDERS = new Set(['v1', 'v2', 'model', 'train', 'docs']);
/** A label from a fixed set, whatever the client asks for. */
function endpointOf(path: string): string {
  if (PLAIN_ENDPOINTS.has(path)) return path.slice(1);
  const [, first = ''] = path.split('/', 2);
  return FOLDERS.has(first) ? first : 'other';
}

const SANE_ID = /^[\w.:=+/-]{1,128}$/;

/** Nobody else's ids begin like this process's. */
const ID_PREFIX = `${randomBytes(8).toString('hex')}-`;
let ids = 0;

const requestIdOf = (given: string | string[] | undefined): string =>
  typeof given === 'string' && SANE_ID.test(given) ? given : ID_PREFIX + ++ids;

function begin(
  { requestId, traceparent }: { requestId: string; traceparent: string },
  response: ServerResponse,
  state: ServerState,
): void {
  response.setHeader('x-model-version', state.identity.version);
  response.setHeader('x-artifact-sha256', state.identity.digest);
  response.setHeader('x-request-id', requestId);
  response.setHeader('traceparent', traceparent);
  if (state.isDraining) response.setHeader('connection', 'close');
}

function measure({ response, route: { endpoint }, startedAt }: Exchange, metrics: Metrics): void {
  metrics.requestStarted();
  response.once('close', () => {
    const status = response.headersSent ? response.statusCode : CLIENT_CLOSED_REQUEST;
    metrics.requestEnded(endpoint, status, (performance.now() - startedAt) / 1000);
  });
}
