import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotLeadingError } from '../api/errors.ts';
import { type Clock, type Election, type LeaseClient, type LeaseRecord, leaseElection } from './election.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Time that moves only when a test says so; sleepers wake in order. */
class FakeClock implements Clock {
  at = 0;
  /** How far the wall clock is ahead: a machine that slept. */
  asleep = 0;
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();
  monotonic = () => this.at;
  wall = () => this.at + this.asleep;
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { until: this.at + ms, wake: () => this.#sleepers.delete(sleeper) && resolve() };
      this.#sleepers.add(sleeper);
      if (signal.aborted) sleeper.wake();
      signal.addEventListener('abort', () => sleeper.wake(), { once: true });
    });
  }
  async advance(ms: number): Promise<void> {
    const end = this.at + ms;
    for (;;) {
      await settle();
      const due = [...this.#sleepers].filter(({ until }) => until <= end).sort((a, b) => a.until - b.until)[0];
      if (!due) break;
      this.at = Math.max(this.at, due.until);
      due.wake();
    }
    this.at = end;
    await settle();
  }
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** One Lease in memory, with the API server's optimistic locking. */
class FakeLease {
  record: LeaseRecord | undefined;
  down = false;
  writes = 0;
  createdAt = 0;
  client(): LeaseClient {
    return {
      read: async () => {
        if (this.down) throw new Error('connection refused');
        return this.record;
      },
      write: async (next, version) => {
        if (this.down) throw new Error('connection refused');
        if (this.record?.version !== version) return undefined;
        this.writes += 1;
        this.record = { ...next, acquireTime: 'then', version: String(this.writes), createdAt: this.createdAt };
        return this.record;
      },
    };
  }
}

function candidates() {
  const clock = new FakeClock();
  const lease = new FakeLease();
  const stop = new AbortController();
  const candidate = (identity: string): Election =>
    leaseElection({ client: lease.client(), identity, log: quiet, clock });
  const ask = (election: Election) => {
    const state = { leading: false, lost: undefined as string | undefined };
    void election.acquire(stop.signal).then((leading) => {
      state.leading = leading;
    });
    void election.lost.then((reason) => {
      state.lost = reason;
    });
    return state;
  };
  return { clock, lease, candidate, ask, stop };
}

test('one of two leads, keeps the lease by renewing it, and says which leader it is', async (t) => {
  const { clock, lease, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  const [a, b] = [candidate('a'), candidate('b')];
  const [asA, asB] = [ask(a), ask(b)];
  await clock.advance(60_000);
  assert.deepEqual([asA.leading, asB.leading], [true, false]);
  a.assertLeading();
  assert.throws(() => b.assertLeading(), NotLeadingError);
  assert.deepEqual([a.epoch(), b.epoch()], [1, undefined]);
  assert.ok(lease.writes >= 28 && lease.writes <= 32, `${lease.writes} writes in 60 s`);
  await a.release();
});

test('a released lease is taken within one retry, with a higher epoch', async (t) => {
  const { clock, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  const [a, b] = [candidate('a'), candidate('b')];
  ask(a);
  await clock.advance(5_000);
  const asB = ask(b);
  await clock.advance(5_000);
  await a.release();
  assert.throws(() => a.assertLeading(), NotLeadingError);
  await clock.advance(2_000);
  assert.equal(asB.leading, true);
  assert.equal(b.epoch(), 2);
  await b.release();
});

test('a leader that vanished is followed 15 s after its last sign of life was seen, and not before', async (t) => {
  const { clock, lease, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  lease.record = {
    version: '1',
    holder: 'gone',
    durationSeconds: 15,
    transitions: 4,
    acquireTime: 'then',
    createdAt: 0,
  };
  lease.writes = 1;
  const b = candidate('b');
  const asB = ask(b);
  await clock.advance(14_900);
  assert.equal(asB.leading, false);
  await clock.advance(200);
  assert.equal(asB.leading, true);
  assert.equal(b.epoch(), 5);
  await b.release();
});

test('a Lease that was deleted and made again gives a higher epoch, though its transitions begin anew', async (t) => {
  const { clock, lease, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  lease.createdAt = 100;
  lease.record = { version: '0', holder: '', durationSeconds: 1, transitions: 41, acquireTime: 'then', createdAt: 100 };
  const [a, b] = [candidate('a'), candidate('b')];
  ask(a);
  await clock.advance(100);
  const before = a.epoch() ?? 0;
  await a.release();
  lease.record = undefined;
  lease.createdAt = 200;
  ask(b);
  await clock.advance(100);
  assert.ok((b.epoch() ?? 0) > before, `${b.epoch()} after ${before}`);
  await b.release();
});

test('a leader that cannot renew stops writing after 10 s and says that it lost', async (t) => {
  const { clock, lease, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  const a = candidate('a');
  const asA = ask(a);
  await clock.advance(1_000);
  lease.down = true;
  await clock.advance(8_500);
  a.assertLeading();
  await clock.advance(1_000);
  assert.throws(() => a.assertLeading(), NotLeadingError);
  assert.match(asA.lost ?? '', /could not be renewed/);
});

test('a leader that was frozen past its deadline writes nothing when it wakes, whichever clock shows it', async (t) => {
  for (const freeze of ['at', 'asleep'] as const) {
    const { clock, candidate, ask, stop } = candidates();
    t.after(() => stop.abort());
    const a = candidate('a');
    ask(a);
    await clock.advance(3_000);
    a.assertLeading();
    // No timer has run yet when the first write is tried.
    clock[freeze] += 25_000;
    assert.throws(() => a.assertLeading(), NotLeadingError);
    assert.equal(a.leading(), false);
  }
});

test('a leader whose lease was taken over has lost, for good', async (t) => {
  const { clock, lease, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  const a = candidate('a');
  const asA = ask(a);
  await clock.advance(1_000);
  lease.record = { version: 'x', holder: 'b', durationSeconds: 15, transitions: 2, acquireTime: 'then', createdAt: 0 };
  await clock.advance(2_500);
  assert.match(asA.lost ?? '', /taken over by b/);
  assert.throws(() => a.assertLeading(), NotLeadingError);
  await a.release();
  assert.equal(lease.record.holder, 'b');
});

test('a renewal whose answer was lost does not cost the lease', async (t) => {
  const { clock, lease, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  const a = candidate('a');
  const asA = ask(a);
  await clock.advance(1_000);
  lease.record = { ...(lease.record as LeaseRecord), version: 'written but never told' };
  await clock.advance(20_000);
  assert.equal(asA.lost, undefined);
  a.assertLeading();
  await a.release();
});

test('an API server that is away is asked again until it answers', async (t) => {
  const { clock, lease, candidate, ask, stop } = candidates();
  t.after(() => stop.abort());
  lease.down = true;
  const a = candidate('a');
  const asA = ask(a);
  await clock.advance(30_000);
  assert.equal(asA.leading, false);
  lease.down = false;
  await clock.advance(2_000);
  assert.equal(asA.leading, true);
  await a.release();
});
