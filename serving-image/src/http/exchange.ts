/**
 * One request of a protocol, from its head to its answer: may it be asked → method, media type → body within limits → model
 * → answer. Each step may refuse, and the protocol words the refusal. Where the model answers at once nothing here waits:
 * the answer leaves in the turn of the event loop in which the last byte of the request came.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ServedModel } from '../model/served-model.ts';
import type { Answer, Protocol, ProtocolRequest } from '../protocols/protocol.ts';
import { AbortedError, checkLength, createBodyReceiver } from './body.ts';
import { checkContent } from './content.ts';
import type { Head } from './heads.ts';
import { asRefusal, methodNotAllowed, notReady, type Refusal } from './refusal.ts';
import type { AnsweredEvent, Route, ServerOptions } from './server.ts';

/** All bodies held at once, in times the largest single one. */
const HELD_BODIES = 8;
export const CLIENT_CLOSED_REQUEST = 499;
const JSON_TYPE = 'application/json';

/** A request as it arrived, and under which names it is known. */
export interface Exchange {
  readonly route: Route;
  readonly head: Head;
  readonly requestId: string;
  readonly traceId: string;
  readonly traceparent: string;
  readonly startedAt: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What protocols see. The object of all headers is made only for those that look at it. */
class Call implements ProtocolRequest {
  readonly path: string;
  readonly query: string;
  readonly body: Buffer;
  readonly #request: IncomingMessage;
  constructor({ route, request }: Exchange, body: Buffer) {
    this.path = route.path;
    this.query = route.query;
    this.body = body;
    this.#request = request;
  }
  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }
}

type Outcome = Pick<AnsweredEvent, 'status' | 'answer' | 'refusal' | 'error'>;

/** What is told of an exchange. */
class Told implements AnsweredEvent {
  readonly endpoint: string;
  readonly status: number;
  readonly startedAt: number;
  readonly latencyMs: number;
  readonly requestId: string;
  readonly traceId: string;
  declare readonly answer?: Answer;
  declare readonly refusal?: Refusal;
  declare readonly error?: unknown;
  readonly #request: IncomingMessage;
  constructor({ route, startedAt, requestId, traceId, request }: Exchange, latencyMs: number, outcome: Outcome) {
    this.endpoint = route.endpoint;
    this.status = outcome.status;
    this.startedAt = startedAt;
    this.latencyMs = latencyMs;
    this.requestId = requestId;
    this.traceId = traceId;
    if (outcome.answer) this.answer = outcome.answer;
    if (outcome.refusal) this.refusal = outcome.refusal;
    if (outcome.error !== undefined) this.error = outcome.error;
    this.#request = request;
  }
  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }
}

