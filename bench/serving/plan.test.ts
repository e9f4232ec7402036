import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Group, gridGroups, groupId, quickGroups } from './cells.ts';
import {
  batches,
  duration,
  estimateSeconds,
  GRID_PACE,
  isStartedAnew,
  openWork,
  QUICK_PACE,
  roundsOf,
  startsSeconds,
  takesPart,
  verdict,
  warmSeconds,
} from './plan.ts';
import type { Results } from './results.ts';

const none: Results = {
  machine: { processor: '', cores: 2, memoryGib: 1, kernel: '', runtimes: '', wrk: '' },
  ...{ versions: {}, groups: {}, starts: {}, conversions: {} },
};
const works = (groups: readonly Group[], pace = GRID_PACE) => groups.map((group) => ({ group, pace }));
const minutes = 60;

test('the whole grid is planned for half an hour, and a run without it, with starts, for a quarter', () => {
  assert.ok(estimateSeconds(works(gridGroups())) < 30 * minutes);
  assert.ok(estimateSeconds(works(quickGroups(), QUICK_PACE)) + startsSeconds(15, 2) < 15 * minutes);
});

test('the servers of a model and a protocol are started once for all its cells, the cheap ones first', () => {
  const all = batches(works(gridGroups().toReversed()));
  assert.equal(all.length, 3 * 6);
  for (const batch of all) {
    assert.equal(batch.length, 12);
    assert.deepEqual([batch[0]?.group.rows, batch[0]?.group.connections], [1, 1]);
    assert.deepEqual([batch[11]?.group.rows, batch[11]?.group.connections], [1024, 256]);
  }
});

test('a run that was stopped goes on with what is missing; a cell measured longer is not measured shorter', () => {
  const [first, second, third] = gridGroups() as [Group, Group, Group];
  const round = { perSecond: 1, p50Ms: 1, p99Ms: 1, failed: 0, cpuUs: 1, residentMb: 1, others: 0 };
  const done = (group: Group, seconds: number, build = 'abc') => ({
    ...{ build, date: '', seconds, rounds: 3, loadAverage: 0 },
    cells: Object.fromEntries(group.servers.map((name) => [name, { rounds: [round] }])),
  });
  const groups = {
    [groupId(first)]: done(first, GRID_PACE.seconds),
    [groupId(second)]: done(second, QUICK_PACE.seconds),
    [groupId(third)]: done(third, GRID_PACE.seconds, 'another build'),
  };
  const open = (pace = GRID_PACE) =>
    openWork([first, second, third], { ...none, groups }, 'abc', pace).map(({ group }) => groupId(group));
  assert.deepEqual(open(), [groupId(third)]);
  assert.deepEqual(open(QUICK_PACE), [groupId(first), groupId(third)]);
});

test('all rounds must agree; a single round decides only where one has twice the other', () => {
  const of = (low: number, high: number, rounds: number) => verdict({ median: (low + high) / 2, low, high }, rounds);
  assert.equal(of(1.01, 1.2, 3), 'ahead');
  assert.equal(of(0.9, 0.99, 3), 'behind');
  assert.equal(of(0.9, 1.2, 3), 'undecided');
  assert.equal(of(1.9, 2.5, 1), 'undecided');
  assert.equal(of(2.1, 2.5, 1), 'ahead');
  assert.equal(of(0.3, 0.4, 1), 'behind');
});

test('a slow server has one round, long enough for an answer to every client but never endless', () => {
  assert.deepEqual(roundsOf(GRID_PACE, 256, 0.001), GRID_PACE);
  assert.deepEqual(roundsOf(GRID_PACE, 256, undefined), GRID_PACE);
  assert.deepEqual(roundsOf(GRID_PACE, 64, 0.025), { seconds: 64 * 0.025 * 1.2, rounds: 1 });
  assert.deepEqual(roundsOf(GRID_PACE, 256, 0.2), { seconds: 4, rounds: 1 });
  assert.equal(roundsOf(QUICK_PACE, 64, 0.04).rounds, 3);
});

test('who is far away has fewer short rounds; ours, and who is near, have all', () => {
  const count = (pace: typeof GRID_PACE, ratio?: number) =>
    [0, 1, 2, 3].filter((round) => takesPart(round, pace, round === 0 ? undefined : ratio)).length;
  assert.equal(count(GRID_PACE), 3);
  assert.deepEqual(
    [1.5, 0.8, 6, 1 / 6, 20, 1 / 20].map((ratio) => count(GRID_PACE, ratio)),
    [3, 3, 2, 2, 1, 1],
  );
  assert.equal(count(QUICK_PACE, 60), 3);
  assert.equal(count({ seconds: 4, rounds: 1 }, 1.5), 1);
});

test('everything is warm before the cells of the targets; in the grid what Node compiles is', () => {
  for (const name of ['slipway', 'bare-http', 'express', 'mlflow'] as const)
    assert.ok(warmSeconds(name, true, QUICK_PACE) >= 4, name);
  assert.ok(warmSeconds('slipway', true, GRID_PACE) >= 4);
  assert.ok(warmSeconds('express', true, GRID_PACE) >= 4);
  assert.ok(warmSeconds('mlflow', true, GRID_PACE) > 0);
});

test('a server is started anew when that is sooner done than what its last clients left', () => {
  assert.equal(isStartedAnew(2, 2.5, 1), false);
  assert.equal(isStartedAnew(25, 2.5, 1), true);
  assert.equal(isStartedAnew(6, 0.4, 4), true);
  assert.equal(isStartedAnew(Number.POSITIVE_INFINITY, 9, 4), true);
});

test('durations are read as people say them', () => {
  assert.deepEqual([9.4, 59.6, 250].map(duration), ['9 s', '1 min 0 s', '4 min 10 s']);
});
