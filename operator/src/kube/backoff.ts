/** Exponential, jittered: the n-th failure in a row waits between half and all of base·2ⁿ⁻¹, at most `maxMs`. */
export function backoffMs(
  failures: number,
  { baseMs, maxMs, random = Math.random }: { baseMs: number; maxMs: number; random?: () => number },
): number {
  const full = Math.min(baseMs * 2 ** Math.min(Math.max(failures - 1, 0), 30), maxMs);
  return full * (0.5 + random() / 2);
}
