/** Training and validation rows: by seed, with the same shares of every class in both. Same input, same split. */
import { FailureError, quoted } from '../failure.ts';
import type { Classes } from './classes.ts';

export interface Split {
  /** Row numbers in ascending order. */
  readonly train: readonly number[];
  readonly validation: readonly number[];
}

/** mulberry32: small, good enough to shuffle with, and the same on every machine. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffle(rows: number[], random: () => number): number[] {
  for (let i = rows.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [rows[i], rows[j]] = [rows[j] as number, rows[i] as number];
  }
  return rows;
}

/** How many validation rows each class gives: its share, rounded so that they add up. */
function allot(counts: readonly number[], total: number): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const shares = counts.map((count) => (count * total) / all);
  const allotted = shares.map(Math.floor);
  const byRemainder = shares
    .map((share, id) => ({ id, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.id - b.id);
  const missing = total - allotted.reduce((sum, count) => sum + count, 0);
  for (const { id } of byRemainder.slice(0, missing)) (allotted[id] as number)++;
  return allotted;
}

function checkSizes(counts: readonly number[], labels: readonly string[], rows: number, validation: number): void {
  const lonely = counts.indexOf(1);
  if (lonely !== -1) {
    throw new FailureError(
      'InvalidTarget',
      `target: class ${quoted(labels[lonely] ?? '')} has one row; expected at least two, to train and to validate with`,
    );
  }
  if (validation >= labels.length && rows - validation >= labels.length) return;
  throw new FailureError(
    'InvalidParameter',
    `parameter test_size: ${validation} of ${rows} rows would validate; expected at least one row for each of ` +
      `${labels.length} classes on both sides`,
  );
}

/** `testSize` below 1 is a share (rounded up), else a number of rows. Throws InvalidTarget, InvalidParameter. */
export function stratifiedSplit({ ids, labels }: Classes, testSize: number, seed: number): Split {
  const rowsOf: number[][] = labels.map(() => []);
  ids.forEach((id, row) => {
    rowsOf[id]?.push(row);
  });
  const counts = rowsOf.map((rows) => rows.length);
  const validationRows = testSize < 1 ? Math.ceil(testSize * ids.length) : testSize;
  checkSizes(counts, labels, ids.length, validationRows);
  const random = randomFrom(seed);
  const allotted = allot(counts, validationRows);
  const validation = new Set(rowsOf.flatMap((rows, id) => shuffle(rows, random).slice(0, allotted[id])));
  const all = Array.from(ids, (_, row) => row);
  return { train: all.filter((row) => !validation.has(row)), validation: all.filter((row) => validation.has(row)) };
}
