/**
 * The HTTP server. A prediction goes: headers → protocol → method, media type → body within limits → model → reply;
 * each step may refuse, and the protocol words the refusal. Everything else is handed to express.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions as SecureOptions } from 'node:https';
import type { Logger } from '../log.ts';
import { traceOf } from '../prediction-log/trace.ts';
import { detailOf } from '../protocols/fastapi.ts';
import type { Answer, Protocol } from '../protocols/protocol.ts';
import { AbortedError, createBodyReader } from './body.ts';
import { checkContent } from './content.ts';
import type { Metrics } from './metrics.ts';
import { asRefusal, methodNotAllowed, notReady, type Refusal } from './refusal.ts';
import type { ServerState } from './state.ts';

/** One request of a protocol, once its answer has been handed to the connection or its client has gone. */
export interface AnsweredEvent {
  readonly endpoint: string;
  /** 499: the client went away before there was an answer. */
  readonly status: number;
  /** By `performance.now()`. */
  readonly startedAt: number;
  readonly latencyMs: number;
  readonly requestId: string;
  /** Of the caller's trace, or of the one begun here; the answer's `traceparent` has it too. */
  readonly traceId: string;
  readonly headers: IncomingMessage['headers'];
  /** What was answered, when something was predicted. */
  readonly answer?: Answer;
  /** What was said instead. */
  readonly refusal?: Refusal;
  /** What was thrown, when the client did not cause it: never to be shown to one. */
  readonly error?: unknown;
}

export interface ServerOptions {
  readonly state: ServerState;
  readonly protocols: readonly Protocol[];
  /** Answers what no protocol matches. */
  readonly app: RequestListener;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  /** Called once for every request of a protocol; what it throws is logged and changes nothing. */
  readonly onAnswered?: (event: AnsweredEvent) => void;
  /** May this be asked at all? Called before the body is read, but not for health, metrics and pings. */
  readonly authorize?: (request: IncomingMessage) => Refusal | undefined | Promise<Refusal | undefined>;
  /** Called first for every request. May set headers, which every answer then carries; true: it has answered itself. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Only https is spoken. `setSecureContext` of the server renews what is here. */
  readonly tls?: SecureOptions;
}

/** All bodies held at once, in times the largest single one. */
const HELD_BODIES = 8;
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
  const { state, protocols, app, metrics, authorize, intercept } = options;
  const answer = createAnswer(options);
  return (request, response) => {
    const path = pathOf(request.url ?? '/');
    const protocol = protocols.find(({ matches }) => matches(path));
    const ids = begin(request, response, state);
    measure(response, protocol?.endpoint ?? endpointOf(path), metrics);
    if (intercept?.(request, response)) return;
    if (protocol) void answer({ protocol, path, ...ids }, request, response);
    else if (authorize && !isOpen(path)) void authorized(authorize, app, request, response);
    else app(request, response);
  };
}

const OPEN_PATHS = new Set(['/livez', '/readyz', '/health', '/metrics', '/ping']);
const isOpen = (path: string): boolean => OPEN_PATHS.has(path) || path.startsWith('/v2/health/');

async function authorized(
  authorize: NonNullable<ServerOptions['authorize']>,
  app: RequestListener,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const refusal = await Promise.resolve(authorize(request)).catch((error: unknown) =>
    asRefusal(error, String(response.getHeader('x-request-id'))),
  );
  if (!refusal) return app(request, response);
  const isKServe = /^\/v[12](\/|$)/.test(pathOf(request.url ?? '/'));
  const body = JSON.stringify(isKServe ? { error: refusal.message } : { detail: detailOf(refusal) });
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(refusal.status, { ...refusal.headers, 'content-type': JSON_TYPE }).end(body);
}

const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
};

const PLAIN_ENDPOINTS = new Set(['/livez', '/readyz', '/health', '/metrics', '/ping', '/version', '/openapi.json']);
/** Endpoints that go on below their name. */
const FOLDERS = new Set(['v1', 'v2', 'train', 'docs']);
/** A label from a fixed set, whatever the client asks for. */
function endpointOf(path: string): string {
  if (PLAIN_ENDPOINTS.has(path)) return path.slice(1);
  const [, first = ''] = path.split('/', 2);
  return FOLDERS.has(first) ? first : 'other';
}

