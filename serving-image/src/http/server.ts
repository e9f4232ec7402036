/**
 * The HTTP server. A prediction goes: headers → protocol → method, media type → body within limits → model → reply;
 * each step may refuse, and the protocol words the refusal. Everything else is handed to express.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Logger } from '../log.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { AbortedError, createBodyReader } from './body.ts';
import { checkContent } from './content.ts';
import type { Metrics } from './metrics.ts';
import { asRefusal, methodNotAllowed, notReady } from './refusal.ts';
import type { ServerState } from './state.ts';

export interface ServerOptions {
  readonly state: ServerState;
  readonly protocols: readonly Protocol[];
  /** Answers what no protocol matches. */
  readonly app: RequestListener;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
}

/** All bodies held at once, in times the largest single one. */
const HELD_BODIES = 8;
/** Longer than the idle time of the usual balancers, so that it is never us who close a connection they still use. */
const KEEP_ALIVE_MS = 75_000;
const MAX_CONNECTIONS = 8192;

export function createModelServer(options: ServerOptions): Server {
  const { state, protocols, app, metrics, requestTimeoutMs } = options;
  const answer = createAnswer(options);
  const server = createServer(
    {
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      const path = pathOf(request.url ?? '/');
      const protocol = protocols.find(({ matches }) => matches(path));
      const requestId = begin(request, response, state);
      measure(response, protocol?.endpoint ?? endpointOf(path), metrics);
      if (protocol) void answer({ protocol, path, requestId }, request, response);
      else app(request, response);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
};

const PLAIN_ENDPOINTS = new Set(['/livez', '/readyz', '/health', '/metrics']);
/** Endpoints that go on below their name. */
const FOLDERS = new Set(['v2', 'train']);
/** A label from a fixed set, whatever the client asks for. */
function endpointOf(path: string): string {
  if (PLAIN_ENDPOINTS.has(path)) return path.slice(1);
  const [, first = ''] = path.split('/', 2);
  return FOLDERS.has(first) ? first : 'other';
}

const SANE_ID = /^[\w.:=+/-]{1,128}$/;

function begin(request: IncomingMessage, response: ServerResponse, state: ServerState): string {
  const given = request.headers['x-request-id'];
  const requestId = typeof given === 'string' && SANE_ID.test(given) ? given : randomUUID();
  response.setHeader('x-model-version', state.identity.version);
  response.setHeader('x-artifact-sha256', state.identity.digest);
  response.setHeader('x-request-id', requestId);
  if (state.isDraining) response.setHeader('connection', 'close');
  return requestId;
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
}
type Answerer = (asked: Asked, request: IncomingMessage, response: ServerResponse) => Promise<void>;

const JSON_TYPE = 'application/json';

function createAnswer({ state, log, maxBodyBytes }: ServerOptions): Answerer {
  const readBody = createBodyReader(maxBodyBytes, maxBodyBytes * HELD_BODIES);
  const reply = (response: ServerResponse, status: number, body: string | Buffer, type = JSON_TYPE): void => {
    if (state.isDraining) response.setHeader('connection', 'close');
    response.setHeader('content-type', type);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.statusCode = status;
    response.end(body);
  };
  const respond: Answerer = async ({ protocol, path }, request, response) => {
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
    } finally {
      body.release();
    }
  };
  return async (asked, request, response) => {
    const { protocol, requestId } = asked;
    try {
      await respond(asked, request, response);
    } catch (error) {
      if (error instanceof AbortedError) return;
      const refusal = asRefusal(error, requestId);
      if (refusal !== error && refusal.status >= 500) {
        log.error({ requestId, endpoint: protocol.endpoint, err: error }, 'prediction failed');
      }
      for (const [name, value] of Object.entries(refusal.headers)) response.setHeader(name, value);
      // What is left of a body nobody will read must not be taken for the next request.
      if (!request.complete) response.setHeader('connection', 'close');
      reply(response, refusal.status, protocol.refuse(refusal));
    }
  };
}

/** Throws Refusal 405 or 415. */
function checkRequest(protocol: Protocol, { method, headers }: IncomingMessage): void {
  if (method !== 'POST') throw methodNotAllowed('POST');
  checkContent(headers, protocol.contentTypes);
}
