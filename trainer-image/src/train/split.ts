/** Training and validation rows: by seed, with the same shares of every class in both. Same input, same split. */
import { FailureError, quoted } from '../failure.ts';
import { randomFrom, shuffle } from '../learn/random.ts';
import type { Target } from '../model.ts';

export interface Split {
  /** Row numbers in ascending order. */
  readonly train: Int32Array;
  readonly validation: Int32Array;
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

function checkClasses(counts: readonly number[], labels: readonly string[], rows: number, validation: number): void {
  const lonely = counts.indexOf(1);
  if (lonely !== -1) {
    const isQuantity = labels.every((label) => label !== '' && Number.isFinite(Number(label)));
    const otherwise = isQuantity
      ? '; if the numbers are a quantity, learn it with task regression, ridge or linear-regression'
      : '';
    throw new FailureError(
      'InvalidTarget',
      `target: class ${quoted(labels[lonely] ?? '')} has one row; expected at least two, to train and to validate with: ` +
        `remove it, or merge the class with another${otherwise}`,
    );
  }
  if (validation >= labels.length && rows - validation >= labels.length) return;
  throw new FailureError(
    'InvalidParameter',
    `parameter test_size: ${validation} of ${rows} rows would validate; expected at least one row for each of ` +
      `${labels.length} classes on both sides`,
  );
}

function checkQuantity(rows: number, validation: number): void {
  if (validation >= 2 && rows - validation >= 2) return;
  throw new FailureError(
    'InvalidParameter',
    `parameter test_size: ${validation} of ${rows} rows would validate; expected at least two rows on both sides`,
  );
}

const all = (rows: number): Int32Array => Int32Array.from({ length: rows }, (_, row) => row);

/** `rows` by the class they have; all in one list where a quantity is to be predicted. */
function groupsOf(target: Target, rows: Int32Array): Int32Array[] {
  if (target.task === 'regression') return [rows.slice()];
  const counts = new Int32Array(target.labels.length);
  for (const row of rows) (counts[target.ids[row] as number] as number)++;
  const groups = Array.from(counts, (count) => new Int32Array(count));
  counts.fill(0);
  for (const row of rows) {
    const id = target.ids[row] as number;
    (groups[id] as Int32Array)[counts[id] as number] = row;
    (counts[id] as number)++;
  }
  return groups;
}

const rowsOf = (target: Target): number => (target.task === 'regression' ? target.values : target.ids).length;

function separated(rows: Int32Array, isValidation: (row: number) => boolean): Split {
  return { train: rows.filter((row) => !isValidation(row)), validation: rows.filter(isValidation) };
}

/** `testSize` below 1 is a share (rounded up), else a number of rows. Throws InvalidTarget, InvalidParameter. */
export function splitRows(target: Target, testSize: number, seed: number): Split {
  const rows = all(rowsOf(target));
  const validationRows = testSize < 1 ? Math.ceil(testSize * rows.length) : testSize;
  const groups = groupsOf(target, rows);
  const counts = groups.map((group) => group.length);
  if (target.task === 'regression') checkQuantity(rows.length, validationRows);
  else checkClasses(counts, target.labels, rows.length, validationRows);
  const random = randomFrom(seed);
  const allotted = allot(counts, validationRows);
  const marked = new Uint8Array(rows.length);
  for (const [id, group] of groups.entries()) {
    for (const row of shuffle(group, random).subarray(0, allotted[id])) marked[row] = 1;
  }
  return separated(rows, (row) => marked[row] === 1);
}

/** `rows` cut into `count` folds, each once the validation; classes spread evenly. Throws InvalidParameter for too few rows. */
export function foldsOf(target: Target, rows: Int32Array, count: number, seed: number): Split[] {
  const groups = groupsOf(target, rows);
  const scarce = target.task === 'classification' && groups.some((group) => group.length < 2);
  // A fold of one row has no variance to explain.
  const needed = target.task === 'classification' ? count : 2 * count;
  if (scarce || rows.length < needed) {
    throw new FailureError(
      'InvalidParameter',
      `parameter cv: ${count} folds need at least ${needed} training rows${
        target.task === 'classification' ? ', and two of every class' : ''
      }, got ${rows.length}; lower cv, or 0 for none`,
    );
  }
  const random = randomFrom(seed);
  const foldOf = new Uint8Array(rowsOf(target));
  let dealt = 0;
  for (const group of groups) for (const row of shuffle(group, random)) foldOf[row] = dealt++ % count;
  return Array.from({ length: count }, (_, fold) => separated(rows, (row) => foldOf[row] === fold));
}
