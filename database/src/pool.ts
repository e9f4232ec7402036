import type { PostgresAccess } from '@slipway/contract';
import pg from 'pg';
import { databaseError } from './errors.ts';

export interface ConnectOptions {
  /** Shown by pg_stat_activity. */
  readonly applicationName: string;
  /** Connections at most; 5 when absent. */
  readonly max?: number;
  /** Told when an idle connection breaks; the pool replaces it by itself. */
  readonly onIdleError?: (error: Error) => void;
}

const tls = (mode: PostgresAccess['sslMode']) =>
  mode === 'disable' ? false : { rejectUnauthorized: mode === 'verify-full' };

/**
 * A pool that connects on first use and never waits for ever: 5 s for a connection, 30 s for a statement. The caller
 * ends it. `require` encrypts without checking who answers; `verify-full` checks against Node's CAs
 * (NODE_EXTRA_CA_CERTS adds one's own).
 */
export function connect(access: PostgresAccess, options: ConnectOptions): pg.Pool {
  const pool = new pg.Pool({
    host: access.host,
    port: access.port,
    database: access.database,
    user: access.username,
    password: access.password,
    ssl: tls(access.sslMode),
    application_name: options.applicationName,
    max: options.max ?? 5,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 30_000,
    // A connection that went silent is not the server's to time out.
    query_timeout: 35_000,
    idle_in_transaction_session_timeout: 60_000,
  });
  pool.on('error', (error) => options.onIdleError?.(error));
  return pool;
}

/** The pool itself, for those who only pass it on. */
export type Database = pg.Pool;

/** Anything that can run one statement: a pool, or a client inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>;

/** The rows of one statement; throws the errors of types.ts. */
export async function query<Row>(on: Queryable, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  try {
    return (await on.query(text, [...values])).rows as Row[];
  } catch (error) {
    throw databaseError(error);
  }
}

/** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
export async function transaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error) => {
    throw databaseError(error);
  });
  // Without a listener a connection that breaks between two statements would end the process.
  const onError = () => {};
  client.on('error', onError);
  let broken = false;
  try {
    await query(client, 'BEGIN');
    const result = await work(client);
    await query(client, 'COMMIT');
    return result;
  } catch (error) {
    broken = await query(client, 'ROLLBACK').then(
      () => false,
      () => true,
    );
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
