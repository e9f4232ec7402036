/** One request of a protocol and the way back to whoever sent it, whichever way it came in. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Route } from './options.ts';

/** Nobody is there any more to be told a status; it is what the log and the metrics call that. */
export const CLIENT_CLOSED_REQUEST = 499;
export const JSON_TYPE = 'application/json';

/** What was asked, and under which names it is known. */
export interface Asked {
  readonly route: Route;
  readonly requestId: string;
  readonly traceId: string;
  readonly traceparent: string;
  /** By `performance.now()`. */
  readonly startedAt: number;
  readonly headers: IncomingHttpHeaders;
}

/** What an answer has besides its status and body. */
export interface Sent {
  /** `application/json` when absent. */
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** The connection ends with this answer. */
  readonly closes: boolean;
}

export interface Exchange extends Asked {
  /** The answer, at once; at most one. */
  send(status: number, body: string | Buffer, more: Sent): void;
  /** Nobody is there to read an answer. */
  isGone(): boolean;
  /** An answer has been begun. */
  isBegun(): boolean;
  /** All that was sent has been read. */
  isWhole(): boolean;
  /** Calls `then` when what is still coming of the request does not keep its sender from hearing the answer. */
  afterRest(then: () => void): void;
  /** Half an answer is none: ends the connection. */
  cut(): void;
}
