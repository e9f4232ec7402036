import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { LONGEST_LINE, MOST_READ, readSmall, Tail } from './tail.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-tail-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('lines come once, and only when their end is written', async () => {
  const tail = new Tail(path);
  assert.deepEqual(await tail.next(10), []);
  await writeFile(path, 'one\ntw');
  assert.deepEqual(await tail.next(10), ['one']);
  assert.deepEqual(await tail.next(10), []);
  await appendFile(path, 'o\n\nthré');
  assert.deepEqual(await tail.next(10), ['two']);
  await appendFile(path, 'e\n');
  assert.deepEqual(await tail.next(10), ['thrée']);
});

test('a character that is written in two halves arrives whole', async () => {
  const tail = new Tail(path);
  const [first, second] = [Buffer.from('é\n').subarray(0, 1), Buffer.from('é\n').subarray(1)];
  await writeFile(path, first);
  assert.deepEqual(await tail.next(10), []);
  await appendFile(path, second);
  assert.deepEqual(await tail.next(10), ['é']);
});

test('no more lines are taken than are asked for, and none is lost', async () => {
  const tail = new Tail(path);
  const all = Array.from({ length: 30_000 }, (_, i) => `line ${i}`);
  await writeFile(path, `${all.join('\n')}\n`);
  const got: string[] = [];
  for (let lines = await tail.next(1000); lines.length > 0; lines = await tail.next(1000)) {
    assert.ok(lines.length <= 1000);
    got.push(...lines);
  }
  assert.deepEqual(got, all);
});

test('a file that is cut short, or another in its place, is read from its beginning', async () => {
  const tail = new Tail(path);
  await writeFile(path, 'one\ntwo\nhal');
  assert.equal((await tail.next(10)).length, 2);
  await truncate(path, 0);
  await appendFile(path, 'new\n');
  assert.deepEqual(await tail.next(10), ['new']);
  await writeFile(`${path}.1`, 'rotated\nand\nlonger\n');
  await rename(`${path}.1`, path);
  assert.deepEqual(await tail.next(10), ['rotated', 'and', 'longer']);
});

test('a line that is too long is left out, and what follows is not', async () => {
  const tail = new Tail(path);
  await writeFile(path, `${'x'.repeat(LONGEST_LINE)}\n${'y'.repeat(3 * LONGEST_LINE)}`);
  assert.deepEqual(
    (await tail.next(10)).map((line) => line.length),
    [LONGEST_LINE],
  );
  await appendFile(path, `${'y'.repeat(LONGEST_LINE)}\nshort\n`);
  assert.deepEqual(await tail.next(10), ['short']);
});

test('nothing but a regular file is read: no link, folder, pipe or socket, and none of them holds the reader up', async () => {
  await writeFile(join(folder, 'secret'), 'secret\n');
  await symlink(join(folder, 'secret'), path);
  assert.deepEqual(await new Tail(path).next(10), []);
  assert.equal(await readSmall(path, 100), undefined);
  await rm(path);
  await mkdir(path);
  assert.deepEqual(await new Tail(path).next(10), []);
  await rm(path, { recursive: true });
  execFileSync('mkfifo', [path]);
  assert.deepEqual(await new Tail(path).next(10), []);
  assert.equal(await readSmall(path, 100), undefined);
  await rm(path);
  const server = createServer();
  await new Promise<void>((listening) => server.listen(path, listening));
  assert.deepEqual(await new Tail(path).next(10), []);
  await new Promise((closed) => server.close(closed));
});

test('a small file comes whole, a large one not at all', async () => {
  await writeFile(path, 'x'.repeat(10));
  assert.equal(await readSmall(path, 10), 'x'.repeat(10));
  assert.equal(await readSmall(path, 9), undefined);
  await truncate(path, 8 * 1024 ** 4);
  assert.equal(await readSmall(path, 1000), undefined);
});

test('a file of holes is read a little at a time, and what follows them is found', async () => {
  await writeFile(path, '');
  await truncate(path, 3 * MOST_READ);
  await appendFile(path, '\n{"key":"loss"}\n');
  const tail = new Tail(path);
  const looks = [];
  for (let look = 0; look < 4; look++) looks.push(await tail.next(10));
  assert.deepEqual(looks, [[], [], [], ['{"key":"loss"}']]);
});
