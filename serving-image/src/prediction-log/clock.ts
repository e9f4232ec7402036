/** The time of a line, made anew only when the second changes. */

const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => `${String(ms).padStart(3, '0')}Z`);

/** Characters of every time until the year 10000. */
export const TIMESTAMP_LENGTH = 24;

/** `2026-01-31T12:00:00.123Z` for milliseconds since the epoch. */
export function createTimestamps(): (now: number) => string {
  let second = Number.NaN;
  let text = '';
  return (now) => {
    const current = Math.floor(now / 1000);
    if (current !== second) {
      second = current;
      text = new Date(current * 1000).toISOString().slice(0, -4);
    }
    return text + (MILLISECONDS[now - current * 1000] as string);
  };
}
