/** Brings the schema to this program's version. Only the registry does; everybody else waits for it. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { databaseError, isUniqueViolation } from './errors.ts';
import { migrations as ownMigrations } from './migrations.generated.ts';
import { query } from './pool.ts';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** A migration that was applied before differs from the one of this program: neither knows what the schema is. */
export class MigrationChangedError extends Error {
  override readonly name = 'MigrationChangedError';
  constructor(migration: string) {
    super(
      `migration ${migration} was changed after it had been applied: restore the file and put the change into a new one`,
    );
  }
}

const digest = (sql: string): string => createHash('sha256').update(sql).digest('hex');

/**
 * Applies what is missing, each file in its own transaction; of several processes one migrates at a time. Returns the
 * names applied by this call. Migrations of a newer program are left alone.
 */
export async function migrate(pool: pg.Pool, migrations: readonly Migration[] = ownMigrations): Promise<string[]> {
  const client = await pool.connect().catch((error) => {
    throw databaseError(error);
  });
  client.on('error', () => {});
  try {
    await run(client, 'SET statement_timeout = 0');
    await ensureLedger(client);
    const applied: string[] = [];
    for (const migration of migrations) if (await applyOnce(client, migration)) applied.push(migration.name);
    return applied;
  } catch (error) {
    throw databaseError(error);
  } finally {
    // Closing the connection ends whatever transaction is open, and its settings with it.
    client.release(true);
  }
}

/** One statement for as long as it takes; text without values may hold several commands. */
const run = (client: pg.PoolClient, text: string, values?: unknown[]) =>
  client.query({ text, values, query_timeout: 2 ** 31 - 1 } as pg.QueryConfig);

async function ensureLedger(client: pg.PoolClient): Promise<void> {
  try {
    await run(client, 'CREATE SCHEMA IF NOT EXISTS slipway');
    await run(
      client,
      'CREATE TABLE IF NOT EXISTS slipway.migrations (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
    );
  } catch (error) {
    // IF NOT EXISTS does not see what another process is creating at this moment; then it is there the next time.
    if (!isUniqueViolation(error)) throw error;
    await ensureLedger(client);
  }
}

/**
 * The lock is on the table, not an advisory one: any role that may log in can take an advisory lock, so a tenant could
 * hold up every migration.
 */
async function applyOnce(client: pg.PoolClient, { name, sql }: Migration): Promise<boolean> {
  await run(client, 'BEGIN');
  await run(client, 'LOCK TABLE slipway.migrations IN EXCLUSIVE MODE');
  const before = (await appliedMigrations(client)).get(name);
  if (before !== undefined && before !== digest(sql)) throw new MigrationChangedError(name);
  if (before === undefined) {
    await run(client, sql);
    await run(client, 'INSERT INTO slipway.migrations (name, sha256) VALUES ($1, $2)', [name, digest(sql)]);
  }
  await run(client, 'COMMIT');
  return before === undefined;
}

async function appliedMigrations(on: pg.Pool | pg.PoolClient): Promise<Map<string, string>> {
  const rows = await query<{ name: string; sha256: string }>(on, 'SELECT name, sha256 FROM slipway.migrations');
  return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
}

/** True when every migration of this program has been applied. Throws DatabaseUnavailableError when nobody answers. */
export async function schemaReady(pool: pg.Pool, migrations: readonly Migration[] = ownMigrations): Promise<boolean> {
  const [found] = await query<{ found: boolean }>(
    pool,
    `SELECT to_regclass('slipway.migrations') IS NOT NULL AS found`,
  );
  if (!found?.found) return false;
  const done = await appliedMigrations(pool);
  return migrations.every(({ name }) => done.has(name));
}

/** Resolves when the schema is ready. `onWaiting` hears why it is not, at every try; aborting `signal` rejects. */
export async function waitForSchema(
  pool: pg.Pool,
  options: { signal: AbortSignal; everyMs?: number; onWaiting?: (why: string) => void },
): Promise<void> {
  for (;;) {
    options.signal.throwIfAborted();
    try {
      if (await schemaReady(pool)) return;
      options.onWaiting?.('the schema is not there yet: the registry migrates it');
    } catch (error) {
      options.onWaiting?.(error instanceof Error ? error.message : 'unknown');
    }
    await delay(options.everyMs ?? 1_000, undefined, { signal: options.signal });
  }
}
