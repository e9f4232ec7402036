/** Which tick of a schedule is to be run now, which ones were missed, and up to when all have been dealt with. Pure. */
import type { Run } from '@slipway/database';
import type { TrainingJob, TrainingJobSpec, TrainingJobStatus } from './api.ts';
import { timeText } from './duration.ts';
import { MAX_MISSED, type Schedule, ticksBetween } from './schedule.ts';

/** What the status says of the schedule; absent fields are no part of it. */
export type TickStatus = Pick<
  TrainingJobStatus,
  'nextScheduleTime' | 'ticksSettledUntil' | 'observedSchedule' | 'missedRuns'
>;

export interface Ticks {
  /** The one tick to be run; absent: there is none, or it is dealt with. */
  readonly due?: Date;
  /** The status if that tick is dealt with now … */
  readonly dealt: TickStatus;
  /** … and if it has to wait. */
  readonly waiting: TickStatus;
}

/** What ticksSettledUntil belongs to: another schedule or time zone starts to count anew. */
const observedSchedule = ({ schedule, timeZone }: TrainingJobSpec): string => `${schedule} ${timeZone}`;

/** True while ticks start runs. */
export const isTicking = ({ schedule, suspend }: TrainingJobSpec): boolean => schedule !== undefined && !suspend;

/**
 * From when on ticks count: where the status stopped; now for a schedule that was changed or is not suspended any more; for
 * a status that was lost the newest tick that was run, and for a new object its creation. Never in the future: a clock that
 * was put back would stop the schedule until then.
 */
export function markOf({ metadata, spec, status }: TrainingJob, rows: readonly Run[], now: Date): Date {
  const earlier = (time: string | undefined): Date => {
    const at = new Date(time ?? now);
    return at < now ? at : now;
  };
  if (status?.observedSchedule === observedSchedule(spec)) return earlier(status.ticksSettledUntil);
  if (status?.conditions?.length) return now;
  const ran = rows.map(({ scheduledTime }) => scheduledTime ?? '').filter(Boolean);
  return earlier(ran.sort().at(-1) ?? metadata.creationTimestamp);
}

/** The status of a schedule whose ticks have been dealt with up to `mark`. */
const upTo = (spec: TrainingJobSpec, mark: Date, missed: number, next?: Date): TickStatus => ({
  ...(next && { nextScheduleTime: timeText(next) }),
  ticksSettledUntil: timeText(mark),
  observedSchedule: observedSchedule(spec),
  ...(missed > 0 && { missedRuns: missed }),
});

/** The status of a schedule of which nothing is known but that counting begins: kept when no store can be asked. */
export function countingFrom(trainingJob: TrainingJob, now: Date): TickStatus {
  const { spec, status } = trainingJob;
  if (!isTicking(spec) || status?.observedSchedule === observedSchedule(spec)) return {};
  return upTo(spec, markOf(trainingJob, [], now), status?.missedRuns ?? 0);
}

/** While suspended, and without a schedule: nothing counts. Without one nothing is remembered either. */
function idle({ spec, status }: TrainingJob): TickStatus {
  if (spec.schedule === undefined) return {};
  const { ticksSettledUntil, missedRuns } = status ?? {};
  return {
    ...(ticksSettledUntil !== undefined && { ticksSettledUntil }),
    ...(missedRuns !== undefined && { missedRuns }),
  };
}

/** The ticks as they stand. `schedule` is absent when nothing ticks. */
export function ticksOf(
  trainingJob: TrainingJob,
  {
    schedule,
    rows,
    now,
  }: { readonly schedule: Schedule | undefined; readonly rows: readonly Run[]; readonly now: Date },
): Ticks {
  const { spec, status } = trainingJob;
  if (!schedule) return { dealt: idle(trainingJob), waiting: idle(trainingJob) };
  const mark = markOf(trainingJob, rows, now);
  const next = schedule.next(now);
  const before = status?.missedRuns ?? 0;
  const told = (at: Date, missed: number) => upTo(spec, at, Math.min(MAX_MISSED, before + missed), next);
  const found = ticksBetween(schedule, mark, now);
  if (!found) return { dealt: told(mark, 0), waiting: told(mark, 0) };

  const { newest } = found;
  const ran = new Set(rows.map(({ scheduledTime }) => scheduledTime));
  const missed = found.older.filter((tick) => !ran.has(tick.toISOString())).length;
  if (ran.has(newest.toISOString())) return { dealt: told(newest, missed), waiting: told(newest, missed) };
  if (isExpired(spec, newest, now)) return { dealt: told(newest, missed + 1), waiting: told(newest, missed + 1) };
  // While the newest one waits, those before it are counted once.
  const last = found.older.length === 0 ? mark : (schedule.newest(new Date(newest.getTime() - 1)) ?? mark);
  return { due: newest, dealt: told(newest, missed), waiting: told(last, missed) };
}

/** Without a limit the next tick is one: then this one is not the newest any more. */
const isExpired = ({ startingDeadlineSeconds: limit }: TrainingJobSpec, tick: Date, now: Date): boolean =>
  limit !== undefined && now.getTime() - tick.getTime() > limit * 1000;
