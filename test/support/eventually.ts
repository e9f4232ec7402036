import { setTimeout as delay } from 'node:timers/promises';

/**
 * Polls `attempt` until it returns without throwing, and returns what it returned. After `timeoutMs` the last error is
 * thrown with how long was waited. The interval is a polling period, not a guess at how long something takes.
 */
export async function eventually<T>(attempt: () => T | Promise<T>, timeoutMs = 60_000, intervalMs = 250): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) {
        const cause = error instanceof Error ? error : new Error(String(error));
        throw new Error(`not so after ${Math.round(timeoutMs / 1000)} s: ${cause.message}`, { cause });
      }
      await delay(intervalMs);
    }
  }
}