const SANE_ID = /^[\w.:=+/-]{1,128}$/;

function begin(
  request: IncomingMessage,
  response: ServerResponse,
  state: ServerState,
): Pick<Asked, 'requestId' | 'traceId'> {
  const given = request.headers['x-request-id'];
  const requestId = typeof given === 'string' && SANE_ID.test(given) ? given : randomUUID();
  response.setHeader('x-model-version', state.identity.version);
  response.setHeader('x-artifact-sha256', state.identity.digest);
  response.setHeader('x-request-id', requestId);
  const { traceId, traceparent } = traceOf(request.headers);
  response.setHeader('traceparent', traceparent);
  if (state.isDraining) response.setHeader('connection', 'close');
  return { requestId, traceId };
}

const CLIENT_CLOSED_REQUEST = 499;

function measure(response: ServerResponse, endpoint: string, metrics: Metrics): void {
  const start = performance.now();
  metrics.requestStarted();
  response.once('close', () => {
    const status = response.headersSent ? response.statusCode : CLIENT_CLOSED_REQUEST;
    metrics.requestEnded(endpoint, status, (performance.now() - start) / 1000);
  });
}

interface Asked {
  readonly protocol: Protocol;
  readonly path: string;
  readonly requestId: string;
  readonly traceId: string;
}
type Answerer = (asked: Asked, request: IncomingMessage, response: ServerResponse) => Promise<void>;

const JSON_TYPE = 'application/json';

function createAnswer({ state, log, maxBodyBytes, authorize, onAnswered }: ServerOptions): Answerer {
  const readBody = createBodyReader(maxBodyBytes, maxBodyBytes * HELD_BODIES);
  const reply = (response: ServerResponse, status: number, body: string | Buffer, type = JSON_TYPE): void => {
    if (state.isDraining) response.setHeader('connection', 'close');
    response.setHeader('content-type', type);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.statusCode = status;
    response.end(body);
  };
  const respond = async (
    { protocol, path }: Asked,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Answer> => {
    const denied = await authorize?.(request);
    if (denied) throw denied;
    checkRequest(protocol, request);
    const { model } = state;
    if (!model) throw notReady();
    const body = await readBody(request);
    try {
      const url = request.url as string;
      const query = url.slice(path.length + 1);
      const answer = await protocol.answer({ path, query, headers: request.headers, body: body.bytes }, model);
      for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
      reply(response, 200, answer.body, answer.contentType);
      return answer;
    } finally {
      body.release();
    }
  };
  const refuse = (asked: Asked, request: IncomingMessage, response: ServerResponse, error: unknown): Outcome => {
    const { protocol, requestId } = asked;
    if (error instanceof AbortedError) return { status: CLIENT_CLOSED_REQUEST };
    const refusal = asRefusal(error, requestId);
    const isOurs = refusal !== error && refusal.status >= 500;
    if (isOurs) log.error({ requestId, endpoint: protocol.endpoint, err: error }, 'prediction failed');
    for (const [name, value] of Object.entries(refusal.headers)) response.setHeader(name, value);
    // What is left of a body nobody will read must not be taken for the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    reply(response, refusal.status, protocol.refuse(refusal), protocol.refusalType?.(refusal));
    return { status: refusal.status, refusal, ...(isOurs && { error }) };
  };
  return async (asked, request, response) => {
    const startedAt = performance.now();
    const outcome = await respond(asked, request, response).then(
      (answer): Outcome => ({ status: 200, answer }),
      (error: unknown) => refuse(asked, request, response, error),
    );
    if (!onAnswered) return;
    const { requestId, traceId, protocol } = asked;
    const latencyMs = performance.now() - startedAt;
    const { headers } = request;
    try {
      onAnswered({ endpoint: protocol.endpoint, startedAt, latencyMs, requestId, traceId, headers, ...outcome });
    } catch (error) {
      log.error({ requestId, err: error }, 'what is told of answers failed');
    }
  };
}

type Outcome = Pick<AnsweredEvent, 'status' | 'answer' | 'refusal' | 'error'>;

/** Throws Refusal 405 or 415. */
function checkRequest(protocol: Protocol, { method, headers }: IncomingMessage): void {
  if (method !== 'POST') throw methodNotAllowed('POST');
  checkContent(headers, protocol.contentTypes);
}
