/** Which trace a request belongs to, as W3C Trace Context says: the caller's, or one begun here. */
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface Trace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** The same trace with a span of ours: for the answer, and for whoever is asked on behalf of the request. */
  readonly traceparent: string;
}

/** A version to come may say more after the flags. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;
const POOL_BYTES = 6144;

let pool = '';
let at = 0;

/** So many hexadecimal digits of chance: asking the system for each request's would cost more than the request. */
function digits(count: number): string {
  if (at + count > pool.length) {
    pool = randomBytes(POOL_BYTES).toString('hex');
    at = 0;
  }
  at += count;
  return pool.slice(at - count, at);
}

/** The trace `traceparent` names, if it can be read as one; else a new one, which nobody has asked to be recorded. */
export function traceOf({ traceparent }: Readonly<IncomingHttpHeaders>): Trace {
  const given = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent) : null;
  if (!given) return newTrace();
  const [, version, traceId = '', flags = '00', more] = given;
  // Nothing follows the flags of version 00.
  if (version === '00' && more !== undefined) return newTrace();
  const sampled = Number.parseInt(flags, 16) & 1;
  return { traceId, traceparent: `00-${traceId}-${digits(16)}-0${sampled}` };
}

function newTrace(): Trace {
  const traceId = digits(32);
  return { traceId, traceparent: `00-${traceId}-${digits(16)}-00` };
}
