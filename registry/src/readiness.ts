/** Whether the registry can answer: its schema is there and Postgres responds. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Database, DatabaseUnavailableError, migrate, query } from '@slipway/database';

export interface Readiness {
  /** Undefined: ready. Otherwise what is missing, in a sentence. */
  problem(): Promise<string | undefined>;
}

const RETRY_MS = 2_000;

/**
 * Migrates, again and again while Postgres is away, until it is done or `signal` aborts. Any other failure (a migration
 * that was changed, a missing right) throws: repeating would not help.
 */
export async function migrateWhenThere(
  pool: Database,
  options: { signal: AbortSignal; onWaiting: (why: string) => void; retryMs?: number },
): Promise<string[]> {
  for (;;) {
    try {
      return await migrate(pool);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      options.onWaiting(error.message);
    }
    await delay(options.retryMs ?? RETRY_MS, undefined, { signal: options.signal });
  }
}

/** Ready once `migrated` says so, and as long as Postgres answers. */
export const readinessOf = (pool: Database, state: { migrated: boolean; stopping: boolean }): Readiness => ({
  async problem() {
    if (state.stopping) return 'stopping';
    try {
      await query(pool, 'SELECT 1');
      return state.migrated ? undefined : 'Postgres answers, the schema is being migrated';
    } catch (error) {
      return error instanceof DatabaseUnavailableError ? error.message : 'Postgres refuses to answer';
    }
  },
});
