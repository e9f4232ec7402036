/** What one way to ask for predictions must say about itself. A new protocol is one file and one line in protocols.ts. */
import type { Refusal } from '../http/refusal.ts';
import type { ServedModel } from '../model/served-model.ts';

export interface ProtocolRequest {
  /** Without the query. */
  readonly path: string;
  readonly body: Buffer;
}

export interface Protocol {
  /** The metrics label. */
  readonly endpoint: string;
  /** Asked for every request: must be cheap. */
  readonly matches: (path: string) => boolean;
  readonly contentTypes: readonly string[];
  /** The JSON of the answer. Throws Refusal for what the client got wrong. */
  readonly answer: (request: ProtocolRequest, model: ServedModel) => Promise<string>;
  /** The JSON of a refusal in the protocol's own form. Never holds a value of the request. */
  readonly refuse: (refusal: Refusal) => string;
}
