/** Holds controllers back until the registry has migrated the schema, but not for ever. */
import { type Database, waitForSchema } from '@slipway/database';
import type { Logger } from './runtime/reconcile.ts';

/** Afterwards the controllers themselves say in their conditions what is missing. */
const PATIENCE_MS = 30_000;

export interface SchemaGate {
  /** Resolves when the schema is there, patience has run out, or the signal fired. */
  pass(signal: AbortSignal): Promise<void>;
  /** Why it is still closed; undefined otherwise. */
  closedBecause(): string | undefined;
}

export function schemaGate(pool: Database, log: Logger, patienceMs = PATIENCE_MS): SchemaGate {
  let reason: string | undefined;
  return {
    async pass(signal) {
      const enough = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
      const onWaiting = (why: string) => {
        if (why !== reason) log.info({ why }, 'waiting for Postgres');
        reason = why;
      };
      await waitForSchema(pool, { signal: enough, onWaiting }).catch((error) => {
        if (!enough.aborted) throw error;
      });
      reason = undefined;
    },
    closedBecause: () => reason,
  };
}
