import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactly, partsOf } from './parts.ts';
import { partBytesFor } from './upload.ts';

async function* chunks(...lengths: readonly number[]): AsyncGenerator<Buffer> {
  let next = 0;
  for (const length of lengths) {
    yield Buffer.from(Array.from({ length }, (_, index) => (next + index) % 251));
    next += length;
  }
}

const cut = async (lengths: readonly number[], partBytes: number) => {
  const parts: { bytes: Buffer; last: boolean }[] = [];
  // Kept as copies: the memory of a part is used again.
  for await (const { bytes, last } of partsOf(chunks(...lengths), partBytes))
    parts.push({ bytes: Buffer.from(bytes), last });
  return parts;
};

for (const [lengths, sizes] of [
  [[], [0]],
  [[0], [0]],
  [[3], [3]],
  [[10], [10]],
  [[10, 0], [10]],
  [[11], [10, 1]],
  [
    [4, 4, 4],
    [10, 2],
  ],
  [[35], [10, 10, 10, 5]],
  [
    [5, 5, 5, 5],
    [10, 10],
  ],
  [
    [1, 30, 1],
    [10, 10, 10, 2],
  ],
] as const) {
  test(`chunks of ${lengths.join(', ') || 'nothing'} are parts of ${sizes.join(', ')}`, async () => {
    const parts = await cut(lengths, 10);
    assert.deepEqual(
      parts.map(({ bytes }) => bytes.length),
      sizes,
    );
    assert.deepEqual(
      parts.map(({ last }) => last),
      [...sizes.map((_, index) => index === sizes.length - 1)],
    );
    const whole = Buffer.concat(parts.map(({ bytes }) => bytes));
    assert.deepEqual(
      [...whole],
      Array.from({ length: whole.length }, (_, index) => index % 251),
    );
  });
}

test('a part given away stays as it is while the next is read', async () => {
  const parts = partsOf(chunks(10, 10, 10), 10);
  const first = (await parts.next()).value as { bytes: Buffer };
  const before = Buffer.from(first.bytes);
  await parts.next();
  assert.deepEqual(first.bytes, before);
});

for (const size of [9, 11]) {
  test(`10 bytes are not exactly ${size}`, () =>
    assert.rejects(async () => {
      for await (const _ of exactly(chunks(4, 6), size));
    }, /expected/));
}

test('a short body takes no more memory than it has; one too large for 10,000 small parts gets larger ones', () => {
  assert.equal(partBytesFor(undefined), 8 * 2 ** 20);
  assert.equal(partBytesFor(100), 100);
  const tib = 2 ** 40;
  assert.ok(partBytesFor(tib) * 10_000 >= tib);
});
