import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBusy, parseStat, treeOf } from './processes.ts';

const stat = (pid: number, name: string, parent: number): string =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194304 100 200 0 0 70 30 5 2 20 0 11 0 12345 1000000 5000 0 0\n`;

test('processor time is that of the process and of its children that ended', () => {
  assert.deepEqual(parseStat(stat(42, 'node', 7)), { pid: 42, parent: 7, ticks: 107 });
});

test('a process may call itself anything: brackets and spaces in its name move no field', () => {
  assert.deepEqual(parseStat(stat(42, 'a) R 1 (b', 7)), { pid: 42, parent: 7, ticks: 107 });
});

test('a server is its process, its workers and theirs, and nobody else', () => {
  const all = [
    { pid: 1, parent: 0, ticks: 0 },
    { pid: 10, parent: 1, ticks: 1 },
    { pid: 11, parent: 10, ticks: 2 },
    { pid: 12, parent: 11, ticks: 3 },
    { pid: 20, parent: 1, ticks: 4 },
  ];
  assert.deepEqual(
    treeOf(10, all).map(({ pid }) => pid),
    [10, 11, 12],
  );
});

test("a processor's busy time has user, nice, system and stolen time, but no idling and no interrupts", () => {
  const text = 'cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 20 30 5000 40 50 60 7 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\n';
  assert.equal(parseBusy(text, 0), 157);
  assert.equal(parseBusy(text, 1), 4);
});