/** Answers each exchange exactly once, unless its client goes away, and then says how it went: to the metrics, and to whoever wants to know. */
export function createExchange(options: ServerOptions): (exchange: Exchange) => void {
  const { state, metrics, log, maxBodyBytes, authorize } = options;
  const receive = createBodyReceiver(maxBodyBytes, maxBodyBytes * HELD_BODIES);
  const told = createTelling(options);

  const send = (exchange: Exchange, status: number, body: string | Buffer, more: Sent): void => {
    const { response, requestId, traceparent } = exchange;
    const headers = [
      ...['x-model-version', state.identity.version, 'x-artifact-sha256', state.identity.digest],
      ...['x-request-id', requestId, 'traceparent', traceparent],
      ...['content-type', more.type ?? JSON_TYPE, 'content-length', String(Buffer.byteLength(body))],
    ];
    if (more.headers) for (const name of Object.keys(more.headers)) headers.push(name, more.headers[name] as string);
    if (more.closes || state.isDraining) headers.push('connection', 'close');
    response.writeHead(status, headers);
    response.end(body);
  };
  const refuse = (exchange: Exchange, error: unknown): void => {
    if (error instanceof AbortedError) {
      told(exchange, { status: CLIENT_CLOSED_REQUEST });
      return;
    }
    const { requestId, request, route } = exchange;
    const { endpoint, refuse: words, refusalType } = route.protocol as Protocol;
    const refusal = asRefusal(error, requestId);
    const isOurs = refusal !== error && refusal.status >= 500;
    if (isOurs) log.error({ requestId, endpoint, err: error }, 'prediction failed');
    if (exchange.response.headersSent) {
      // Half an answer is none.
      log.error({ requestId, endpoint, err: error }, 'an answer could not be sent');
      exchange.response.destroy();
      return;
    }
    // What is left of a body nobody will read must not be taken for the next request.
    const sent = { type: refusalType?.(refusal), headers: refusal.headers, closes: !request.complete };
    send(exchange, refusal.status, words(refusal), sent);
    told(exchange, { status: refusal.status, refusal, ...(isOurs && { error }) });
  };
  const finish = (exchange: Exchange, answer: Answer): void => {
    send(exchange, 200, answer.body, { type: answer.contentType, headers: answer.headers, closes: false });
    const isThere = !exchange.request.socket.destroyed;
    told(exchange, { status: isThere ? 200 : CLIENT_CLOSED_REQUEST, answer });
  };
  const respond = (exchange: Exchange, model: ServedModel, body: Buffer, free: () => void): void => {
    try {
      const answer = (exchange.route.protocol as Protocol).answer(new Call(exchange, body), model);
      if (answer instanceof Promise) {
        later(exchange, answer, free);
        return;
      }
      finish(exchange, answer);
    } catch (error) {
      refuse(exchange, error);
    }
    free();
  };
  const later = (exchange: Exchange, answer: Promise<Answer>, free: () => void): void => {
    void answer
      .finally(free)
      .then((there) => finish(exchange, there))
      .catch((error: unknown) => refuse(exchange, error));
  };
  const proceed = (exchange: Exchange): void => {
    try {
      check(exchange, maxBodyBytes);
      const { model } = state;
      if (!model) throw notReady();
      receive(
        exchange.request,
        (body, free) => respond(exchange, model, body, free),
        (error) => refuse(exchange, error),
      );
    } catch (error) {
      refuse(exchange, error);
    }
  };
  const ask = (exchange: Exchange, may: NonNullable<typeof authorize>): void => {
    const goOn = (refusal: Refusal | undefined): void => (refusal ? refuse(exchange, refusal) : proceed(exchange));
    try {
      const denied = may(exchange.request);
      if (denied instanceof Promise) denied.then(goOn, (error: unknown) => refuse(exchange, error));
      else goOn(denied);
    } catch (error) {
      refuse(exchange, error);
    }
  };
  return (exchange) => {
    metrics.requestStarted();
    if (authorize) ask(exchange, authorize);
    else proceed(exchange);
  };
}

interface Sent {
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly closes: boolean;
}

function createTelling({ metrics, log, onAnswered, state }: ServerOptions): (e: Exchange, outcome: Outcome) => void {
  return (exchange, outcome) => {
    const latencyMs = performance.now() - exchange.startedAt;
    metrics.requestEnded(exchange.route.endpoint, outcome.status, latencyMs / 1000);
    try {
      const scored = outcome.answer?.scored;
      if (scored && state.model && outcome.status === 200) metrics.predicted(state.model, scored);
      onAnswered?.(new Told(exchange, latencyMs, outcome));
    } catch (error) {
      log.error({ requestId: exchange.requestId, err: error }, 'what is told of answers failed');
    }
  };
}

/** Throws Refusal 405, 415 or 413. */
function check({ request, route, head }: Exchange, maxBodyBytes: number): void {
  if (request.method !== 'POST') throw methodNotAllowed('POST');
  const { contentTypes } = route.protocol as Protocol;
  if (head.isCoded || head.contentType !== contentTypes[0]) checkContent(request.headers, contentTypes);
  checkLength(head.contentLength, maxBodyBytes);
}
