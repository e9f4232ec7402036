/** Whether a status already says all there is to say. Pure. */
import { runKeyFor } from '@slipway/contract';
import { findCondition } from '../../api/conditions.ts';
import { Reason, SUCCEEDED, type TrainingJob, type TrainingJobSpec, type TrainingJobStatus } from './api.ts';
import { manualRun, RUN_ANNOTATION } from './manual.ts';
import { readSchedule } from './schedule.ts';
import { isTicking } from './ticks.ts';

type Settled = TrainingJob & { readonly status: TrainingJobStatus };

/**
 * True when the runs of this very generation have ended, no tick is due and no token waits, as far as the status knows:
 * while no store can be asked, it stays as it is.
 */
export function isSettled(trainingJob: TrainingJob, now: Date): trainingJob is Settled {
  const { status, metadata } = trainingJob;
  const summary = findCondition(status?.conditions, SUCCEEDED);
  if (!status || !summary || findCondition(status.conditions, 'Stalled')) return false;
  const isSeen = [status.observedGeneration, summary.observedGeneration].every((at) => at === metadata.generation);
  if (!isSeen || (summary.status === 'Unknown' && summary.reason !== Reason.WaitingForSchedule)) return false;
  const hasEnded = (status.runs ?? []).every(({ endTime }) => endTime !== undefined);
  return hasEnded && isBetweenTicks(trainingJob, now) && isTokenDone(trainingJob, summary.message);
}

function isBetweenTicks({ spec, status }: TrainingJob, now: Date): boolean {
  if (!isTicking(spec)) return true;
  const { ticksSettledUntil: last, nextScheduleTime: next } = status ?? {};
  if (last === undefined || next === undefined) return false;
  return Date.parse(last) <= now.getTime() && now.getTime() < Date.parse(next) && !hasTick(spec, new Date(last), now);
}

/** True when a tick lies between the two: one that waited for a run to end has not been dealt with. */
function hasTick({ schedule = '', timeZone }: TrainingJobSpec, after: Date, until: Date): boolean {
  const read = readSchedule({ schedule, timeZone }, after);
  const next = 'schedule' in read ? read.schedule.next(after) : undefined;
  return next !== undefined && next <= until;
}

function isTokenDone({ metadata, status }: TrainingJob, said: string): boolean {
  const manual = manualRun(metadata.annotations?.[RUN_ANNOTATION]);
  if (!manual) return true;
  if ('problem' in manual) return said.includes(manual.problem);
  const runKey = runKeyFor(metadata.uid ?? '', { kind: 'manual', token: manual.token });
  return status?.runs?.some((run) => run.runKey === runKey) ?? false;
}

/** Time is looked at this often: a clock may be put forward. */
const LONGEST_SLEEP_MS = 600_000;

/** How long until the next tick has to be looked after; undefined when nothing ticks. */
export function msUntilTick({ nextScheduleTime }: TrainingJobStatus, now: Date): number | undefined {
  if (nextScheduleTime === undefined) return undefined;
  return Math.min(LONGEST_SLEEP_MS, Math.max(0, Date.parse(nextScheduleTime) - now.getTime()));
}
