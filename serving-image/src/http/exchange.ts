/**
 * One request of a protocol, from its head to its answer: may it be asked → method, media type → body within limits → model
 * → answer. Each step may refuse, and the protocol words the refusal. Where the model answers at once nothing here waits:
 * the answer leaves in the turn of the event loop in which the last byte of the request came.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServedModel } from '../model/served-model.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import type { Answer, Protocol, ProtocolRequest } from '../protocols/protocol.ts';
import { AbortedError, afterBody, checkLength, createBodyReceiver, type Held } from '../request/body.ts';
import { checkContent } from '../request/content.ts';
import { asRefusal, methodNotAllowed, notReady, type Refusal } from '../request/refusal.ts';
import type { Route, ServerOptions } from './options.ts';

/** All bodies held at once, in times the largest single one. */
const HELD_BODIES = 8;
export const CLIENT_CLOSED_REQUEST = 499;
const JSON_TYPE = 'application/json';

/** A request as it arrived, and under which names it is known. */
export interface Exchange {
  readonly route: Route;
  readonly requestId: string;
  readonly traceId: string;
  readonly traceparent: string;
  readonly startedAt: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

type Outcome = Pick<AnsweredEvent, 'status' | 'answer' | 'refusal' | 'error'>;

/** Answers each exchange exactly once, unless its client goes away, and then says how it went: to the metrics, and to whoever wants to know. */
export function createExchange(options: ServerOptions): (exchange: Exchange) => void {
  const { state, metrics, log, maxBodyBytes, authorize } = options;
  const receive = createBodyReceiver(maxBodyBytes, maxBodyBytes * HELD_BODIES);
  const told = createTelling(options);

  const send = (exchange: Exchange, status: number, body: string | Buffer, more: Sent): void => {
    const { response, requestId, traceparent } = exchange;
    const { version, digest } = state.identity;
    const length = Buffer.byteLength(body);
    const [type, id, trace] = [more.type ?? JSON_TYPE, requestId, traceparent];
    const headers = ['x-model-version', version, 'x-artifact-sha256', digest, 'x-request-id', id, 'traceparent', trace];
    headers.push('content-type', type, 'content-length', String(length));
    if (more.headers) for (const name of Object.keys(more.headers)) headers.push(name, more.headers[name] as string);
    if (more.closes || state.isDraining) headers.push('connection', 'close');
    response.writeHead(status, headers);
    // Nothing but ASCII, which needs no encoding.
    if (length === body.length) response.end(body, 'latin1');
    else response.end(body);
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
    afterBody(request, () => {
      // What is left of a body nobody will read must not be taken for the next request.
      const sent = { type: refusalType?.(refusal), headers: refusal.headers, closes: !request.complete };
      send(exchange, refusal.status, words(refusal), sent);
      told(exchange, { status: refusal.status, refusal, ...(isOurs && { error }) });
    });
  };
  const finish = (exchange: Exchange, answer: Answer): void => {
    send(exchange, 200, answer.body, { type: answer.contentType, headers: answer.headers, closes: false });
    const isThere = !exchange.request.socket.destroyed;
    told(exchange, { status: isThere ? 200 : CLIENT_CLOSED_REQUEST, answer });
  };
  const respond = (exchange: Exchange, model: ServedModel, body: Buffer, held: Held): void => {
    try {
      const { route, request } = exchange;
      const { path, query } = route;
      const call: ProtocolRequest = { path, query, headers: request.headers, body };
      const answer = (route.protocol as Protocol).answer(call, model);
      if (answer instanceof Promise) {
        later(exchange, answer, held);
        return;
      }
      finish(exchange, answer);
    } catch (error) {
      refuse(exchange, error);
    }
    held.free();
  };
  const later = (exchange: Exchange, answer: Promise<Answer>, held: Held): void => {
    void answer
      .finally(() => held.free())
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
        (body, held) => respond(exchange, model, body, held),
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
      onAnswered?.(eventOf(exchange, latencyMs, outcome));
    } catch (error) {
      log.error({ requestId: exchange.requestId, err: error }, 'what is told of answers failed');
    }
  };
}

/** Field by field: a copy of `outcome` into it costs several times as much. */
function eventOf(exchange: Exchange, latencyMs: number, { status, answer, refusal, error }: Outcome): AnsweredEvent {
  const { route, startedAt, requestId, traceId, request } = exchange;
  const { endpoint } = route;
  const { headers } = request;
  return { endpoint, startedAt, latencyMs, requestId, traceId, headers, status, answer, refusal, error };
}

/** Throws Refusal 405, 415 or 413. */
function check({ request, route }: Exchange, maxBodyBytes: number): void {
  if (request.method !== 'POST') throw methodNotAllowed('POST');
  const { headers } = request;
  const { contentTypes } = route.protocol as Protocol;
  const isUsual = headers['content-type'] === contentTypes[0] && headers['content-encoding'] === undefined;
  if (!isUsual) checkContent(headers, contentTypes);
  checkLength(headers['content-length'], maxBodyBytes);
}
