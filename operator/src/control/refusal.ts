/** Why a request is not done, in the words and with the status its client gets. */

/** One fault of the body, as FastAPI tells it. */
export interface Fault {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** Answered as `{"detail": …}`: a text, or a list with exactly the first fault. */
export class ControlRefusal extends Error {
  override readonly name = 'ControlRefusal';
  readonly status: number;
  readonly detail: string | readonly Fault[];
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, detail: string | readonly Fault[], headers: Readonly<Record<string, string>> = {}) {
    super(typeof detail === 'string' ? detail : detail[0]?.msg);
    this.status = status;
    this.detail = detail;
    this.headers = headers;
  }
}

const RETRY = { 'retry-after': '2' };

export const unauthorized = (detail: string): ControlRefusal =>
  new ControlRefusal(401, detail, { 'www-authenticate': 'Bearer' });
export const forbidden = (detail: string): ControlRefusal => new ControlRefusal(403, detail);
export const notFound = (detail: string): ControlRefusal => new ControlRefusal(404, detail);
export const conflict = (detail: string): ControlRefusal => new ControlRefusal(409, detail);
export const invalid = (fault: Fault): ControlRefusal => new ControlRefusal(422, [fault]);
export const tooMany = (detail: string): ControlRefusal => new ControlRefusal(429, detail, RETRY);
export const unavailable = (detail: string): ControlRefusal => new ControlRefusal(503, detail, RETRY);
