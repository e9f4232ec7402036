import assert from 'node:assert/strict';
import { test } from 'node:test';
import { threadsFor } from './cgroup.ts';

test('threads are the whole processors of the limit, at least one, and one where nothing is promised', () => {
  const table: [string | undefined, number][] = [
    ['200000 100000', 2],
    ['150000 100000', 1],
    ['50000 100000', 1],
    ['max 100000', 1],
    ['-1 100000', 1],
    ['nonsense', 1],
    [undefined, 1],
  ];
  for (const [quota, threads] of table) assert.equal(threadsFor(quota), threads, quota);
});
