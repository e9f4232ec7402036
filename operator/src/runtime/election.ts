/**
 * Leader election on a Lease. Kubernetes has no fencing, so the leader stops writing well before anybody else may
 * begin: it may write until `renewMs` after it sent its last successful renewal, a candidate takes over `leaseMs` after
 * it saw that renewal. Candidates judge by how long they themselves have seen no change, never by the times in the
 * Lease. Losing is final: the process ends and comes back as a candidate.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { NotLeadingError } from '../api/errors.ts';
import type { Logger } from './reconcile.ts';

export interface LeaseRecord {
  /** Changes with every write. */
  readonly version: string;
  /** Empty: free. */
  readonly holder: string;
  readonly durationSeconds: number;
  readonly transitions: number;
  readonly acquireTime: string | undefined;
  /** When the Lease was made, in seconds since the epoch; 0 when it is not known. */
  readonly createdAt: number;
}

/** What a candidate or leader writes. */
export type LeaseUpdate = Omit<LeaseRecord, 'version' | 'createdAt'>;

export interface LeaseClient {
  /** Undefined: there is none yet. */
  read(): Promise<LeaseRecord | undefined>;
  /** Replaces exactly `version` (undefined: makes it). Resolves with undefined when somebody else was faster. */
  write(next: LeaseUpdate, version: string | undefined): Promise<LeaseRecord | undefined>;
}

export interface ElectionTiming {
  readonly leaseMs: number;
  readonly renewMs: number;
  readonly retryMs: number;
}
export const DEFAULT_ELECTION: ElectionTiming = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };

export interface Clock {
  /** Milliseconds that never jump. */
  monotonic(): number;
  /** Milliseconds that go on while the machine sleeps. */
  wall(): number;
  /** Ends early, without an error, when the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}),
};

export interface Election {
  /** Resolves with true once this process leads, with false when the signal fired first. */
  acquire(signal: AbortSignal): Promise<boolean>;
  /** Resolves with the reason when leadership is lost; never when it is released. */
  readonly lost: Promise<string>;
  /** Gives leadership up because of something the caller learnt (a newer leader has written). */
  lose(reason: string): void;
  /** Throws NotLeadingError unless this process leads and its deadline has not passed. */
  assertLeading(): void;
  leading(): boolean;
  /** Grows with every leader, over the life of any one Lease too; undefined before this process leads. */
  epoch(): number | undefined;
  /** Stops writing at once, then lets the next candidate in. */
  release(): Promise<void>;
}

export interface ElectionOptions {
  readonly client: LeaseClient;
  readonly identity: string;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly timing?: ElectionTiming;
}

interface Held {
  readonly version: string;
  readonly epoch: number;
  readonly transitions: number;
  readonly acquireTime: string | undefined;
  /** When the last successful renewal was sent, by both clocks. */
  readonly monotonic: number;
  readonly wall: number;
}

/**
 * Transitions begin again when a Lease is deleted and made anew, so the time it was made comes first: what Postgres has
 * seen of an earlier Lease is always less. Fits a bigint and a JavaScript integer while there are under 1e6 transitions.
 */
const epochOf = ({ createdAt, transitions }: LeaseRecord): number => createdAt * 1_000_000 + transitions;

