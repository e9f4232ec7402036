/** What one way to ask for predictions must say about itself. A new protocol is one file and one line in protocols.ts. */
import type { IncomingHttpHeaders } from 'node:http';
import type { MaybePromise } from '../model/engine.ts';
import type { Scored, ServedModel } from '../model/served-model.ts';
import type { Refusal } from '../request/refusal.ts';

export interface ProtocolRequest {
  /** Without the query. */
  readonly path: string;
  /** After the question mark, as it was sent; empty when there is none. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly body: string | Buffer;
  /** `application/json` when absent. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What was predicted, for the log of predictions; absent when nothing was. */
  readonly scored?: Scored;
  /** The request was one record and not a list of them. */
  readonly isRecord?: boolean;
}

export interface Protocol {
  /** The metrics label. */
  readonly endpoint: string;
  /** Asked for every request: must be cheap. */
  readonly matches: (path: string) => boolean;
  readonly contentTypes: readonly string[];
  /** Throws Refusal, or rejects with one, for what the client got wrong. */
  readonly answer: (request: ProtocolRequest, model: ServedModel) => MaybePromise<Answer>;
  /** A refusal in the protocol's own form. Never holds a value of the request. */
  readonly refuse: (refusal: Refusal) => string;
  /** The content type of what `refuse` gives; JSON when absent. */
  readonly refusalType?: (refusal: Refusal) => string;
}
