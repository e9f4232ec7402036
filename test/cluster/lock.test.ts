import assert from 'node:assert/strict';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf, readIfThere, writeWhole } from './files.ts';
import { withLock } from './lock.ts';

test('the lock of a process that died is taken over', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-lock-'));
  context.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'lock');
  await writeFile(path, '4194999 12345');
  assert.equal(await withLock(path, async () => 'done'), 'done');
  await assert.rejects(access(path));
});

test('the lock is released when the work fails', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-lock-'));
  context.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'lock');
  await assert.rejects(
    withLock(path, async () => {
      throw new Error('work failed');
    }),
    /work failed/,
  );
  await assert.rejects(access(path));
});

test('a file is written whole, with its folders', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-files-'));
  context.after(() => rm(folder, { recursive: true }));
  await writeWhole(join(folder, 'a/b'), 'text');
  assert.equal(await readIfThere(join(folder, 'a/b')), 'text');
  assert.equal(await readIfThere(join(folder, 'none')), undefined);
});

test('texts are told apart however they are cut', () => {
  assert.notEqual(digestOf('ab', 'c'), digestOf('a', 'bc'));
});
