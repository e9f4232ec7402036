/**
 * From the bytes of a request to its answer: the protocol asks the model and words what comes of it, or why nothing does.
 * Where the model answers at once nothing here waits: the answer leaves in the turn of the event loop in which the last
 * byte of the request came.
 */
import type { ServedModel } from '../model/served-model.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import type { Answer, Protocol, ProtocolRequest } from '../protocols/protocol.ts';
import { AbortedError, type Held } from '../request/body.ts';
import { asRefusal } from '../request/refusal.ts';
import { CLIENT_CLOSED_REQUEST, type Exchange } from './exchange.ts';
import type { ServerOptions } from './options.ts';

type Outcome = Pick<AnsweredEvent, 'status' | 'answer' | 'refusal' | 'error'>;

/** Of each exchange exactly one is called, once. Then it is said how it went: to the metrics, and to whoever wants to know. */
export interface Answering {
  /** All of the request is here. */
  respond(exchange: Exchange, model: ServedModel, body: Buffer, held: Held): void;
  /** There will be no prediction; nothing is sent when it is because the client has gone (AbortedError). */
  refuse(exchange: Exchange, error: unknown): void;
}

export function createAnswering(options: ServerOptions): Answering {
  const { log } = options;
  const told = createTelling(options);

  const refuse = (exchange: Exchange, error: unknown): void => {
    if (error instanceof AbortedError) {
      told(exchange, { status: CLIENT_CLOSED_REQUEST });
      return;
    }
    const { requestId, route } = exchange;
    const { endpoint, refuse: words, refusalType } = route.protocol as Protocol;
    const refusal = asRefusal(error, requestId);
    const isOurs = refusal !== error && refusal.status >= 500;
    if (isOurs) log.error({ requestId, endpoint, err: error }, 'prediction failed');
    if (exchange.isBegun()) {
      log.error({ requestId, endpoint, err: error }, 'an answer could not be sent');
      exchange.cut();
      return;
    }
    exchange.afterRest(() => {
      // What is left of a body nobody will read must not be taken for the next request.
      const sent = { type: refusalType?.(refusal), headers: refusal.headers, closes: !exchange.isWhole() };
      exchange.send(refusal.status, words(refusal), sent);
      told(exchange, { status: refusal.status, refusal, ...(isOurs && { error }) });
    });
  };
  const finish = (exchange: Exchange, answer: Answer): void => {
    exchange.send(200, answer.body, { type: answer.contentType, headers: answer.headers, closes: false });
    told(exchange, { status: exchange.isGone() ? CLIENT_CLOSED_REQUEST : 200, answer });
  };
  const later = (exchange: Exchange, answer: Promise<Answer>, held: Held): void => {
    void answer
      .finally(() => held.free())
      .then((there) => finish(exchange, there))
      .catch((error: unknown) => refuse(exchange, error));
  };
  return {
    refuse,
    respond(exchange, model, body, held) {
      try {
        const { route, headers } = exchange;
        const { path, query } = route;
        const call: ProtocolRequest = { path, query, headers, body };
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
    },
  };
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
  const { route, startedAt, requestId, traceId } = exchange;
  const { endpoint } = route;
  return { endpoint, startedAt, latencyMs, requestId, traceId, status, answer, refusal, error };
}
