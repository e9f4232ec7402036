/**
 * Handing requests on to the server behind. A small body is kept until it is answered: a kept connection that the server has
 * just closed is then not the client's loss. A long one goes through as it comes, on a connection of its own.
 */
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestListener,
  request,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import type { Logger } from '../log.ts';
import { AbortedError, createBodyReceiver, type Held } from '../request/body.ts';
import { asRefusal, Refusal } from '../request/refusal.ts';
import { headersForClient, headersForServer, isLong } from './headers.ts';
import { refuse } from './refuse.ts';
import { HOST, type Server } from './say.ts';

const KEPT_BYTES = 1024 * 1024;
const HELD_BYTES = 64 * KEPT_BYTES;
/** Shorter than servers keep an idle connection: gunicorn two seconds, uvicorn five. */
const IDLE_MS = 1_000;
const MAX_IDLE = 64;
const RETRY = { 'retry-after': '1' };

export interface ForwardOptions {
  readonly server: Server;
  /** May the server be asked at the moment? */
  readonly isReady: () => boolean;
  readonly isDraining: () => boolean;
  /** Called for every answer of the server. */
  readonly onAnswer: () => void;
  /** Clients show credentials to us, which are none of the server's business. */
  readonly hidesCredentials: boolean;
  /** How long the server may be silent. */
  readonly answerTimeoutMs: number;
  readonly log: Pick<Logger, 'warn'>;
}

/** Needs x-request-id and traceparent to be set on the answer. */
export function createForward(options: ForwardOptions): RequestListener {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS });
  const receive = createBodyReceiver(KEPT_BYTES, HELD_BYTES);
  return (asked, response) => {
    if (!options.isReady()) {
      refuse(asked, response, new Refusal(503, 'The model server is not ready; try again', RETRY));
      return;
    }
    const passage = new Passage(options, asked, response);
    if (isLong(asked.headers, KEPT_BYTES)) {
      passage.safely(() => passage.stream());
      return;
    }
    receive(
      asked,
      (body, held) => passage.safely(() => passage.send(body, held, agent)),
      (error) => {
        if (!(error instanceof AbortedError)) refuse(asked, response, error);
      },
    );
  };
}

/** One request on its way to the server and back. */
class Passage {
  readonly #options: ForwardOptions;
  readonly #asked: IncomingMessage;
  readonly #response: ServerResponse;
  #held: Held | undefined;
  #upstream: ClientRequest | undefined;

  constructor(options: ForwardOptions, asked: IncomingMessage, response: ServerResponse) {
    this.#options = options;
    this.#asked = asked;
    this.#response = response;
    response.once('close', () => {
      this.#held?.free();
      this.#upstream?.destroy();
    });
  }

  /** What node:http does not take for a request at all, it throws. */
  safely(go: () => void): void {
    try {
      go();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** On a kept connection; once more, on a fresh one, when that turns out to be closed. */
  send(body: Buffer, held: Held, agent: Agent): void {
    if (this.#response.destroyed) {
      held.free();
      return;
    }
    this.#held = held;
    const upstream = this.#open(agent, (error) => {
      if (isStale(upstream, error) && !this.#response.destroyed) {
        this.#open(false, (again) => this.#fail(again)).end(body);
      } else this.#fail(error);
    });
    upstream.end(body);
  }

  stream(): void {
    const upstream = this.#open(false, (error) => this.#fail(error));
    this.#asked.on('error', () => upstream.destroy());
    this.#asked.pipe(upstream);
  }

  #open(agent: Agent | false, onError: (error: NodeJS.ErrnoException) => void): ClientRequest {
    const { server, hidesCredentials, answerTimeoutMs } = this.#options;
    const requestId = String(this.#response.getHeader('x-request-id'));
    const traceparent = String(this.#response.getHeader('traceparent'));
    const headers = headersForServer(this.#asked.headersDistinct, { requestId, traceparent, hidesCredentials });
    const { method, url } = this.#asked;
    const to = { host: HOST, port: server.port, method, path: url, headers, agent, timeout: answerTimeoutMs };
    let isAnswered = false;
    const upstream = request(to);
    upstream.on('response', (answer) => {
      isAnswered = true;
      this.#pass(answer);
    });
    upstream.on('timeout', () => upstream.destroy(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })));
    upstream.on('error', (error) => {
      if (!isAnswered) onError(error);
    });
    this.#upstream = upstream;
    return upstream;
  }

  #pass(answer: IncomingMessage): void {
    const { onAnswer, isDraining } = this.#options;
    const response = this.#response;
    onAnswer();
    for (const [name, values] of headersForClient(answer.headersDistinct))
      response.setHeader(name, name === 'vary' ? [...varied(response), ...values] : values);
    // A body the server did not want to its end must not be taken for the next request.
    if (isDraining() || !this.#asked.complete) response.setHeader('connection', 'close');
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage);
    // Half an answer is none: the client's connection ends with it.
    pipeline(answer, response, () => {});
  }

  #fail(error: NodeJS.ErrnoException): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const requestId = String(response.getHeader('x-request-id'));
    this.#options.log.warn({ requestId, problem: error.code ?? error.message }, 'the server behind did not answer');
    refuse(this.#asked, response, asRefusal(refusalFor(error), requestId));
  }
}

/** What the answer depends on for a reason of ours. */
const varied = (response: ServerResponse): string[] => {
  const own = response.getHeader('vary');
  return own === undefined ? [] : [String(own)];
};

/** The server closed a kept connection while this request was on its way to it. */
const isStale = (upstream: ClientRequest, { code }: NodeJS.ErrnoException): boolean =>
  upstream.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');

function refusalFor({ code }: NodeJS.ErrnoException): Refusal {
  if (code === 'ETIMEDOUT') return new Refusal(504, 'The model server did not answer in time');
  if (code === 'ECONNREFUSED') return new Refusal(503, 'The model server is not there; try again', RETRY);
  return new Refusal(502, 'The model server ended the connection without a whole answer');
}
