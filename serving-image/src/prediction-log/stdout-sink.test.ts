import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../../test/folder.ts';
import type { Chunk } from './chunks.ts';
import { createStdoutSink } from './stdout-sink.ts';

const chunk = (from: number, lines: number, width = 100): Chunk => {
  const text = Array.from({ length: lines }, (_, i) => `{"n":${from + i},"x":"${'x'.repeat(width)}"}\n`).join('');
  return { bytes: Buffer.from(text), lines };
};

/** A pipe with a reader that reads when it is told to. */
async function pipe(t: TestContext) {
  const path = join(await temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_WRONLY);
  t.after(() => [reader, fd].forEach(closeSync));
  const buffer = Buffer.alloc(1024 * 1024);
  const read = (): string => {
    try {
      return buffer.toString('utf8', 0, readSync(reader, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
      throw error;
    }
  };
  return { fd, read };
}

const numbers = (text: string): number[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).n);

test('lines reach a pipe in order', async (t) => {
  const { fd, read } = await pipe(t);
  const sink = createStdoutSink({ fd, maxBytes: 1e6, onDropped: () => assert.fail('nothing is dropped') });
  sink.offer(chunk(0, 10));
  sink.offer(chunk(10, 1));
  await sink.close(1000);
  assert.deepEqual(numbers(read()), [...Array(11).keys()]);
});

test('a reader that stops holds nobody up: offers return at once, the oldest lines are counted as dropped, none is torn', async (t) => {
  const { fd, read } = await pipe(t);
  let dropped = 0;
  const sink = createStdoutSink({
    fd,
    maxBytes: 200_000,
    onDropped: (lines) => {
      dropped += lines;
    },
  });
  let slowest = 0;
  for (let i = 0; i < 400; i++) {
    const start = performance.now();
    sink.offer(chunk(i * 50, 50));
    slowest = Math.max(slowest, performance.now() - start);
  }
  assert.ok(dropped > 10_000, `${dropped} dropped`);
  assert.ok(slowest < 500, `an offer took ${slowest} ms`);
  let text = '';
  const closing = sink.close(10_000);
  let isClosed = false;
  void closing.then(() => {
    isClosed = true;
  });
  while (!isClosed) {
    text += read();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  text += read();
  const seen = numbers(text);
  assert.equal(seen.length + dropped, 20_000, 'every line is read or counted');
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  assert.equal(seen.at(-1), 19_999, 'the newest lines are kept');
});

test('a reader that keeps up loses nothing, whatever becomes of the bytes afterwards', async (t) => {
  const { fd, read } = await pipe(t);
  const sink = createStdoutSink({ fd, maxBytes: 500_000, onDropped: () => assert.fail('nothing is dropped') });
  let text = '';
  for (let i = 0; i < 60; i++) {
    // A little more than a pipe holds.
    const { bytes, lines } = chunk(i * 600, 600);
    sink.offer({ bytes, lines });
    bytes.fill('x');
    for (let turn = 0; turn < 3; turn++) {
      text += read();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const closing = sink.close(5000);
  text += read();
  await closing;
  assert.deepEqual(numbers(text + read()), [...Array(36_000).keys()]);
});

test('long lines go through as well', async (t) => {
  const { fd, read } = await pipe(t);
  const sink = createStdoutSink({ fd, maxBytes: 1e6, onDropped: () => assert.fail('nothing is dropped') });
  sink.offer(chunk(0, 3, 10_000));
  await sink.close(1000);
  assert.deepEqual(numbers(read()), [0, 1, 2]);
});

test('a reader that never comes back is not waited for longer than is asked', async (t) => {
  const { fd } = await pipe(t);
  const sink = createStdoutSink({ fd, maxBytes: 1e6, onDropped: () => {} });
  sink.offer(chunk(0, 5000));
  const start = performance.now();
  await sink.close(200);
  assert.ok(performance.now() - start < 2000);
});

test('lines reach a file', async (t) => {
  const path = join(await temporaryFolder(t), 'log');
  const fd = openSync(path, 'a');
  t.after(() => closeSync(fd));
  const sink = createStdoutSink({ fd, maxBytes: 1e6, onDropped: () => assert.fail('nothing is dropped') });
  for (let i = 0; i < 20; i++) sink.offer(chunk(i * 10, 10));
  await sink.close(5000);
  assert.deepEqual(numbers(readFileSync(path, 'utf8')), [...Array(200).keys()]);
});
