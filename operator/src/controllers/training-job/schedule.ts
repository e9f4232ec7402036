/** Cron schedules: what they mean in their time zone, and which ticks lie between two moments. Pure. */
import { Cron } from 'croner';

export interface Schedule {
  /** The first tick after `after`. */
  next(after: Date): Date | undefined;
  /** The newest tick at or before `until`. */
  newest(until: Date): Date | undefined;
}

/** More ticks than this are not told apart: they are counted as so many. */
export const MAX_MISSED = 10_000;

const FIELDS = 5;
const EXPECTED = 'expected five fields (minute, hour, day of month, month, day of week), like "0 3 * * *"';

/**
 * The schedule, or what is wrong with it for a person to mend it. `from` is any moment: a pattern that never comes after it
 * (the 31st of February) is refused too. A tick in the hour that a clock change leaves out comes when that hour ends; one in
 * the hour that comes twice comes the first time, unless its hour is a wildcard.
 */
export function readSchedule(
  asked: { readonly schedule: string; readonly timeZone: string },
  from: Date,
): { readonly schedule: Schedule } | { readonly problem: string } {
  const { schedule: pattern, timeZone } = asked;
  if (!isTimeZone(timeZone)) {
    return { problem: `spec.timeZone "${timeZone}": expected an IANA time zone, like Europe/Berlin or Etc/UTC` };
  }
  const fields = pattern.trim().split(/\s+/).length;
  if (fields !== FIELDS) return { problem: `spec.schedule "${pattern}": ${EXPECTED}, got ${fields}` };
  const read = cronOf(pattern, timeZone);
  if ('problem' in read) return { problem: `spec.schedule "${pattern}": ${read.problem}; ${EXPECTED}` };
  const { cron } = read;
  const schedule: Schedule = {
    next: (after) => cron.nextRun(after) ?? undefined,
    newest: (until) => cron.previousRuns(1, new Date(until.getTime() + 1))[0],
  };
  if (schedule.next(from)) return { schedule };
  return { problem: `spec.schedule "${pattern}" names a day that no month has: it would never train` };
}

function cronOf(pattern: string, timezone: string): { readonly cron: Cron } | { readonly problem: string } {
  try {
    return { cron: new Cron(pattern.trim(), { timezone, mode: '5-part', paused: true }) };
  } catch (error) {
    return { problem: (error as Error).message.replace(/^Cron\w+: /, '') };
  }
}

/** Offsets like +02:00 are none: they know no summer time. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The ticks after `mark` up to `until`: the newest one, and those before it, oldest first, at most MAX_MISSED. */
export function ticksBetween(
  schedule: Schedule,
  mark: Date,
  until: Date,
): { readonly newest: Date; readonly older: readonly Date[] } | undefined {
  const newest = schedule.newest(until);
  if (!newest || newest <= mark) return undefined;
  const older: Date[] = [];
  let tick = schedule.next(mark);
  while (tick && tick < newest && older.length < MAX_MISSED) {
    older.push(tick);
    tick = schedule.next(tick);
  }
  return { newest, older };
}
