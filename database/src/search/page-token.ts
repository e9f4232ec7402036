/** Where the next page begins, as an opaque text that only fits the search it came from. Pure. */
import { createHash } from 'node:crypto';

/** A page token that is broken or belongs to another search. */
export class InvalidPageTokenError extends Error {
  override readonly name = 'InvalidPageTokenError';
}

export interface Place {
  /** Which part of the order the row was in, for orders that are read in parts. */
  readonly segment: number;
  readonly values: readonly string[];
}

/** A short name for everything that decides which rows are found and in which order. */
export const digestOf = (query: unknown): string =>
  createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 12);

export const encodeToken = (digest: string, { segment, values }: Place): string =>
  Buffer.from(JSON.stringify([digest, segment, ...values])).toString('base64url');

/** Throws InvalidPageTokenError. */
export function decodeToken(digest: string, token: string): Place {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    throw new InvalidPageTokenError('Invalid page token: it was not made by this server, or was cut.');
  }
  if (!Array.isArray(parts)) throw new InvalidPageTokenError('Invalid page token: it was not made by this server.');
  const [its, segment, ...values] = parts as unknown[];
  if (its !== digest)
    throw new InvalidPageTokenError(
      'Invalid page token: it belongs to another search. Send it with the filter and order_by it was answered to.',
    );
  if (!Number.isInteger(segment) || !values.every((value) => typeof value === 'string' && !value.includes('\0')))
    throw new InvalidPageTokenError('Invalid page token: it was changed on its way.');
  return { segment: segment as number, values: values as string[] };
}
