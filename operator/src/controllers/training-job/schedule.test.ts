import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSchedule, type Schedule, ticksBetween } from './schedule.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const at = (text: string): Date => new Date(text);

function schedule(pattern: string, timeZone = 'Etc/UTC'): Schedule {
  const read = readSchedule({ schedule: pattern, timeZone }, NOW);
  assert.ok('schedule' in read, JSON.stringify(read));
  return read.schedule;
}

/** The ticks after `from`, without the milliseconds that are always zero. */
function ticks(of: Schedule, from: string, count: number): string[] {
  const found: string[] = [];
  let tick = of.next(at(from));
  while (tick && found.length < count) {
    found.push(tick.toISOString().replace(':00.000Z', 'Z'));
    tick = of.next(tick);
  }
  return found;
}

const refused = [
  {
    schedule: '61 3 * * *',
    says: /^spec\.schedule "61 3 \* \* \*": Invalid value for minute: 61; expected five fields/,
  },
  { schedule: '0 0 3 * * *', says: /^spec\.schedule "0 0 3 \* \* \*": expected five fields .*, got 6$/ },
  { schedule: '0 3 * *', says: /expected five fields .*, got 4$/ },
  { schedule: '@daily', says: /expected five fields .*like "0 3 \* \* \*", got 1$/ },
  { schedule: 'every day at 3', says: /spec\.schedule "every day at 3".*expected five fields/ },
  { schedule: '2026-01-01T00:00:00', says: /expected five fields/ },
  { schedule: '0 0 31 2 *', says: /names a day that no month has/ },
  {
    schedule: '0 3 * * *',
    timeZone: 'Mars/Olympus',
    says: /^spec\.timeZone "Mars\/Olympus": expected an IANA time zone/,
  },
  { schedule: '0 3 * * *', timeZone: '+02:00', says: /^spec\.timeZone "\+02:00": expected an IANA time zone/ },
  { schedule: '0 3 * * *', timeZone: 'Local', says: /^spec\.timeZone "Local"/ },
];
for (const { schedule: pattern, timeZone = 'Etc/UTC', says } of refused) {
  test(`refused by field, value and what is expected: "${pattern}" in ${timeZone}`, () => {
    const read = readSchedule({ schedule: pattern, timeZone }, NOW);
    assert.match('problem' in read ? read.problem : 'accepted', says);
  });
}

test('steps, lists, ranges and names of days mean what they mean in cron', () => {
  const from = '2026-01-01T00:00:00Z'; // a Thursday
  assert.deepEqual(ticks(schedule('*/20 * * * *'), from, 3), [
    '2026-01-01T00:20Z',
    '2026-01-01T00:40Z',
    '2026-01-01T01:00Z',
  ]);
  assert.deepEqual(ticks(schedule('0 3 * * MON-TUE'), from, 3), [
    '2026-01-05T03:00Z',
    '2026-01-06T03:00Z',
    '2026-01-12T03:00Z',
  ]);
  // Both the day of the month and the day of the week are given: either is enough.
  assert.deepEqual(ticks(schedule('0 3 3 * FRI'), from, 3), [
    '2026-01-02T03:00Z',
    '2026-01-03T03:00Z',
    '2026-01-09T03:00Z',
  ]);
  assert.deepEqual(ticks(schedule('0 0 29 2 *'), from, 1), ['2028-02-29T00:00Z']);
});

const clockChanges = [
  {
    name: '03:00 in Berlin is 03:00 in summer and in winter',
    pattern: '0 3 * * *',
    from: '2026-03-27T12:00:00Z',
    expected: ['2026-03-28T02:00Z', '2026-03-29T01:00Z', '2026-03-30T01:00Z'],
  },
  {
    name: '03:00 on the day the clock is put back comes once',
    pattern: '0 3 * * *',
    from: '2026-10-24T12:00:00Z',
    expected: ['2026-10-25T02:00Z', '2026-10-26T02:00Z'],
  },
  {
    name: '02:30 in the hour that is left out comes when that hour is over',
    pattern: '30 2 * * *',
    from: '2026-03-28T12:00:00Z',
    expected: ['2026-03-29T01:00Z', '2026-03-30T00:30Z'],
  },
  {
    name: '02:30 in the hour that comes twice comes the first time',
    pattern: '30 2 * * *',
    from: '2026-10-24T12:00:00Z',
    expected: ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  },
  {
    name: 'asked between the two 02:30 the next one is tomorrow',
    pattern: '30 2 * * *',
    from: '2026-10-25T00:45:00Z',
    expected: ['2026-10-26T01:30Z'],
  },
  {
    name: 'every half hour goes on through the hour that comes twice',
    pattern: '*/30 * * * *',
    from: '2026-10-25T00:00:00Z',
    expected: ['2026-10-25T00:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z', '2026-10-25T02:00Z'],
  },
];
for (const { name, pattern, from, expected } of clockChanges) {
  test(name, () => {
    assert.deepEqual(ticks(schedule(pattern, 'Europe/Berlin'), from, expected.length), expected);
  });
}

test('looking back finds the very ticks that looking forward gave, through a year of clock changes', () => {
  const end = at('2027-01-01T00:00:00Z');
  for (const zone of ['Europe/Berlin', 'Australia/Lord_Howe']) {
    for (const pattern of ['30 2 * * *', '0 3 * * SUN']) {
      const of = schedule(pattern, zone);
      for (let tick = of.next(NOW); tick && tick < end; tick = of.next(tick)) {
        const next = of.next(tick) as Date;
        assert.deepEqual(of.newest(tick), tick, `${pattern} ${zone}`);
        assert.deepEqual(of.newest(new Date(next.getTime() - 1)), tick, `${pattern} ${zone}`);
      }
    }
  }
});

test('between two moments: the newest tick and those before it; the first moment is not among them, the last is', () => {
  const hourly = schedule('0 * * * *');
  const found = ticksBetween(hourly, at('2026-01-01T01:00:00Z'), at('2026-01-01T04:00:00Z'));
  assert.deepEqual(found?.newest, at('2026-01-01T04:00:00Z'));
  assert.deepEqual(found?.older, [at('2026-01-01T02:00:00Z'), at('2026-01-01T03:00:00Z')]);
  assert.equal(ticksBetween(hourly, at('2026-01-01T01:00:00Z'), at('2026-01-01T01:59:59Z')), undefined);
  assert.equal(ticksBetween(hourly, at('2026-01-01T05:00:00Z'), at('2026-01-01T01:00:00Z')), undefined);
});

test('of a year of minutes no more than ten thousand are told apart, and the newest is the newest', () => {
  const found = ticksBetween(schedule('* * * * *'), at('2026-01-01T00:00:00Z'), at('2027-01-01T00:00:30Z'));
  assert.equal(found?.older.length, 10_000);
  assert.deepEqual(found?.newest, at('2027-01-01T00:00:00Z'));
});
