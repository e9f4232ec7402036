import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PREDICTION_FILE } from '@slipway/contract';
import { temporaryFolder } from '../../test/folder.ts';
import { createFileSink } from './file-sink.ts';

const lines = (from: number, count: number) => ({
  bytes: Buffer.from(Array.from({ length: count }, (_, i) => `{"n":${from + i}}\n`).join('')),
  lines: count,
});
const silent = { warn() {} };

/** Every line of every complete file, in the files' order. */
async function kept(dir: string): Promise<number[]> {
  const names = (await readdir(dir)).sort();
  for (const name of names) assert.match(name, PREDICTION_FILE);
  const texts = await Promise.all(names.map((name) => readFile(join(dir, name), 'utf8')));
  for (const text of texts) assert.ok(text.endsWith('\n'), 'whole lines only');
  return texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line).n);
}

test('files are complete when they are large, and at the end; every line is in one of them, in order', async (t) => {
  const dir = await temporaryFolder(t);
  const sink = createFileSink({ dir, log: silent, maxFileBytes: 200, onDropped: () => assert.fail('nothing is lost') });
  for (let i = 0; i < 10; i++) sink.offer(lines(i * 10, 10));
  await sink.close(5000);
  assert.deepEqual(await kept(dir), [...Array(100).keys()]);
  assert.ok((await readdir(dir)).length >= 4);
});

test('a file is complete when it is old, so that few lines are shipped too', async (t) => {
  const dir = await temporaryFolder(t);
  const sink = createFileSink({ dir, log: silent, maxFileAgeMs: 20, onDropped: () => assert.fail('nothing is lost') });
  sink.offer(lines(0, 2));
  while (!(await readdir(dir)).some((name) => PREDICTION_FILE.test(name)))
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(await kept(dir), [0, 1]);
});

test('what nobody fetches is given up, the oldest first, and counted', async (t) => {
  const dir = await temporaryFolder(t);
  let dropped = 0;
  const onDropped = (count: number): void => {
    dropped += count;
  };
  const sink = createFileSink({ dir, log: silent, maxFileBytes: 100, maxTotalBytes: 500, onDropped });
  for (let i = 0; i < 40; i++) sink.offer(lines(i * 10, 10));
  await sink.close(5000);
  const left = await kept(dir);
  assert.equal(left.length + dropped, 400);
  assert.equal(left.at(-1), 399);
  assert.ok(dropped > 300);
});

test('a folder that cannot be written to loses lines and nothing else, and is used again when it can', async (t) => {
  const dir = join(await temporaryFolder(t), 'folder');
  const warnings: string[] = [];
  let dropped = 0;
  const sink = createFileSink({
    dir,
    log: { warn: (_: unknown, message?: string) => void warnings.push(message ?? '') },
    onDropped: (count) => {
      dropped += count;
    },
  });
  for (let i = 0; i < 5; i++) sink.offer(lines(i, 1));
  while (dropped < 5) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(warnings.length, 1, 'said once');
  await mkdir(dir);
  sink.offer(lines(5, 1));
  await sink.close(5000);
  assert.deepEqual(await kept(dir), [5]);
});

test('what an earlier process was writing when it was killed is completed, without its torn last line', async (t) => {
  const dir = await temporaryFolder(t);
  await writeFile(join(dir, '1700000000000-000003.jsonl.part'), '{"n":1}\n{"n":2}\n{"n":');
  const sink = createFileSink({ dir, log: silent, onDropped: () => assert.fail('nothing is lost') });
  sink.offer(lines(3, 1));
  await sink.close(5000);
  assert.deepEqual(await kept(dir), [1, 2, 3]);
  await rm(dir, { recursive: true });
});

test('lines that come while the last ones are done with are not left lying until others come', async (t) => {
  const dir = join(await temporaryFolder(t), 'none');
  // Whichever moment it is.
  for (let moment = 0; moment < 16; moment++) {
    let dropped = 0;
    const offer = async (): Promise<void> => {
      for (let i = 0; i < moment; i++) await undefined;
      sink.offer(lines(1, 1));
    };
    const onDropped = (count: number): void => {
      if (dropped === 0) void offer();
      dropped += count;
    };
    const sink = createFileSink({ dir, log: silent, onDropped });
    sink.offer(lines(0, 1));
    const until = performance.now() + 5000;
    while (dropped < 2 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(dropped, 2, `offered ${moment} turns later`);
  }
});

test('the bytes are the caller’s again as soon as they were offered', async (t) => {
  const dir = await temporaryFolder(t);
  const sink = createFileSink({ dir, log: silent, onDropped: () => assert.fail('nothing is lost') });
  for (let i = 0; i < 5; i++) {
    const chunk = lines(i * 10, 10);
    sink.offer(chunk);
    chunk.bytes.fill('x');
  }
  await sink.close(5000);
  assert.deepEqual(await kept(dir), [...Array(50).keys()]);
});
