/** What several rounds of one measurement say: their median, and between which values they lay. */

/** The middle of the rounds, and the lowest and highest of them. */
export interface Interval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The middle value; of an even number, the mean of the middle two. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** Throws when there are no values: a figure that was not measured must not look like one. */
export function interval(values: readonly number[]): Interval {
  if (values.length === 0) throw new Error('an interval of no values');
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/**
 * How many times as much `ours` is as `theirs`. Rounds are taken in turn, so that the n-th of both saw the same machine:
 * the interval is that of the quotients of each round. Who had fewer rounds is compared by the last of them.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): Interval {
  if (ours.length === 0 || theirs.length === 0) throw new Error('a ratio of no rounds');
  const at = (values: readonly number[], i: number): number => values[Math.min(i, values.length - 1)] as number;
  const rounds = Math.max(ours.length, theirs.length);
  return interval(Array.from({ length: rounds }, (_, i) => at(ours, i) / at(theirs, i)));
}
