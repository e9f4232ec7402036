/** Keyset pagination: a page token holds the key of the page's last row, and means nothing to the client. */
import type { Page } from '@slipway/database';
import { z } from 'zod';
import { ApiError } from '../errors.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

const Limit = z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT);

const invalid = (message: string): ApiError => new ApiError('INVALID_PARAMETER_VALUE', message);

function keyOf<Key>(token: unknown, key: z.ZodType<Key>): Key | undefined {
  if (token === undefined) return undefined;
  try {
    return key.parse(JSON.parse(Buffer.from(z.string().max(1024).parse(token), 'base64url').toString()));
  } catch {
    throw invalid('pageToken: expected the nextPageToken of an earlier answer to the same request');
  }
}

/** The page a query string asks for with `limit` and `pageToken`. */
export function pageOf<Key>(query: Record<string, unknown>, key: z.ZodType<Key>): Page<Key> {
  const limit = Limit.safeParse(query['limit']);
  if (!limit.success) throw invalid(`limit: expected a whole number from 1 to ${MAX_LIMIT}`);
  return { limit: limit.data, after: keyOf(query['pageToken'], key) };
}

/** Reads one row more than asked for, to know whether there is another page, and names where that begins. */
export async function paged<Row, Key>(
  page: Page<Key>,
  read: (page: Page<Key>) => Promise<Row[]>,
  key: (row: Row) => Key,
): Promise<{ rows: Row[]; nextPageToken?: string }> {
  const rows = await read({ ...page, limit: page.limit + 1 });
  if (rows.length <= page.limit) return { rows };
  const shown = rows.slice(0, page.limit);
  const last = key(shown.at(-1) as Row);
  return { rows: shown, nextPageToken: Buffer.from(JSON.stringify(last)).toString('base64url') };
}
