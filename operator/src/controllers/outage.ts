/** What a condition says while a store is away: which one, since when, and that nothing is lost. Pure. */
import { DatabaseUnavailableError } from '@slipway/database';
import { ObjectStoreError } from '@slipway/object-store';
import { findCondition } from '../api/conditions.ts';
import type { DependencyHealth, Health } from '../api/health.ts';
import type { CommonStatus } from '../api/meta.ts';

export interface Outage {
  readonly reason: string;
  readonly message: string;
}

const NAMES: Readonly<Record<keyof DependencyHealth, string>> = {
  postgres: 'Postgres',
  objectStorage: 'the object storage',
};

/** The outage the monitor knows of, if any. */
export function knownOutage(dependency: keyof DependencyHealth, health: DependencyHealth): Outage | undefined {
  const known: Health = health[dependency];
  if (known.up) return undefined;
  return { reason: known.reason, message: sentence(dependency, known.since, known.message) };
}

/** The outage an error tells of; undefined when the error tells of something else. */
export function outageOf(
  error: unknown,
  seen: { health: DependencyHealth; status: CommonStatus | undefined; summary: string; now: Date },
): Outage | undefined {
  const found = unavailable(error);
  if (!found) return undefined;
  const known = knownOutage(found.dependency, seen.health);
  if (known) return known;
  // The monitor has not looked since: what was said before keeps its time.
  const before = findCondition(seen.status?.conditions, seen.summary);
  if (before?.reason === found.reason) return { reason: before.reason, message: before.message };
  const message = sentence(found.dependency, seen.now.toISOString(), (error as Error).message);
  return { reason: found.reason, message };
}

function unavailable(error: unknown): { dependency: keyof DependencyHealth; reason: string } | undefined {
  if (error instanceof DatabaseUnavailableError) return { dependency: 'postgres', reason: 'PostgresUnavailable' };
  if (!(error instanceof ObjectStoreError) || error.reason === 'NotFound') return undefined;
  const reasons = {
    Unavailable: 'ObjectStorageUnavailable',
    Denied: 'ObjectStorageDenied',
    BucketMissing: 'BucketMissing',
  };
  return { dependency: 'objectStorage', reason: reasons[error.reason] };
}

const sentence = (dependency: keyof DependencyHealth, since: string, detail: string): string =>
  `${NAMES[dependency]} is away since ${since} (${detail}); it goes on by itself when it is back`;
