import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { DependencyHealth } from '../api/health.ts';
import { createMonitor, type Monitor } from './monitor.ts';

type Timer = { at: number; callback: () => void };
let time: number;
let timers: Set<Timer>;
let answers: Record<keyof DependencyHealth, () => Promise<unknown>>;
let gauge: [string, boolean][];
let changes: string[];
let monitor: Monitor;

const settled = () => new Promise((resolve) => setImmediate(resolve));
/** Lets `ms` pass: whatever is due calls back. */
async function pass(ms: number): Promise<void> {
  const until = time + ms;
  for (;;) {
    await settled();
    const due = [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
    if (!due) break;
    timers.delete(due);
    time = due.at;
    due.callback();
  }
  time = until;
  await settled();
}

beforeEach(() => {
  time = Date.parse('2026-01-01T00:00:00Z');
  timers = new Set();
  gauge = [];
  changes = [];
  answers = { postgres: async () => {}, objectStorage: async () => {} };
  monitor = createMonitor({
    probes: { postgres: () => answers.postgres(), objectStorage: () => answers.objectStorage() },
    onProbe: (dependency, up) => gauge.push([dependency, up]),
    onChange: (dependency, health) => changes.push(`${dependency} ${health.up ? 'up' : health.reason}`),
    now: () => new Date(time),
    schedule: (ms, callback) => {
      const timer = { at: time + ms, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
  });
});
const failing = (error: object) => async () => {
  throw Object.assign(new Error('connect ECONNREFUSED'), error);
};

test('stores that answer are up, and every probe moves the gauge', async () => {
  await monitor.start();
  assert.deepEqual(monitor.status(), { postgres: { up: true }, objectStorage: { up: true } });
  assert.deepEqual(gauge.sort(), [
    ['objectStorage', true],
    ['postgres', true],
  ]);
  assert.deepEqual(changes, []);
});

test('a store that goes away is named with the moment it was first missed, and is up again when it answers', async () => {
  await monitor.start();
  answers.postgres = failing({});
  await pass(5_000);
  await pass(20_000);
  assert.deepEqual(monitor.status().postgres, {
    up: false,
    since: '2026-01-01T00:00:05.000Z',
    reason: 'PostgresUnavailable',
    message: 'connect ECONNREFUSED',
  });
  assert.deepEqual(monitor.status().objectStorage, { up: true });
  answers.postgres = async () => {};
  await pass(5_000);
  assert.deepEqual(monitor.status().postgres, { up: true });
  assert.deepEqual(changes, ['postgres PostgresUnavailable', 'postgres up']);
});

test('a store that never answers is away after the timeout, and is asked again', async () => {
  answers.objectStorage = () => new Promise(() => {});
  const started = monitor.start();
  await pass(4_000);
  await started;
  assert.deepEqual(monitor.status().objectStorage, {
    up: false,
    since: '2026-01-01T00:00:04.000Z',
    reason: 'ObjectStorageUnavailable',
    message: 'no answer within 4 s',
  });
  answers.objectStorage = async () => {};
  await pass(5_000);
  assert.deepEqual(monitor.status().objectStorage, { up: true });
});

for (const [reason, expected] of [
  ['BucketMissing', 'BucketMissing'],
  ['Denied', 'ObjectStorageDenied'],
  ['Unavailable', 'ObjectStorageUnavailable'],
] as const)
  test(`an object store that says ${reason} is reported as ${expected}`, async () => {
    answers.objectStorage = failing({ reason });
    await monitor.start();
    const health = monitor.status().objectStorage;
    assert.equal(!health.up && health.reason, expected);
  });

test('after stop nothing is probed any more', async () => {
  await monitor.start();
  monitor.stop();
  gauge.length = 0;
  await pass(60_000);
  assert.deepEqual(gauge, []);
  assert.equal(timers.size, 0);
});
