/**
 * A set of keys waiting to be reconciled. A key is never handed to two workers at once; adding a key that is being
 * worked on makes it come round once more. Events carry no payload: only the key survives. Nothing is remembered of a
 * key that succeeded or is gone.
 */
import { backoffMs } from '../kube/backoff.ts';

export interface WorkQueueOptions {
  readonly baseMs?: number;
  readonly maxMs?: number;
  readonly random?: () => number;
}

export class WorkQueue {
  readonly #ready: string[] = [];
  readonly #dirty = new Set<string>();
  readonly #active = new Set<string>();
  readonly #timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  readonly #waiters: ((key: string | undefined) => void)[] = [];
  readonly #options: WorkQueueOptions;
  #closed = false;
  #retries = 0;

  constructor(options: WorkQueueOptions = {}) {
    this.#options = options;
  }

  /** Keys that wait for a worker now. */
  get depth(): number {
    return this.#dirty.size;
  }

  /** Keys in work. */
  get active(): number {
    return this.#active.size;
  }

  /** Retries asked for since the start. */
  get retries(): number {
    return this.#retries;
  }

  /** Keys anything is remembered of. */
  get remembered(): number {
    return new Set([...this.#dirty, ...this.#active, ...this.#timers.keys(), ...this.#failures.keys()]).size;
  }

  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (this.#active.has(key)) return;
    const waiter = this.#waiters.shift();
    if (waiter) this.#hand(key, waiter);
    else this.#ready.push(key);
  }

  /** The earliest of several requests for the same key wins. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    const at = performance.now() + ms;
    const pending = this.#timers.get(key);
    if (pending && pending.at <= at) return;
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, ms);
    this.#timers.set(key, { at, timer });
  }

  /**
   * Retry after a failure: 1 s, 2 s, 4 s … up to 5 min per key, jittered, and not before `atLeastMs`.
   * Returns how often the key has failed in a row.
   */
  retry(key: string, atLeastMs = 0): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    const { baseMs = 1_000, maxMs = 300_000, random = Math.random } = this.#options;
    this.#failures.set(key, failures);
    this.#retries += 1;
    this.addAfter(key, Math.max(atLeastMs, backoffMs(failures, { baseMs, maxMs, random })));
    return failures;
  }

  /** The key succeeded: its next failure is the first again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Nothing is remembered of the key, no failure and no delay; what was added stays. */
  drop(key: string): void {
    this.forget(key);
    clearTimeout(this.#timers.get(key)?.timer);
    this.#timers.delete(key);
  }

  /** Resolves with the next key, or undefined once closed. Call done(key) afterwards. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      const key = this.#closed ? undefined : this.#ready.shift();
      if (key !== undefined) this.#hand(key, resolve);
      else if (this.#closed) resolve(undefined);
      else this.#waiters.push(resolve);
    });
  }

  done(key: string): void {
    this.#active.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  /** Hands out nothing more. Keys in work are finished by whoever took them. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const waiter of this.#waiters.splice(0)) waiter(undefined);
  }

  #hand(key: string, to: (key: string) => void): void {
    this.#dirty.delete(key);
    this.#active.add(key);
    to(key);
  }
}
