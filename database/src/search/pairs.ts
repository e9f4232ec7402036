/** Conditions on what hangs on an entity as key and value: tags, params. */
import type { Test } from './ast.ts';
import type { Parameters } from './parameters.ts';
import { textTest } from './tests.ts';

export interface Pairs {
  readonly table: string;
  /** How a row of `x`, the table's alias, belongs to its entity. */
  readonly owner: string;
  readonly hashed?: boolean;
}

/** An entity without the key satisfies `IS NULL` alone: not even `!=`, as in MLflow. */
export function pairTest(pairs: Pairs, key: string, test: Test, into: Parameters): string {
  const rows = `SELECT 1 FROM slipway.${pairs.table} x WHERE ${pairs.owner} AND x.key = ${into.add(key)}::text`;
  if (test.kind === 'presence') return `${test.comparator === 'IS NULL' ? 'NOT ' : ''}EXISTS (${rows})`;
  return `EXISTS (${rows} AND ${textTest('x.value', test, into, { hashed: pairs.hashed ?? false })})`;
}

/**
 * True for what has no row in `rows`. Looked up row by row on purpose: as a join the planner believes that it leaves
 * next to nothing, and then sorts everything instead of reading the page from an index in order.
 */
export const noneOf = (rows: string): string => `NOT coalesce((SELECT true FROM ${rows} LIMIT 1), false)`;
