/** How predictions are distributed: how often each class, or how large the values. Cheap enough to be kept for every answer. */
import type { ModelSignature } from '@slipway/contract';
import { elementCount, type Tensor, type TensorSpec } from './tensor.ts';

/** More classes than this are counted as `other`: they are labels of a metric. */
const MOST_CLASSES = 64;
export const OTHER_CLASS = 'other';

/** Values from minus a million to a million, finer where most are. */
const ENDS = [0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 10_000, 100_000, 1_000_000];
export const VALUE_BUCKETS: readonly number[] = [...ENDS.toReversed().map((end) => -end), 0, ...ENDS];

export interface Tally {
  /** Of a run's outputs. */
  add(outputs: readonly Tensor[], note: Noted): void;
}

/** Where it is counted. */
export interface Noted {
  class(label: string, rows: number): void;
  value(value: number): void;
}

/** The outputs are read as bindOutputs reads them, which has checked that they are there. */
export function createTally({ outputs: columns }: ModelSignature, outputs: readonly TensorSpec[]): Tally {
  const indexOf = (column: number): number =>
    Math.max(
      0,
      outputs.findIndex(({ name }) => name === columns[column]?.name),
    );
  const label = columns.findIndex(({ type }) => type !== 'float32' && type !== 'float64');
  if (label !== -1) return classTally(indexOf(label), columns[label]?.labels);
  const scores = columns.findIndex(({ labels }) => labels !== undefined);
  if (scores !== -1) return scoreTally(indexOf(scores), columns[scores]?.labels ?? []);
  return valueTally(indexOf(0));
}

/** Classes without names are known by their numbers, as far as those are small. */
function namer(labels: readonly string[] | undefined): (id: number) => string {
  if (labels && labels.length > MOST_CLASSES) return () => OTHER_CLASS;
  const names = labels ?? Array.from({ length: MOST_CLASSES }, (_, id) => String(id));
  return (id) => names[id] ?? OTHER_CLASS;
}

function classTally(index: number, labels: readonly string[] | undefined): Tally {
  const nameOf = namer(labels);
  const known = new Set(labels && labels.length <= MOST_CLASSES ? labels : []);
  const labelOf = (value: unknown): string => {
    if (typeof value === 'string') return known.has(value) ? value : OTHER_CLASS;
    return nameOf(Number(value));
  };
  return {
    add(outputs, note) {
      const { data } = outputs[index] as Tensor;
      if (data instanceof BigInt64Array && data.length >= MANY) addMany(data, nameOf, note);
      else for (let i = 0; i < data.length; i++) note.class(labelOf(data[i]), 1);
    },
  };
}

/** From here on rows are counted by class before they are noted. */
const MANY = 128;

/** Whole numbers of 64 bits, without making a BigInt of each. */
function addMany(data: BigInt64Array, nameOf: (id: number) => string, note: Noted): void {
  const halves = new Int32Array(data.buffer, data.byteOffset, data.length * 2);
  const counts = new Int32Array(MOST_CLASSES);
  let others = 0;
  for (let at = 0; at < halves.length; at += 2) {
    const id = halves[at] as number;
    if (halves[at + 1] === 0 && id >= 0 && id < MOST_CLASSES) counts[id] = (counts[id] as number) + 1;
    else others++;
  }
  for (let id = 0; id < MOST_CLASSES; id++) {
    const rows = counts[id] as number;
    if (rows > 0) note.class(nameOf(id), rows);
  }
  if (others > 0) note.class(OTHER_CLASS, others);
}

function scoreTally(index: number, labels: readonly string[]): Tally {
  const nameOf = namer(labels);
  return {
    add(outputs, note) {
      const { data, dims } = outputs[index] as Tensor;
      const width = elementCount(dims.slice(1));
      for (let at = 0; at < data.length; at += width) {
        note.class(nameOf(highest(data as Float32Array, at, width)), 1);
      }
    },
  };
}

/** The place of the highest of `width` scores; a single one is the probability of class 1. */
export function highest(scores: Float32Array | Float64Array, from: number, width: number): number {
  if (width === 1) return (scores[from] as number) > 0.5 ? 1 : 0;
  let winner = 0;
  for (let i = 1; i < width; i++) {
    if ((scores[from + i] as number) > (scores[from + winner] as number)) winner = i;
  }
  return winner;
}

function valueTally(index: number): Tally {
  return {
    add(outputs, note) {
      const { data } = outputs[index] as Tensor;
      for (let i = 0; i < data.length; i++) note.value(data[i] as number);
    },
  };
}
