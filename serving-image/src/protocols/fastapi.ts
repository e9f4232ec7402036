/** Refusals as FastAPI writes them, because the clients of `/predict` and `/train` parse those. */
import { cut } from '../model/cut.ts';
import { Refusal } from '../request/refusal.ts';
import { NotJsonError } from './json.ts';

/** A name taken from the request is cut to so many bytes before it is named in a refusal. */
const MAX_NAME = 128;
const MAX_LOC = 240;

/** 422 with the one fault and where it stands; names are cut, and the middle of a way that is too long is left out. */
export const invalid = (loc: readonly (string | number)[], type: string, message: string): Refusal =>
  new Refusal(422, message, {}, { type, loc: shortened(loc) });

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

function shortened(loc: readonly (string | number)[]): readonly (string | number)[] {
  const steps = loc.slice(0, MAX_LOC).map((step) => (typeof step === 'string' ? cut(step, MAX_NAME) : step));
  if (loc.length <= MAX_LOC && bytesOf(steps) <= MAX_LOC) return steps;
  const last = loc.at(-1);
  const end = ['...', typeof last === 'string' ? cut(last, MAX_NAME) : (last as number)];
  while (bytesOf([...steps, ...end]) > MAX_LOC) steps.pop();
  return [...steps, ...end];
}

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
