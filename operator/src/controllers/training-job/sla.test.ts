import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '@slipway/database';
import type { TrainingJobSpec } from './api.ts';
import { type Expected, expectedFrom, msUntilLate, newlyLate, slaCondition } from './sla.ts';

const spec = { sla: '30m' } as TrainingJobSpec;
const at = (time: string) => new Date(`2026-01-01T${time}:00Z`);
const iso = (time: string) => at(time).toISOString();
const of = (asked: object, run?: Partial<Run>): Expected => expectedFrom(asked, spec, run as Run) as Expected;

test('it counts from the tick, from the request, else from the start', () => {
  const startTime = iso('03:10');
  assert.match(of({ startTime, scheduledTime: iso('03:00') }).what, /scheduled for 2026-01-01T03:00:00/);
  assert.match(of({ startTime, requestedAt: iso('03:05') }).what, /requested at 2026-01-01T03:05:00/);
  assert.match(of({ startTime }).what, /started at 2026-01-01T03:10:00/);
  assert.equal(expectedFrom({ startTime }, {} as TrainingJobSpec), undefined);
});

test('late is one moment after, not before; and it is looked at just then', () => {
  const run = of({ scheduledTime: iso('03:00') });
  assert.equal(slaCondition([run], at('03:30'))?.status, 'False');
  assert.equal(msUntilLate([run], at('03:29')), 60_001);
  assert.equal(slaCondition([run], new Date(at('03:30').getTime() + 1))?.status, 'True');
  assert.equal(msUntilLate([run], at('03:31')), undefined);
});

test('what is told of a run never changes, whether it waits, goes on or has ended', () => {
  const waiting = slaCondition([of({ scheduledTime: iso('03:00') })], at('03:40'));
  const going = slaCondition([of({ scheduledTime: iso('03:00'), startTime: iso('03:50') })], at('04:00'));
  const ended = slaCondition([of({ scheduledTime: iso('03:00') }, { endTime: iso('04:10') })], at('09:00'));
  assert.equal(waiting?.status, 'True');
  assert.deepEqual([going, ended], [waiting, waiting]);
  assert.match(waiting?.message ?? '', /03:00:00Z was not done by 2026-01-01T03:30:00Z \(spec\.sla 30m\)/);
});

test('an operator that was down tells of what ended late, and not of what ended in time', () => {
  const ended = (endTime: string) =>
    slaCondition([of({ startTime: iso('03:00') }, { endTime: iso(endTime) })], at('23:00'));
  assert.equal(ended('03:31')?.status, 'True');
  assert.deepEqual([ended('03:29')?.status, ended('03:29')?.reason], ['False', 'InTime']);
});

test('of several the newest that is late is told; none expected, none told', () => {
  const older = of({ startTime: iso('03:00') });
  const newer = of({ startTime: iso('04:00') });
  assert.match(slaCondition([newer, older], at('04:10'))?.message ?? '', /started at 2026-01-01T03:00/);
  assert.match(slaCondition([newer, older], at('05:00'))?.message ?? '', /started at 2026-01-01T04:00/);
  assert.equal(slaCondition([newer], at('04:10'))?.status, 'False');
  assert.equal(slaCondition([], at('04:10')), undefined);
});

test('a miss is told once, in whatever order they come and go', () => {
  const first = of({ startTime: iso('03:00') });
  const second = of({ scheduledTime: iso('04:00') });
  const both = slaCondition([second, first], at('05:00'));
  const told = (expected: Expected[], time: string, ...[before]: [ReturnType<typeof slaCondition>]) =>
    newlyLate(expected, at(time), before).length;
  assert.equal(told([first], '03:40', slaCondition([first], at('03:20'))), 1);
  assert.equal(told([first], '03:50', slaCondition([first], at('03:40'))), 0);
  assert.equal(told([second, first], '05:00', slaCondition([first], at('03:40'))), 1);
  assert.equal(told([of({ scheduledTime: iso('05:00') }), first], '05:10', both), 0);
  assert.equal(told([second, first], '05:00', undefined), 2);
});

test('who was asked later but had less time is told of, too', () => {
  const going = of({ startTime: iso('03:10') });
  const waited = of({ startTime: iso('03:20'), requestedAt: iso('03:00') });
  const before = slaCondition([waited, going], at('03:35'));
  assert.match(before?.message ?? '', /requested at/);
  assert.match(newlyLate([waited, going], at('03:41'), before).join(), /started at 2026-01-01T03:10/);
});

test('a clock that is put back takes nothing back that was told', () => {
  const run = of({ startTime: iso('03:00') });
  const told = slaCondition([run], at('03:40'));
  const after = slaCondition([run], at('03:10'), told);
  assert.deepEqual(after, told);
  assert.deepEqual(newlyLate([run], at('03:50'), after), []);
  assert.equal(slaCondition([of({ startTime: iso('03:05') })], at('03:10'), told)?.status, 'False');
});
