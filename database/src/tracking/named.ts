import type pg from 'pg';
import { databaseError } from '../errors.ts';
import type { Database } from '../pool.ts';

/** The rows of a prepared statement, which each connection plans once; throws the errors of types.ts. */
export async function named<Row>(
  pool: Database,
  statement: Required<Pick<pg.QueryConfig, 'name' | 'text'>> & { values: unknown[] },
): Promise<Row[]> {
  try {
    return (await pool.query(statement)).rows as Row[];
  } catch (error) {
    throw databaseError(error);
  }
}
