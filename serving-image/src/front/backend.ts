/**
 * How the server behind is: asked once a second, for as long as the pod lives. It is ready when it says so and has predicted
 * the version's example; it is no longer ready when nothing listens, when it says so three times, or after long silence:
 * one that is merely busy is not taken out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import type { Health } from './health.ts';
import type { Fault } from './proof.ts';

const PACE_MS = 1_000;
const EAGER_PACE_MS = 100;
/** So often in a row it may say that it is not ready. */
const DENIALS = 3;
const SILENCE_MS = 30_000;
/** After so long a time without a sign of life its container is to be restarted; the kubelet asks for two minutes more. */
const DEAD_MS = 10_000;
/** So often the example is tried: a server may say that it is ready a moment too soon. */
const TRIES = 3;

export interface BackendOptions {
  readonly ask: () => Promise<Health>;
  /** Absent: there is no example. */
  readonly prove: (() => Promise<Fault | undefined>) | undefined;
  readonly readyWithinMs: number;
  readonly onChange: (isReady: boolean) => void;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly signal: AbortSignal;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
  readonly paceMs?: number;
}

export interface Backend {
  /** False: it was ready once, and has given no sign of life for a while. */
  isAlive(): boolean;
  /** It has answered somebody. */
  answered(): void;
  /** Resolves when `signal` fires. Rejects FailureError: LoadTimeout, InvalidModel, when it never becomes ready. */
  watched: Promise<void>;
}

/** Looks from now on. */
export function watchBackend(options: BackendOptions): Backend {
  const { signal, now = () => performance.now() } = options;
  const watch = new Watch(options, now);
  return {
    isAlive: () => watch.isAlive(),
    answered: () => watch.heard(),
    watched: watch.run(signal),
  };
}

class Watch {
  readonly #options: BackendOptions;
  readonly #now: () => number;
  readonly #begun: number;
  #isReady = false;
  #wasReady = false;
  #denials = 0;
  #tries = 0;
  #lastLife: number;
  #words = 'it has not been asked yet';

  constructor(options: BackendOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
    this.#begun = now();
    this.#lastLife = this.#begun;
  }

  isAlive(): boolean {
    return !this.#wasReady || this.#now() - this.#lastLife < DEAD_MS;
  }

  heard(): void {
    this.#lastLife = this.#now();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { paceMs = PACE_MS } = this.#options;
    while (!signal.aborted) {
      const health = await this.#options.ask();
      if (signal.aborted) return;
      await this.#take(health);
      if (!this.#wasReady) this.#checkTime();
      const pace = this.#isReady ? paceMs : Math.min(paceMs, EAGER_PACE_MS);
      await sleep(pace, undefined, { signal }).catch(() => undefined);
    }
  }

  async #take(health: Health): Promise<void> {
    if (health.is === 'ready' || health.is === 'unready') this.heard();
    if (health.is === 'ready') {
      this.#denials = 0;
      if (!this.#isReady && (await this.#isProven())) this.#become(true);
      return;
    }
    this.#words = health.words;
    if (this.#isReady && this.#isLost(health.is)) this.#become(false);
  }

  #isLost(is: 'unready' | 'gone' | 'silent'): boolean {
    if (is === 'gone') return true;
    if (is === 'silent') return this.#now() - this.#lastLife >= SILENCE_MS;
    this.#denials += 1;
    return this.#denials >= DENIALS;
  }

  async #isProven(): Promise<boolean> {
    const fault = await this.#options.prove?.();
    if (!fault) return true;
    this.#words = fault.message;
    if (!fault.passes) this.#tries += 1;
    this.#options.log.warn({ problem: fault.message }, 'the server is ready and does not predict');
    // One that has predicted before is given all the time it needs.
    if (this.#tries >= TRIES && !this.#wasReady)
      throw new FailureError('InvalidModel', `the server of spec.runtime does not predict: ${fault.message}`);
    return false;
  }

  #become(isReady: boolean): void {
    this.#isReady = isReady;
    if (isReady) this.#wasReady = true;
    this.#denials = 0;
    this.#tries = 0;
    if (isReady) this.#options.log.info({}, 'the server behind is ready');
    else this.#options.log.warn({ problem: this.#words }, 'the server behind is not ready any more');
    this.#options.onChange(isReady);
  }

  #checkTime(): void {
    const { readyWithinMs } = this.#options;
    if (this.#now() - this.#begun < readyWithinMs) return;
    const seconds = Math.round(readyWithinMs / 1000);
    throw new FailureError(
      'LoadTimeout',
      `the server of spec.runtime was not ready ${seconds} s after it had started (spec.rollout.progressDeadline): ${this.#words}`,
    );
  }
}
