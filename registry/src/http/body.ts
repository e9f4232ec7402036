/** Reading JSON bodies: whole, bounded in size and time, and refused in MLflow's words. */
import type { IncomingMessage } from 'node:http';
import { ApiError, invalid } from '../errors.ts';

/** More than any batch MLflow's limits allow. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Uploads of artifacts have no such limit; a JSON body that takes this long will never end. */
const MAX_MS = 60_000;

const tooLarge = (): ApiError =>
  new ApiError('INVALID_PARAMETER_VALUE', `The body is larger than ${MAX_BYTES} bytes: send smaller batches.`, {
    status: 413,
  });

const tooSlow = (): ApiError =>
  new ApiError('BAD_REQUEST', `The body did not arrive within ${MAX_MS / 1000} s.`, { status: 408 });

/** Rejects with what the connection died of, and with ApiError when the body is too large or too slow. */
function bytesOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => stop(tooSlow()), MAX_MS);
    const stop = (error: Error): void => {
      clearTimeout(timer);
      request.off('data', take);
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > MAX_BYTES) stop(tooLarge());
      else chunks.push(chunk);
    };
    request.on('data', take);
    request.once('error', stop);
    request.once('end', () => {
      clearTimeout(timer);
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
    });
  });
}

/** What says that it is no JSON is not read as such; PATCH and DELETE with nothing in them need not say. */
function checkContentType({ method, headers }: IncomingMessage, size: number): void {
  const type = headers['content-type'];
  if (size === 0 && (type !== undefined || method !== 'POST')) return;
  if (type === undefined) throw invalid('Bad Request. Content-Type header is missing.');
  if (type.split(';')[0]?.trim().toLowerCase() !== 'application/json')
    throw invalid("Bad Request. Content-Type must be one of ['application/json'].");
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function textOf(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ApiError('BAD_REQUEST', 'The body is not JSON: it is not encoded as UTF-8.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('BAD_REQUEST', 'The body is not JSON: send one object, as application/json.');
  }
}

/**
 * The JSON object of a request; an empty body is an empty object. Very old clients send a JSON string that holds the
 * object: it is opened. Throws ApiError for everything else.
 */
export async function jsonObjectOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (Number(request.headers['content-length']) > MAX_BYTES) throw tooLarge();
  const bytes = await bytesOf(request);
  checkContentType(request, bytes.length);
  if (bytes.length === 0) return {};
  const once = parse(textOf(bytes));
  const value = typeof once === 'string' ? parse(once) : once;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError('BAD_REQUEST', 'The body is not a JSON object: send {"parameter": value, …}.');
  return value as Record<string, unknown>;
}
