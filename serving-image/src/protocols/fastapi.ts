/** Refusals as FastAPI writes them, because the clients of `/predict` and `/train` parse those. */
import { Refusal } from '../request/refusal.ts';
import { NotJsonError } from './json.ts';

/** A name taken from the request is cut to this length before it is named in a refusal. */
export const MAX_NAME = 128;

/** 422 with the one fault and where it stands. */
export const invalid = (loc: readonly (string | number)[], type: string, message: string): Refusal =>
  new Refusal(422, message, {}, { type, loc });

/** What stands under `detail`: a list with the one fault of the body, or a text. */
export const detailOf = ({ message, detail }: Refusal): unknown =>
  detail ? [{ loc: detail.loc, msg: message, type: detail.type }] : message;

/** The body by one of json.ts's parsers. Throws 422 `json_invalid` with the place where it stops being JSON. */
export function parsedBody(body: Buffer, parse: (body: Buffer) => unknown): unknown {
  try {
    return parse(body);
  } catch (error) {
    if (!(error instanceof NotJsonError)) throw error;
    const at = error.position === undefined ? [] : [error.position];
    throw invalid(['body', ...at], 'json_invalid', 'JSON decode error');
  }
}
