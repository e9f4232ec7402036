import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '@slipway/database';
import type { TrainingJob, TrainingJobStatus } from './api.ts';
import { timeText } from './duration.ts';
import { readSchedule, type Schedule } from './schedule.ts';
import { ticksOf } from './ticks.ts';

const hour = (text: string) => `2026-01-01T${text}:00Z`;

interface Case {
  readonly name: string;
  readonly status?: Partial<TrainingJobStatus>;
  readonly spec?: object;
  /** Ticks that have runs. */
  readonly ran?: readonly string[];
  readonly now: string;
  readonly due?: string;
  readonly last: string;
  readonly waitingLast?: string;
  readonly missed?: number;
}

const seen = { observedSchedule: '0 * * * * Etc/UTC', ticksSettledUntil: hour('03:00') };
const cases: readonly Case[] = [
  { name: 'between ticks nothing is due', status: seen, now: hour('03:59'), last: hour('03:00') },
  {
    name: 'at the tick it is due',
    status: seen,
    now: hour('04:00'),
    due: hour('04:00'),
    last: hour('04:00'),
    waitingLast: hour('03:00'),
  },
  {
    name: 'an operator that was down catches up once; the older ticks are missed',
    status: { ...seen, missedRuns: 5 },
    now: hour('07:30'),
    due: hour('07:00'),
    last: hour('07:00'),
    waitingLast: hour('06:00'),
    missed: 8,
  },
  {
    name: 'a tick that is too late by startingDeadlineSeconds is missed too',
    status: seen,
    spec: { startingDeadlineSeconds: 600 },
    now: hour('05:30'),
    last: hour('05:00'),
    missed: 2,
  },
  {
    name: 'a tick just within startingDeadlineSeconds is run',
    status: seen,
    spec: { startingDeadlineSeconds: 600 },
    now: hour('05:10'),
    due: hour('05:00'),
    last: hour('05:00'),
    waitingLast: hour('04:00'),
    missed: 1,
  },
  {
    name: 'a run of the tick exists, the status was not written: dealt with, and what was missed is counted',
    status: seen,
    ran: [hour('06:00')],
    now: hour('06:10'),
    last: hour('06:00'),
    missed: 2,
  },
  {
    name: 'a tick that was run is not missed, whatever the status says',
    status: seen,
    ran: [hour('04:00'), hour('05:00')],
    now: hour('06:10'),
    due: hour('06:00'),
    last: hour('06:00'),
    waitingLast: hour('05:00'),
  },
  {
    name: 'a status that was lost: the newest tick that was run is the mark',
    status: {},
    ran: [hour('05:00'), hour('02:00')],
    now: hour('06:10'),
    due: hour('06:00'),
    last: hour('06:00'),
    waitingLast: hour('05:00'),
  },
  {
    name: 'a new object counts from its creation',
    status: {},
    now: hour('00:59'),
    last: hour('00:30'),
  },
  {
    name: 'a new object that was seen late runs its first tick',
    status: {},
    now: hour('01:01'),
    due: hour('01:00'),
    last: hour('01:00'),
    waitingLast: hour('00:30'),
  },
  {
    name: 'another schedule starts to count now',
    status: { ...seen, observedSchedule: '30 * * * * Etc/UTC', conditions: [{} as never] },
    now: hour('09:30'),
    last: hour('09:30'),
  },
  {
    name: 'another time zone starts to count now',
    status: { ...seen, observedSchedule: '0 * * * * Europe/Berlin', conditions: [{} as never] },
    now: hour('09:30'),
    last: hour('09:30'),
  },
  {
    name: 'after a suspension counting starts now',
    status: { ticksSettledUntil: hour('03:00'), conditions: [{} as never] },
    now: hour('09:30'),
    last: hour('09:30'),
  },
  {
    name: 'a clock that was put back counts from now, so that the schedule does not stand still',
    status: { ...seen, ticksSettledUntil: '2030-01-01T00:00:00.000Z' },
    now: hour('09:30'),
    last: hour('09:30'),
  },
  {
    name: 'no more than ten thousand are counted',
    status: { ...seen, missedRuns: 9_999 },
    now: hour('09:30'),
    due: hour('09:00'),
    last: hour('09:00'),
    waitingLast: hour('08:00'),
    missed: 10_000,
  },
];

const trainingJob = (status: object, spec: object): TrainingJob =>
  ({
    metadata: { namespace: 'a', name: 'b', creationTimestamp: hour('00:30') },
    spec: { schedule: '0 * * * *', timeZone: 'Etc/UTC', suspend: false, ...spec },
    status,
  }) as unknown as TrainingJob;

const hourly = (
  readSchedule({ schedule: '0 * * * *', timeZone: 'Etc/UTC' }, new Date(hour('00:00'))) as { schedule: Schedule }
).schedule;

for (const { name, status = {}, spec = {}, ran = [], now, due, last, waitingLast = last, missed } of cases) {
  test(name, () => {
    const rows = ran.map((scheduledTime) => ({ scheduledTime: new Date(scheduledTime).toISOString() }) as Run);
    const ticks = ticksOf(trainingJob(status, spec), { schedule: hourly, rows, now: new Date(now) });
    assert.equal(ticks.due && timeText(ticks.due), due);
    assert.equal(ticks.dealt.ticksSettledUntil, last);
    assert.equal(ticks.waiting.ticksSettledUntil, waitingLast);
    assert.equal(ticks.dealt.missedRuns, missed);
    assert.equal(ticks.waiting.missedRuns, missed);
    assert.equal(ticks.dealt.observedSchedule, '0 * * * * Etc/UTC');
  });
}

test('nothing is counted twice while a tick waits', () => {
  const waiting = ticksOf(trainingJob(seen, {}), { schedule: hourly, rows: [], now: new Date(hour('06:10')) }).waiting;
  assert.equal(waiting.missedRuns, 2);
  const later = ticksOf(trainingJob(waiting, {}), { schedule: hourly, rows: [], now: new Date(hour('06:20')) });
  assert.deepEqual([later.due && timeText(later.due), later.waiting.missedRuns], [hour('06:00'), 2]);
  const afterNext = ticksOf(trainingJob(later.waiting, {}), {
    schedule: hourly,
    rows: [],
    now: new Date(hour('07:00')),
  });
  assert.deepEqual([afterNext.due && timeText(afterNext.due), afterNext.waiting.missedRuns], [hour('07:00'), 3]);
});

test('suspended: no next tick, nothing observed, and what was is remembered', () => {
  const status = { ...seen, missedRuns: 2, nextScheduleTime: hour('04:00') };
  const { due, dealt } = ticksOf(trainingJob(status, { suspend: true }), {
    schedule: undefined,
    rows: [],
    now: new Date(hour('09:00')),
  });
  assert.deepEqual([due, dealt], [undefined, { ticksSettledUntil: hour('03:00'), missedRuns: 2 }]);
});

test('without a schedule nothing of one is left', () => {
  const { dealt } = ticksOf(trainingJob(seen, { schedule: undefined }), {
    schedule: undefined,
    rows: [],
    now: new Date(hour('09:00')),
  });
  assert.deepEqual(dealt, {});
});
