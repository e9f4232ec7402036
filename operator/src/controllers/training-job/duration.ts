/** Times as people read them. Pure. */

/** `42s`, `3m5s`, `2h7m`. */
export function durationText(howMany: number): string {
  const seconds = Math.max(0, Math.round(howMany));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
}

/** RFC 3339 as Kubernetes writes it: without the fraction when there is none. */
export const timeText = (time: Date): string => time.toISOString().replace('.000Z', 'Z');
