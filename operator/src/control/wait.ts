/** Asking again until something has ended, for as long as somebody waits. */
import { setTimeout as delay } from 'node:timers/promises';

/** How often it is looked at while somebody waits. */
const POLL_MS = 750;

/** Resolves with the answer as soon as it is no longer `going`, after `ms`, or when the signal fires. */
export async function whenEnded<T extends { readonly status: string }>(
  ask: () => Promise<T>,
  going: T['status'],
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    const left = deadline - performance.now();
    if (answer.status !== going || left <= 0 || signal.aborted) return answer;
    await delay(Math.min(POLL_MS, left), undefined, { signal }).catch(() => {});
  }
}

/** How many may be in work at once, in all and per key; `enter` says whether there is room, and `leave` gives it back. */
export function createRoom({ total, perKey }: { readonly total: number; readonly perKey: number }) {
  const inside = new Map<string, number>();
  let count = 0;
  return {
    enter(key: string): boolean {
      const own = inside.get(key) ?? 0;
      if (count >= total || own >= perKey) return false;
      inside.set(key, own + 1);
      count++;
      return true;
    },
    leave(key: string): void {
      const own = (inside.get(key) ?? 1) - 1;
      if (own === 0) inside.delete(key);
      else inside.set(key, own);
      count--;
    },
  };
}
