/** What the server is made of, and where a request is sent to. */
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ServerOptions as SecureOptions } from 'node:https';
import type { Logger } from '../log.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import type { Protocol } from '../protocols/protocol.ts';
import type { Refusal } from '../request/refusal.ts';
import type { ServerState } from '../request/state.ts';
import type { Metrics } from './metrics.ts';

/** Whether this may be asked at all. */
export type Authorize = (request: {
  readonly headers: IncomingHttpHeaders;
}) => Refusal | undefined | Promise<Refusal | undefined>;

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
  readonly authorize?: Authorize;
  /** Called first for every request. May set headers, which every answer then carries; true: it has answered itself. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Only https is spoken. `setSecureContext` of the server renews what is here. */
  readonly tls?: SecureOptions;
}

/** What a URL asks for. */
export interface Route {
  readonly path: string;
  /** After the question mark. */
  readonly query: string;
  /** The metrics label. */
  readonly endpoint: string;
  readonly protocol: Protocol | undefined;
}
