/** When a server counts as ready, as busy, as gone and as dead, by a clock of the test's own. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { FailureError } from '../failure.ts';
import { type Backend, watchBackend } from './backend.ts';
import type { Health } from './health.ts';
import type { Fault } from './proof.ts';

const silent = { info: () => {}, warn: () => {} };
const ready: Health = { is: 'ready' };
const is = (what: 'unready' | 'gone' | 'silent'): Health => ({ is: what, words: `it is ${what}` });

interface Watched {
  readonly backend: Backend;
  /** Each change of readiness, in order. */
  readonly changes: boolean[];
  /** Hears `health` the next time, after so many seconds more. */
  readonly hear: (health: Health, seconds?: number) => Promise<void>;
}

function watch(t: TestContext, prove?: () => Fault | undefined): Watched {
  let clock = 0;
  let next = Promise.withResolvers<Health>();
  let asked = Promise.withResolvers<void>();
  const over = new AbortController();
  const changes: boolean[] = [];
  const backend = watchBackend({
    ask: () => {
      asked.resolve();
      return next.promise;
    },
    prove: prove && (async () => prove()),
    readyWithinMs: 120_000,
    onChange: (isReady) => void changes.push(isReady),
    log: silent,
    signal: over.signal,
    now: () => clock,
    paceMs: 0,
  });
  backend.watched.catch(() => asked.resolve());
  t.after(() => over.abort());
  const hear = async (health: Health, seconds = 1): Promise<void> => {
    await asked.promise;
    clock += seconds * 1000;
    const heard = next;
    next = Promise.withResolvers();
    asked = Promise.withResolvers();
    heard.resolve(health);
    // It has been taken when the next one is asked for, or when there is none.
    await asked.promise;
    await turn();
  };
  return { backend, changes, hear };
}

test('a server that is busy is not taken out before it has been silent for long', async (t) => {
  const { changes, hear } = watch(t);
  await hear(ready);
  for (let i = 0; i < 5; i++) await hear(is('silent'), 5);
  assert.deepEqual(changes, [true]);
  await hear(is('silent'), 5);
  assert.deepEqual(changes, [true, false]);
  await hear(ready);
  assert.deepEqual(changes, [true, false, true]);
});

test('whoever gets an answer shows that it lives', async (t) => {
  const { backend, changes, hear } = watch(t);
  await hear(ready);
  for (let i = 0; i < 20; i++) {
    await hear(is('silent'), 5);
    backend.answered();
  }
  assert.deepEqual(changes, [true]);
});

test('it may say twice that it is not ready, and is out with the third time', async (t) => {
  const { changes, hear } = watch(t);
  for (const health of [ready, is('unready'), is('unready'), ready, is('unready'), is('unready')]) await hear(health);
  assert.deepEqual(changes, [true]);
  await hear(is('unready'));
  assert.deepEqual(changes, [true, false]);
});

test('nothing listens: it is out at once', async (t) => {
  const { changes, hear } = watch(t);
  await hear(ready);
  await hear(is('gone'));
  assert.deepEqual(changes, [true, false]);
});

test('it is dead when it gave no sign of life for a while, and never before it was ready', async (t) => {
  const { backend, hear } = watch(t);
  await hear(is('silent'), 60);
  assert.equal(backend.isAlive(), true, 'it may still be loading');
  await hear(ready);
  assert.equal(backend.isAlive(), true);
  await hear(is('silent'), 11);
  assert.equal(backend.isAlive(), false);
  await hear(is('unready'));
  assert.equal(backend.isAlive(), true, 'it says something');
});

test('one that predicts only now and then is given all its time once it has predicted', async (t) => {
  const faults: (Fault | undefined)[] = [undefined];
  const { backend, changes, hear } = watch(t, () => (faults.length > 1 ? faults.shift() : faults[0]));
  await hear(ready);
  await hear(is('gone'));
  const fault = { message: 'no', passes: false };
  faults.splice(0, 1, fault, fault, fault, fault, undefined);
  for (let i = 0; i < 5; i++) await hear(ready);
  assert.deepEqual(changes, [true, false, true]);
  assert.equal(backend.isAlive(), true);
});

test('time is up: what was heard last is told', async (t) => {
  const { backend, hear } = watch(t);
  await hear(is('unready'), 119);
  await hear(is('gone'), 2);
  await assert.rejects(backend.watched, (error: FailureError) => {
    assert.equal(error.reason, 'LoadTimeout');
    assert.match(error.message, /not ready 120 s after .*it is gone/);
    return true;
  });
});
