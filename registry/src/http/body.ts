/** Reading JSON bodies: whole, bounded, and refused in MLflow's words. */
import type { IncomingMessage } from 'node:http';
import { ApiError, invalid } from '../errors.ts';

/** More than any batch MLflow's limits allow. */
const MAX_BYTES = 32 * 1024 * 1024;

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES)
      throw new ApiError(
        'INVALID_PARAMETER_VALUE',
        `The body is larger than ${MAX_BYTES} bytes: send smaller batches.`,
        {
          status: 413,
        },
      );
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
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
  const bytes = await bytesOf(request);
  if (bytes.length === 0) return {};
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw invalid("Bad Request. Content-Type must be one of ['application/json'].");
  const once = parse(bytes.toString('utf8'));
  const value = typeof once === 'string' ? parse(once) : once;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError('BAD_REQUEST', 'The body is not a JSON object: send {"parameter": value, …}.');
  return value as Record<string, unknown>;
}
