/** Class names and their ids, in the order numpy would sort them. */
import { FailureError, quoted } from '../failure.ts';

export interface Classes {
  /** `labels[id]` is the class's name. */
  readonly labels: readonly string[];
  /** The id of every row's class. */
  readonly ids: Int32Array;
}

/** What a signature may list. */
const MOST_CLASSES = 1024;

const isWhole = (text: string): boolean => /^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text));
/** UTF-8 sorts as its code points do; JavaScript's own order would not. */
const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Whole numbers are classes by value and in their order, all else by name. Throws InvalidTarget below two classes. */
export function encodeClasses(targets: readonly string[]): Classes {
  const numeric = targets.every(isWhole);
  const names = numeric ? targets.map((target) => String(Number(target))) : targets;
  const labels = [...new Set(names)].sort(numeric ? (a, b) => Number(a) - Number(b) : byCodePoint);
  if (labels.length < 2) {
    const only = quoted(labels[0] ?? '');
    throw new FailureError('InvalidTarget', `target: expected at least two classes, got only ${only} in all rows`);
  }
  if (labels.length > MOST_CLASSES) {
    throw new FailureError(
      'InvalidTarget',
      `target: expected at most ${MOST_CLASSES} classes, got ${labels.length}; is it a quantity rather than a class?`,
    );
  }
  const idOf = new Map(labels.map((label, id) => [label, id]));
  return { labels, ids: Int32Array.from(names, (name) => idOf.get(name) as number) };
}
