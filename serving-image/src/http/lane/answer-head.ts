/** The head of an answer as text: most of it is the same for a second. */
import { STATUS_CODES } from 'node:http';
import type { ModelIdentity } from '../../model/served-model.ts';

export interface AnswerHead {
  readonly status: number;
  readonly type: string;
  readonly requestId: string;
  readonly traceparent: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Of the body, in bytes. */
  readonly length: number;
  /** The connection ends with this answer. */
  readonly isLast: boolean;
}

const SECOND_MS = 1000;
/** What may stand in a field; anything else could end it and begin another. */
const FIELD_VALUE = /^[\t\x20-\x7e]*$/;

/** Writes heads, up to and with the empty line. `keepAliveSeconds` is told to clients. Throws for a field that cannot be sent. */
export function createAnswerHeads(
  identity: ModelIdentity,
  keepAliveSeconds: number,
): (head: AnswerHead, now: number) => string {
  const stays = `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveSeconds}\r\n`;
  const model = `x-model-version: ${sane(identity.version)}\r\nx-artifact-sha256: ${sane(identity.digest)}\r\n`;
  let date = '';
  let datedAt = Number.NEGATIVE_INFINITY;
  let usual = '';
  const usualStart = (now: number): string => {
    if (now - datedAt < SECOND_MS) return usual;
    datedAt = now;
    date = new Date().toUTCString();
    usual = start(200, 'application/json', false);
    return usual;
  };
  const start = (status: number, type: string, isLast: boolean): string =>
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${model}content-type: ${sane(type)}\r\ndate: ${date}\r\n${isLast ? 'connection: close\r\n' : stays}`;
  return ({ status, type, requestId, traceparent, headers, length, isLast }, now) => {
    const same = usualStart(now);
    const isUsual = status === 200 && type === 'application/json' && !isLast;
    const first = isUsual ? same : start(status, type, isLast);
    const more = headers === undefined ? '' : fields(headers);
    return `${first}${more}x-request-id: ${requestId}\r\ntraceparent: ${traceparent}\r\ncontent-length: ${length}\r\n\r\n`;
  };
}

const fields = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${sane(value)}\r\n`)
    .join('');

function sane(value: string): string {
  if (FIELD_VALUE.test(value)) return value;
  throw new TypeError('a header field holds a character that no header may have');
}
