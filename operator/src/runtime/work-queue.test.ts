import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkQueue } from './work-queue.ts';

/** Takes what is there without waiting for what is not. */
async function taken(queue: WorkQueue): Promise<string | undefined> {
  let key: string | undefined;
  void queue.take().then((next) => {
    key = next;
  });
  await Promise.resolve();
  await Promise.resolve();
  return key;
}

test('a key added twice is handed out once, in the order of arrival', async () => {
  const queue = new WorkQueue();
  for (const key of ['a', 'a', 'b']) queue.add(key);
  assert.equal(queue.depth, 2);
  assert.deepEqual([await queue.take(), await queue.take()], ['a', 'b']);
  assert.equal(await taken(queue), undefined);
  queue.close();
});

test('a key added while it is in work comes round once more, and never at the same time', async () => {
  const queue = new WorkQueue();
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  queue.add('a');
  const next = queue.take();
  assert.equal(await Promise.race([next, Promise.resolve('nobody')]), 'nobody');
  queue.done('a');
  assert.equal(await next, 'a');
  queue.done('a');
  assert.equal(queue.remembered, 0);
  queue.close();
});

test('a failing key waits twice as long each time, up to the limit, and begins anew once it has succeeded', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = new WorkQueue({ baseMs: 100, maxMs: 400, random: () => 1 });
  const waits: number[] = [];
  const failOnce = () => {
    queue.retry('a');
    let waited = 0;
    while (queue.depth === 0) {
      t.mock.timers.tick(100);
      waited += 100;
    }
    void queue.take();
    queue.done('a');
    waits.push(waited);
  };
  for (let i = 0; i < 4; i += 1) failOnce();
  queue.forget('a');
  failOnce();
  assert.deepEqual(waits, [100, 200, 400, 400, 100]);
  assert.equal(queue.retries, 5);
});

test('a retry waits as long as the server asked', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = new WorkQueue({ baseMs: 100, random: () => 1 });
  queue.retry('a', 5_000);
  t.mock.timers.tick(4_900);
  assert.equal(queue.depth, 0);
  t.mock.timers.tick(100);
  assert.equal(queue.depth, 1);
});

test('of several delays for one key the earliest holds', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = new WorkQueue();
  queue.addAfter('a', 1_000);
  queue.addAfter('a', 300);
  queue.addAfter('a', 2_000);
  t.mock.timers.tick(300);
  assert.equal(queue.depth, 1);
});

test('a key that is gone leaves nothing behind, not even a timer', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = new WorkQueue();
  queue.retry('a');
  assert.equal(queue.remembered, 1);
  queue.drop('a');
  assert.equal(queue.remembered, 0);
  t.mock.timers.tick(600_000);
  assert.equal(queue.depth, 0);
});

test('a closed queue sends everybody home and takes nothing in', async () => {
  const queue = new WorkQueue();
  const waiting = queue.take();
  queue.close();
  queue.add('a');
  queue.addAfter('b', 1);
  assert.deepEqual([await waiting, await queue.take(), queue.remembered], [undefined, undefined, 0]);
});
