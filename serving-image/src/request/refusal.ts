/** Every reason a request is not answered, as data: each protocol puts it into its own words. */
import { OverloadedError } from '../model/batcher.ts';
import { cut } from '../model/cut.ts';
import { NonFiniteOutputError } from '../model/served-model.ts';

export interface RefusalDetail {
  readonly type: string;
  readonly loc: readonly (string | number)[];
}

/** With what a protocol puts around it, a refusal stays below 1 KB, whatever names of the request or the model are in it. */
const MOST_MESSAGE = 640;

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Where in the body the fault lies, for protocols that say so. */
  readonly detail: RefusalDetail | undefined;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}, detail?: RefusalDetail) {
    super(cut(message, MOST_MESSAGE, '...'));
    this.status = status;
    this.headers = headers;
    this.detail = detail;
  }
}

const RETRY = { 'retry-after': '1' };

export const methodNotAllowed = (allowed: string): Refusal =>
  new Refusal(405, `Method not allowed; use ${allowed}`, { allow: allowed });
export const unsupportedMediaType = (expected: string): Refusal =>
  new Refusal(415, `Unsupported content type; send ${expected}`);
export const unsupportedEncoding = (): Refusal => new Refusal(415, 'Compressed bodies are not accepted; send it plain');
export const tooLarge = (limit: number, advice: string): Refusal =>
  new Refusal(413, `The body is larger than ${limit} bytes; ${advice}`);
export const notReady = (): Refusal => new Refusal(503, 'The model is still loading; try again', RETRY);
export const overloaded = (): Refusal => new Refusal(429, 'Too many requests are waiting; try again', RETRY);

/** What to answer for anything thrown. What the client did not cause says only where to look: the request id. */
export function asRefusal(error: unknown, requestId: string): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof OverloadedError) return overloaded();
  if (error instanceof NonFiniteOutputError) {
    return new Refusal(500, `The model gave a number that is not finite; no prediction is made (request ${requestId})`);
  }
  return new Refusal(500, `Internal error; the server's log has more under request ${requestId}`);
}
