import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RetryOptions, retrying } from './retrying.ts';
import { ObjectStoreError } from './types.ts';

const away = new ObjectStoreError('Unavailable', 'away');

/** A clock that only sleeping moves. */
function fakeTime() {
  let time = 0;
  const pauses: number[] = [];
  const sleep = async (ms: number) => {
    pauses.push(ms);
    time += ms;
  };
  return { now: () => time, sleep, pauses, random: () => 1 };
}

const failing = (times: number, error: unknown = away) => {
  let calls = 0;
  return async () => {
    if (calls++ < times) throw error;
    return calls;
  };
};

test('an outage is waited out with pauses that double up to the longest, each told before it', async () => {
  const time = fakeTime();
  const told: number[] = [];
  const options: RetryOptions = { ...time, firstPauseMs: 100, longestPauseMs: 400 };
  const result = await retrying(failing(4), { ...options, onRetry: ({ attempt }) => told.push(attempt) });
  assert.equal(result, 5);
  assert.deepEqual(time.pauses, [100, 200, 400, 400]);
  assert.deepEqual(told, [1, 2, 3, 4]);
});

test('chance takes at most half of a pause', async () => {
  const time = fakeTime();
  await retrying(failing(2), { ...time, random: () => 0, firstPauseMs: 100 });
  assert.deepEqual(time.pauses, [50, 100]);
});

test('what repeating cannot help is thrown at once', async () => {
  const denied = new ObjectStoreError('Denied', 'denied');
  const time = fakeTime();
  await assert.rejects(retrying(failing(1, denied), time), denied);
  assert.deepEqual(time.pauses, []);
});

test('no try starts after the deadline; the last error is thrown', async () => {
  const time = fakeTime();
  await assert.rejects(retrying(failing(100), { ...time, firstPauseMs: 100, deadline: 1_000 }), away);
  assert.ok(time.now() <= 1_000);
});

test('aborting ends the waiting', async () => {
  const stop = new AbortController();
  const waiting = retrying(failing(1), { signal: stop.signal, firstPauseMs: 60_000 });
  stop.abort(new Error('enough'));
  await assert.rejects(waiting);
});
