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
  /** Its end is news, but another run is the newest by now: a miss is told, and the condition is about others. */
  readonly isPast?: true;
  /** The status says that it has ended: whether it was late was told then. */
  readonly isTold?: true;
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

/** Never changes for one run, whatever becomes of it. */
function missedText(late: Expected): string {
  const due = timeText(new Date(dueAt(late)));
  return (
    `${late.what}${NOT_DONE_BY}${due} (spec.sla ${late.sla}); it may go on until spec.deadline: ` +
    'condition Succeeded says what it does or waits for'
  );
}

const NOT_DONE_BY = ' was not done by ';

/** What is late, in the order in which it became so. */
const lateOf = (expected: readonly Expected[], now: Date): Expected[] =>
  expected.filter((one) => isLate(one, now)).sort((a, b) => dueAt(a) - dueAt(b));

/**
 * What is late and was not yet when the condition was written that says `before`; one text each. What became late before the
 * one it names has been told, even if another was named since.
 */
export function newlyLate(expected: readonly Expected[], now: Date, before: NewCondition | undefined): string[] {
  const [, last = ''] = before?.reason === SlaReason.Missed ? before.message.split(NOT_DONE_BY) : [];
  const toldUpTo = Date.parse(last.split(' ')[0] ?? '');
  return lateOf(expected, now)
    .filter((one) => !one.isTold && !(dueAt(one) <= toldUpTo))
    .map(missedText);
}

/**
 * The condition, of the one that became late last among `expected` (newest first: all that go on or wait, and the newest of
 * all). Its message never changes for one run, whatever becomes of it. Undefined when nothing was expected. While that run
 * goes on, what `before` says of it stays: a clock may be put back.
 */
export function slaCondition(
  expected: readonly Expected[],
  now: Date,
  before?: NewCondition | undefined,
): NewCondition | undefined {
  const current = expected.filter(({ isPast }) => !isPast);
  const isTold = (one: Expected) =>
    before?.reason === SlaReason.Missed && one.endTime === undefined && missedText(one) === before.message;
  const late = lateOf(current, now).at(-1) ?? current.find(isTold);
  if (late) return { type: SLA_MISSED, status: 'True', reason: SlaReason.Missed, message: missedText(late) };
  const [newest] = current;
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
