/** What a request's head says, picked out of the list it came as: making an object of all headers costs more than they do. */
import type { IncomingMessage } from 'node:http';

/** Of a header that is given several times the first counts, except where that would hide something. */
export interface Head {
  readonly contentType: string | undefined;
  readonly contentLength: string | undefined;
  /** Some content or transfer coding is named: look at it closely. */
  readonly isCoded: boolean;
  /** Undefined when there is none, or more than one. */
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
}

interface Found {
  contentType: string | undefined;
  contentLength: string | undefined;
  isCoded: boolean;
  requestId: string | undefined;
  traceparent: string | undefined;
  idCount: number;
  traceCount: number;
}

export function headOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): Head {
  const found: Found = {
    contentType: undefined,
    contentLength: undefined,
    isCoded: false,
    requestId: undefined,
    traceparent: undefined,
    idCount: 0,
    traceCount: 0,
  };
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    // The lengths of the names looked for tell nearly all of them from the others.
    const { length } = name;
    if (length >= 11 && length <= 17) note(found, name.toLowerCase(), rawHeaders[i + 1] as string);
  }
  if (found.idCount > 1) found.requestId = undefined;
  if (found.traceCount > 1) found.traceparent = undefined;
  return found;
}

function note(found: Found, name: string, value: string): void {
  switch (name) {
    case 'content-type':
      found.contentType ??= value;
      break;
    case 'content-length':
      found.contentLength ??= value;
      break;
    case 'content-encoding':
    case 'transfer-encoding':
      found.isCoded = true;
      break;
    case 'x-request-id':
      found.requestId = value;
      found.idCount++;
      break;
    case 'traceparent':
      found.traceparent = value;
      found.traceCount++;
      break;
  }
}
