/** From what a search selects to the one statement that reads a page of its keys. */
import { afterKey, keyColumns, orderClause, type SortColumn } from './keyset.ts';
import { InvalidPageTokenError, type Place } from './page-token.ts';
import type { Parameters } from './parameters.ts';

/** Rows in one order. A search whose order no single index has is several of these, one after the other. */
export interface Segment {
  /** The FROM clause without its word. */
  readonly from: string;
  readonly where: readonly string[];
  readonly order: readonly SortColumn[];
}

export interface Selection {
  /** The key of an entity, as SQL: `r.run_id`, `json_build_array(v.model, v.version)`. */
  readonly key: string;
  /** At least one; made when it is read, so that its parameters are added only then. */
  readonly segments: readonly (() => Segment)[];
}

export interface KeyRow {
  readonly key: unknown;
  readonly segment: number;
  readonly place: string[];
}

function segmentSql({ key, segments }: Selection, index: number, into: Parameters, after: Place | undefined): string {
  const make = segments[index];
  const segment = make?.();
  const begins = after?.segment === index;
  if (!segment || (begins && segment.order.length !== after.values.length))
    throw new InvalidPageTokenError('Invalid page token: it was changed on its way.');
  const { from, where, order } = segment;
  const conditions = begins ? [...where, afterKey(order, after.values, into)] : where;
  return `SELECT ${key} AS key, ${index} AS segment, ${keyColumns(order)} AS place FROM ${from}
    WHERE ${conditions.map((condition) => `(${condition})`).join(' AND ')} ORDER BY ${orderClause(order)}`;
}

/**
 * At most `limit` rows after a place, in order. Later segments are read only for what earlier ones left of the page: a
 * LIMIT of 0 does not start a scan. Throws InvalidPageTokenError for a place this selection does not have.
 */
export function pageSql(selection: Selection, into: Parameters, limit: number, after: Place | undefined): string {
  const rows = `${into.add(limit)}::bigint`;
  const first = after?.segment ?? 0;
  if (first >= selection.segments.length - 1) return `${segmentSql(selection, first, into, after)} LIMIT ${rows}`;
  const indexes = selection.segments.map((_segment, index) => index).slice(first);
  const parts = indexes.map((index) => {
    const before = indexes.filter((other) => other < index).map((other) => ` - (SELECT count(*) FROM part${other})`);
    const left = index === first ? rows : `greatest(0, ${rows}${before.join('')})`;
    return `part${index} AS MATERIALIZED (SELECT row_number() OVER () AS ordinal, page.* FROM (
      ${segmentSql(selection, index, into, after)} LIMIT ${left}) AS page)`;
  });
  const union = indexes.map((index) => `SELECT * FROM part${index}`).join(' UNION ALL ');
  return `WITH ${parts.join(', ')} SELECT key, segment, place FROM (${union}) AS parts ORDER BY segment, ordinal`;
}
