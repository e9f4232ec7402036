/** Results that are expected by a time. Pure. */
import type { Run } from '@slipway/database';
import type { NewCondition } from '../../api/conditions.ts';
import { durationSeconds } from '../../api/fields.ts';
import { SLA_MISSED, type TrainingJobSpec } from './api.ts';
import { timeText } from './duration.ts';

/** A run, or one that waits for its start, whose result is expected. */
export interface Expected {
  /** In words, the same for as long as the run exists: it is by this that a miss is told once. */
  readonly what: string;
  /** From when on its sla counts. */
  readonly from: Date;
  readonly sla: string;
  readonly endTime?: string;
}

/** What is known of when a run was asked for. */
interface Asked {
  readonly scheduledTime?: string;
  readonly requestedAt?: string;
  readonly startTime?: string;
}

/** The sla counts from the tick, from the request, else from the start; undefined when none was set. */
export function expectedFrom(asked: Asked, { sla }: TrainingJobSpec, run?: Run): Expected | undefined {
  const { scheduledTime, requestedAt, startTime } = asked;
  const from = scheduledTime ?? requestedAt ?? startTime;
  if (sla === undefined || from === undefined) return undefined;
  const verb =
    scheduledTime !== undefined ? 'scheduled for' : requestedAt !== undefined ? 'requested at' : 'started at';
  return {
    what: `the run ${verb} ${timeText(new Date(from))}`,
    from: new Date(from),
    sla,
    ...(run?.endTime !== undefined && { endTime: run.endTime }),
  };
}

const dueAt = ({ from, sla }: Expected): number => from.getTime() + durationSeconds(sla) * 1000;

const isLate = (expected: Expected, now: Date): boolean =>
  (expected.endTime === undefined ? now.getTime() : Date.parse(expected.endTime)) > dueAt(expected);

/** Reasons of the condition SlaMissed. */
export const SlaReason = { Missed: 'SlaMissed', InTime: 'InTime' } as const;

/**
 * The condition, of the newest run that is late among `expected` (newest first: all that go on or wait, and the newest of
 * all). Its message never changes for one run, whatever becomes of it. Undefined when nothing was expected.
 */
export function slaCondition(expected: readonly Expected[], now: Date): NewCondition | undefined {
  const late = expected.find((one) => isLate(one, now));
  if (late) {
    const due = timeText(new Date(dueAt(late)));
    const message =
      `${late.what} was not done by ${due} (spec.sla ${late.sla}); it may go on until spec.deadline: ` +
      'condition Succeeded says what it does or waits for';
    return { type: SLA_MISSED, status: 'True', reason: SlaReason.Missed, message };
  }
  const [newest] = expected;
  if (!newest) return undefined;
  const message = `${newest.what} is expected by ${timeText(new Date(dueAt(newest)))}`;
  const done = newest.endTime !== undefined ? `${newest.what} ended in time` : message;
  return { type: SLA_MISSED, status: 'False', reason: SlaReason.InTime, message: done };
}

/** How long until the next of them is late; undefined when none can become so. */
export function msUntilLate(expected: readonly Expected[], now: Date): number | undefined {
  const open = expected.filter((one) => one.endTime === undefined && !isLate(one, now));
  // Late is what is past the moment.
  const waits = open.map((one) => dueAt(one) + 1 - now.getTime());
  return waits.length === 0 ? undefined : Math.min(...waits);
}
