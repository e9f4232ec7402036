/** Watches the two stores, so that a condition can say which one is away and since when. */

import type { DependencyHealth, Health } from '../api/health.ts';

export interface MonitorOptions {
  /** Each resolves when its store answers and throws what is wrong otherwise. */
  readonly probes: Readonly<Record<keyof DependencyHealth, () => Promise<unknown>>>;
  /** Told after every probe, for the gauge `slipway_dependency_up{dependency}`. */
  readonly onProbe?: (dependency: keyof DependencyHealth, up: boolean) => void;
  /** Told when a store goes or comes back, so that whoever waits for it is looked at again. */
  readonly onChange?: (dependency: keyof DependencyHealth, health: Health) => void;
  readonly now: () => Date;
  /** Calls back once after `ms`, and not after `cancel`. */
  readonly schedule: (ms: number, callback: () => void) => { cancel(): void };
  readonly everyMs?: number;
  readonly timeoutMs?: number;
}

export interface Monitor {
  /** Probes both once, then goes on in the background. Resolves after the first round, whatever it found. */
  start(): Promise<void>;
  stop(): void;
  /** The last word of the probes; never does IO. Up until a probe has failed. */
  status(): DependencyHealth;
}

const textField = (error: unknown, name: string): string | undefined => {
  const value = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** Why a probe failed, in the words of conditions. */
function failureOf(dependency: keyof DependencyHealth, error: unknown): { reason: string; message: string } {
  const message = textField(error, 'message') ?? 'unknown error';
  if (dependency === 'postgres') return { reason: 'PostgresUnavailable', message };
  const reason = textField(error, 'reason');
  if (reason === 'BucketMissing') return { reason, message };
  return { reason: reason === 'Denied' ? 'ObjectStorageDenied' : 'ObjectStorageUnavailable', message };
}

/** Does nothing until it is started. */
export function createMonitor(options: MonitorOptions): Monitor {
  const { everyMs = 5_000, timeoutMs = 4_000 } = options;
  const health: Record<keyof DependencyHealth, Health> = { postgres: { up: true }, objectStorage: { up: true } };
  const timers = new Map<keyof DependencyHealth, { cancel(): void }>();
  let stopped = false;

  const withinTime = (probe: () => Promise<unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const timer = options.schedule(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs / 1000} s`)));
      probe()
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });

  const record = (dependency: keyof DependencyHealth, failure?: { reason: string; message: string }): void => {
    const before = health[dependency];
    const since = before.up ? options.now().toISOString() : before.since;
    const after: Health = failure ? { up: false, since, ...failure } : { up: true };
    health[dependency] = after;
    options.onProbe?.(dependency, after.up);
    if (before.up !== after.up) options.onChange?.(dependency, after);
  };

  const probe = async (dependency: keyof DependencyHealth): Promise<void> => {
    const failure = await withinTime(options.probes[dependency]).then(
      () => undefined,
      (error: unknown) => failureOf(dependency, error),
    );
    if (stopped) return;
    record(dependency, failure);
    timers.set(
      dependency,
      options.schedule(everyMs, () => void probe(dependency)),
    );
  };

  return {
    async start() {
      await Promise.all([probe('postgres'), probe('objectStorage')]);
    },
    stop() {
      stopped = true;
      for (const timer of timers.values()) timer.cancel();
    },
    status: () => ({ ...health }),
  };
}

/** The timers of a running process; they keep none alive. */
export const processTimers: MonitorOptions['schedule'] = (ms, callback) => {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
};