export function leaseElection(options: ElectionOptions): Election {
  const { client, identity, log, clock = systemClock, timing = DEFAULT_ELECTION } = options;
  const durationSeconds = Math.ceil(timing.leaseMs / 1000);
  const ended = new AbortController();
  const lost = Promise.withResolvers<string>();
  let seen: { readonly version: string; readonly at: number } | undefined;
  let held: Held | undefined;
  /** The newest version this process wrote; a release needs it even when a renewal was under way. */
  let lastVersion: string | undefined;
  let renewing: Promise<void> = Promise.resolve();
  let problem: string | undefined;

  const sentNow = () => ({ monotonic: clock.monotonic(), wall: clock.wall() });
  const remainingMs = (lease: Held): number =>
    timing.renewMs - Math.max(clock.monotonic() - lease.monotonic, clock.wall() - lease.wall);

  function note(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message !== problem) log.warn({ error }, 'the lease cannot be reached');
    problem = message;
  }

  /** One try to become leader; returns how long to wait before the next, 0 when it succeeded. */
  async function attempt(): Promise<number> {
    const record = await client.read();
    if (record && seen?.version !== record.version) seen = { version: record.version, at: clock.monotonic() };
    if (record && record.holder !== '' && record.holder !== identity) {
      const expiresInMs = (seen?.at ?? 0) + record.durationSeconds * 1000 - clock.monotonic();
      if (expiresInMs > 0) return Math.min(timing.retryMs, expiresInMs + 10);
    }
    const sent = sentNow();
    const transitions = (record?.transitions ?? 0) + 1;
    const next = { holder: identity, durationSeconds, transitions, acquireTime: undefined };
    const written = await client.write(next, record?.version);
    if (!written) return timing.retryMs;
    lastVersion = written.version;
    held = {
      version: written.version,
      epoch: epochOf(written),
      transitions,
      acquireTime: written.acquireTime,
      ...sent,
    };
    return 0;
  }

  async function acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && !ended.signal.aborted) {
      let pauseMs = timing.retryMs;
      try {
        pauseMs = await attempt();
        problem = undefined;
      } catch (error) {
        note(error);
      }
      if (held) {
        log.info({ identity, epoch: held.epoch }, 'leading');
        void keep();
        return true;
      }
      await clock.sleep(pauseMs, signal);
    }
    return false;
  }

  /** Renews until the lease is lost or released. */
  async function keep(): Promise<void> {
    while (held && !ended.signal.aborted) {
      await clock.sleep(Math.max(0, Math.min(timing.retryMs, remainingMs(held))), ended.signal);
      if (!held || ended.signal.aborted) return;
      if (remainingMs(held) <= 0) return lose(`the lease could not be renewed for ${timing.renewMs} ms`);
      renewing = renew(held);
      await Promise.race([renewing, clock.sleep(remainingMs(held), ended.signal)]);
    }
  }

  async function renew(lease: Held): Promise<void> {
    const sent = sentNow();
    const { transitions, acquireTime } = lease;
    try {
      const written = await client.write(
        { holder: identity, durationSeconds, transitions, acquireTime },
        lease.version,
      );
      if (written) {
        lastVersion = written.version;
        if (held) held = { ...held, version: written.version, ...sent };
      } else await recheck(lease);
      problem = undefined;
    } catch (error) {
      note(error);
    }
  }

  /** Our version is not the newest: an answer to an earlier renewal was lost, or somebody else leads. */
  async function recheck(lease: Held): Promise<void> {
    const record = await client.read();
    if (record?.holder === identity && record.transitions === lease.transitions) {
      if (held) held = { ...held, version: record.version };
    } else lose(`the lease was taken over by ${record?.holder || 'nobody'}`);
  }

  function lose(reason: string): void {
    if (ended.signal.aborted) return;
    held = undefined;
    ended.abort();
    lost.resolve(reason);
  }

  return {
    acquire,
    lose,
    lost: lost.promise,
    assertLeading() {
      if (!held || remainingMs(held) <= 0) throw new NotLeadingError('this process does not lead: nothing was written');
    },
    leading: () => held !== undefined && remainingMs(held) > 0,
    epoch: () => held?.epoch,
    async release() {
      const lease = held;
      held = undefined;
      ended.abort();
      if (!lease) return;
      await renewing;
      await free(lease).catch(note);
    },
  };

  async function free({ transitions, acquireTime }: Held): Promise<void> {
    const next = { holder: '', durationSeconds: 1, transitions, acquireTime };
    if (await client.write(next, lastVersion)) return;
    const record = await client.read();
    if (record?.holder === identity) await client.write(next, record.version);
  }
}

/** For a single process that needs no Lease: it leads from the start and never loses. */
export const noElection = (): Election => ({
  acquire: async () => true,
  lost: new Promise(() => {}),
  lose: () => {},
  assertLeading: () => {},
  leading: () => true,
  epoch: () => undefined,
  release: async () => {},
});
