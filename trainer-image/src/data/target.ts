/** What is to be predicted, from the column of that name: classes and their ids, or a quantity. */
import { type Algorithm, isAlgorithm, TASKS, type Task } from '@slipway/contract';
import { FailureError, quoted } from '../failure.ts';
import type { Target } from '../model.ts';
import type { BuiltColumn } from './column-builder.ts';

/** What a signature may list. */
export const MOST_CLASSES = 1024;
/** With so many different whole numbers or fewer, a target is taken for classes. */
const FEW_NUMBERS = 20;

/** The task that needs no look at the target: the one that was asked for, or the only one the algorithm can do. */
export function taskOf({ name, task }: Algorithm): Task | undefined {
  const possible = isAlgorithm(name) ? TASKS[name] : [];
  if (task !== undefined && !possible.includes(task)) {
    throw new FailureError(
      'InvalidConfiguration',
      `task ${task}: ${name} can do ${possible.join(' and ')} only; choose another algorithm or leave task out`,
    );
  }
  return task ?? (possible.length === 1 ? possible[0] : undefined);
}

function looksLike({ numbers, texts }: BuiltColumn): Task {
  if (!numbers) return 'classification';
  if (!texts?.values.every(Number.isInteger)) return 'regression';
  return new Set(texts.values).size <= FEW_NUMBERS ? 'classification' : 'regression';
}

/** UTF-8 sorts as its code points do; JavaScript's own order would not. */
const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Numbers that a double tells apart; longer ones are names. */
const isExact = (text: string, value: number): boolean =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) && text.length < 17;

function classesOf(name: string, { ids, names, values }: NonNullable<BuiltColumn['texts']>): Target {
  const numeric = names.every((text, i) => isExact(text, values[i] as number));
  const labelOf = names.map((text, i) => (numeric ? String(values[i] === 0 ? 0 : values[i]) : text));
  const labels = [...new Set(labelOf)].sort(numeric ? (a, b) => Number(a) - Number(b) : byCodePoint);
  if (labels.length < 2) {
    throw new FailureError(
      'InvalidTarget',
      `target column ${quoted(name)}: expected at least two classes, got only ${quoted(labels[0] ?? '')} in all rows`,
    );
  }
  const placeOf = new Map(labels.map((label, place) => [label, place]));
  const places = labelOf.map((label) => placeOf.get(label) as number);
  const classes = new Int32Array(ids.length);
  for (let row = 0; row < ids.length; row++) classes[row] = places[ids[row] as number] as number;
  return { task: 'classification', ids: classes, labels };
}

/**
 * Classes that are all numbers are named and sorted by value (`2` and `2.0` are one class), else by code point.
 * Throws InvalidTarget for one class or more than MOST_CLASSES, and for a quantity that does not vary.
 */
export function targetFrom(name: string, column: BuiltColumn, task: Task | undefined): Target {
  const decided = task ?? looksLike(column);
  if (decided === 'classification') {
    if (column.texts) return classesOf(name, column.texts);
    throw new FailureError('InvalidTarget', `target column ${quoted(name)}: expected at most ${MOST_CLASSES} classes`);
  }
  const values = column.numbers as Float64Array;
  if (values.every((value) => value === values[0])) {
    throw new FailureError(
      'InvalidTarget',
      `target column ${quoted(name)}: expected a quantity that varies, got ${values[0]} in all rows`,
    );
  }
  return { task: 'regression', values };
}
