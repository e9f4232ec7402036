/** A request of a protocol as node:http hands it over: method, media type and length are checked, then its body is read. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ModelIdentity } from '../model/served-model.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { afterBody, checkLength, createBodyReceiver } from '../request/body.ts';
import { checkContent } from '../request/content.ts';
import { methodNotAllowed } from '../request/refusal.ts';
import { createAdmission } from './admission.ts';
import type { Answering } from './answering.ts';
import { type Asked, type Exchange, JSON_TYPE, type Sent } from './exchange.ts';
import type { Route, ServerOptions } from './options.ts';

/** All bodies held at once, in times the largest single one. */
const HELD_BODIES = 8;

/** A request and its names, before anything was looked at. */
export interface NodeAsked extends Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers each request of a protocol exactly once, unless its client goes away. */
export function createNodeExchange(options: ServerOptions, answering: Answering): (asked: NodeAsked) => void {
  const { state, maxBodyBytes } = options;
  const receive = createBodyReceiver(maxBodyBytes, maxBodyBytes * HELD_BODIES);
  const admit = createAdmission(options, answering);
  // Browsers send no credentials along when they ask what they may send: they are told that OPTIONS is no method here.
  const admitAll = createAdmission({ state: options.state, metrics: options.metrics }, answering);
  return (asked) => {
    const enter = asked.request.method === 'OPTIONS' ? admitAll : admit;
    enter(new NodeExchange(asked, state), (exchange, model) => {
      check(exchange.request, exchange.route, maxBodyBytes);
      receive(
        exchange.request,
        (body, held) => answering.respond(exchange, model, body, held),
        (error) => answering.refuse(exchange, error),
      );
    });
  };
}

interface State {
  readonly identity: ModelIdentity;
  readonly isDraining: boolean;
}

class NodeExchange implements Exchange {
  readonly route: Route;
  readonly requestId: string;
  readonly traceId: string;
  readonly traceparent: string;
  readonly startedAt: number;
  readonly headers: IncomingHttpHeaders;
  readonly request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #state: State;

  constructor(
    { route, requestId, traceId, traceparent, startedAt, headers, request, response }: NodeAsked,
    state: State,
  ) {
    this.route = route;
    this.requestId = requestId;
    this.traceId = traceId;
    this.traceparent = traceparent;
    this.startedAt = startedAt;
    this.headers = headers;
    this.request = request;
    this.#response = response;
    this.#state = state;
  }

  send(status: number, body: string | Buffer, more: Sent): void {
    const { version, digest } = this.#state.identity;
    const length = Buffer.byteLength(body);
    const [type, id, trace] = [more.type ?? JSON_TYPE, this.requestId, this.traceparent];
    const headers = ['x-model-version', version, 'x-artifact-sha256', digest, 'x-request-id', id, 'traceparent', trace];
    headers.push('content-type', type, 'content-length', String(length));
    if (more.headers) for (const name of Object.keys(more.headers)) headers.push(name, more.headers[name] as string);
    if (more.closes || this.#state.isDraining) headers.push('connection', 'close');
    this.#response.writeHead(status, headers);
    // Nothing but ASCII, which needs no encoding.
    if (length === body.length) this.#response.end(body, 'latin1');
    else this.#response.end(body);
  }

  isGone(): boolean {
    return this.request.socket.destroyed;
  }

  isBegun(): boolean {
    return this.#response.headersSent;
  }

  isWhole(): boolean {
    return this.request.complete;
  }

  afterRest(then: () => void): void {
    afterBody(this.request, then);
  }

  cut(): void {
    this.#response.destroy();
  }
}

/** Throws Refusal 405, 415 or 413. */
function check({ method, headers }: IncomingMessage, route: Route, maxBodyBytes: number): void {
  if (method !== 'POST') throw methodNotAllowed('POST');
  const { contentTypes } = route.protocol as Protocol;
  const isUsual = headers['content-type'] === contentTypes[0] && headers['content-encoding'] === undefined;
  if (!isUsual) checkContent(headers, contentTypes);
  checkLength(headers, maxBodyBytes);
}
