/** Brings the schema to this program's version. Only the registry does; everybody else waits for it. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { databaseError } from './errors.ts';
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

const lockKey = 'slipway/migrate';
const digest = (sql: string): string => createHash('sha256').update(sql).digest('hex');

/**
 * Applies what is missing, each file in its own transaction, under a lock that lets one process migrate at a time.
 * Returns the names applied. Migrations of a newer program are left alone.
 */
export async function migrate(pool: pg.Pool, migrations: readonly Migration[] = ownMigrations): Promise<string[]> {
  const client = await pool.connect().catch((error) => {
    throw databaseError(error);
  });
  client.on('error', () => {});
  try {
    return await migrateWith(client, migrations);
  } catch (error) {
    throw databaseError(error);
  } finally {
    // Closing the connection gives the lock back whatever happened, and its settings with it.
    client.release(true);
  }
}

const unlimited = 2 ** 31 - 1;

async function migrateWith(client: pg.PoolClient, migrations: readonly Migration[]): Promise<string[]> {
  const run = (text: string, values: unknown[] = []) =>
    client.query({ text, values, query_timeout: unlimited } as pg.QueryConfig);
  await run('SET statement_timeout = 0');
  await run('SELECT pg_advisory_lock(hashtextextended($1, 0))', [lockKey]);
  await run('CREATE SCHEMA IF NOT EXISTS slipway');
  await run(
    'CREATE TABLE IF NOT EXISTS slipway.migrations (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
  );
  const done = await appliedMigrations(client);
  const changed = migrations.find(({ name, sql }) => done.has(name) && done.get(name) !== digest(sql));
  if (changed) throw new MigrationChangedError(changed.name);
  const missing = migrations.filter(({ name }) => !done.has(name));
  for (const { name, sql } of missing) {
    await run('BEGIN');
    // A statement without values may hold several commands.
    await client.query({ text: sql, query_timeout: unlimited } as pg.QueryConfig);
    await run('INSERT INTO slipway.migrations (name, sha256) VALUES ($1, $2)', [name, digest(sql)]);
    await run('COMMIT');
  }
  return missing.map(({ name }) => name);
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
