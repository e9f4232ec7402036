/** What the model's outputs mean: classes or values. */
import type { ModelSignature, OutputColumn } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import { highest } from './tally.ts';
import { elementCount, type Tensor, type TensorData, type TensorSpec } from './tensor.ts';

export interface Classes {
  readonly kind: 'classes';
  /** The class's number; null when the model gives names and its signature does not list them. */
  readonly ids: readonly (number | string | null)[];
  readonly labels: readonly string[];
  /** Absent when the model gives none. */
  readonly probabilities?: Probabilities;
}

export interface Probabilities {
  /** The classes, in the order of their probabilities; two at least. */
  readonly labels: readonly string[];
  /** As the model gives them: nobody has checked that they lie between 0 and 1. */
  of(row: number): readonly number[];
}

export interface Values {
  readonly kind: 'values';
  /** One number a row, or a list of them when the output is wider than one. */
  readonly values: readonly unknown[];
  /** The output they were read from. */
  readonly tensor?: Tensor;
}

export type Prediction = Classes | Values;
export type ReadOutputs = (outputs: readonly Tensor[]) => Prediction;

/**
 * A classifier has an output that is not floating point (the class), or else a labelled floating-point one (its
 * probabilities); anything else predicts values, and the first output holds them. `listed` are the classes as the graph
 * names them, for a signature that does not. Throws SignatureMismatch.
 */
export function bindOutputs(
  signature: ModelSignature,
  outputs: readonly TensorSpec[],
  listed?: readonly string[],
): ReadOutputs {
  const indexes = signature.outputs.map((column) => indexOf(column, outputs));
  const label = signature.outputs.findIndex((column) => !isFloat(column));
  const scores = signature.outputs.findIndex(({ labels }) => labels !== undefined);
  const probabilities = bindProbabilities(signature, outputs, listed);
  if (label !== -1) return readClasses(indexes[label] as number, signature.outputs[label]?.labels, probabilities);
  if (scores === -1) return readValues(indexes[0] as number);
  return readScores(indexes[scores] as number, signature.outputs[scores]?.labels ?? [], probabilities);
}

const isFloat = ({ type }: Pick<OutputColumn, 'type'>): boolean => type === 'float32' || type === 'float64';

type ReadProbabilities = (outputs: readonly Tensor[]) => Probabilities | undefined;

/** The floating-point output with a column for every class: the labelled one, else the only one. */
function bindProbabilities(
  { outputs: columns }: ModelSignature,
  outputs: readonly TensorSpec[],
  listed: readonly string[] | undefined,
): ReadProbabilities {
  const floats = columns.filter(isFloat);
  const column = floats.find(({ labels }) => labels !== undefined) ?? (floats.length === 1 ? floats[0] : undefined);
  const index = outputs.findIndex(({ name, dims }) => name === column?.name && dims.length === 2);
  if (index === -1) return () => undefined;
  const named = column?.labels ?? columns.find(({ labels }) => labels !== undefined)?.labels ?? listed;
  const names = namesOf(named);
  return (results) => {
    const { data, dims } = results[index] as Tensor;
    const width = dims[1] ?? 1;
    return new Shares(names(Math.max(2, width)), data as Float32Array, width);
  };
}

/** A class, because few ask for the probabilities that come with every prediction. */
class Shares implements Probabilities {
  readonly labels: readonly string[];
  readonly #numbers: Float32Array;
  readonly #width: number;

  constructor(labels: readonly string[], numbers: Float32Array, width: number) {
    this.labels = labels;
    this.#numbers = numbers;
    this.#width = width;
  }

  of(row: number): readonly number[] {
    const [numbers, width] = [this.#numbers, this.#width];
    // A single column is the probability of the second of two classes.
    if (width === 1) return [Math.fround(1 - (numbers[row] as number)), numbers[row] as number];
    return Array.from(numbers.subarray(row * width, (row + 1) * width));
  }
}

/** The names of so many classes: those that are known if there are as many, else their numbers. */
function namesOf(known: readonly string[] | undefined): (count: number) => readonly string[] {
  let names: readonly string[] = known ?? [];
  return (count) => {
    if (names.length !== count) {
      names = known?.length === count ? known : Array.from({ length: count }, (_, id) => String(id));
    }
    return names;
  };
}

function indexOf({ name, type }: OutputColumn, outputs: readonly TensorSpec[]): number {
  const index = outputs.findIndex((output) => output.name === name);
  const found = outputs[index];
  if (!found) {
    const have = outputs
      .slice(0, 8)
      .map((output) => output.name)
      .join(', ');
    throw new FailureError('SignatureMismatch', `output ${JSON.stringify(name)} is not in the model; it has ${have}`);
  }
  const hasPoint = (t: string) => t.startsWith('float');
  const agrees = hasPoint(type) === hasPoint(found.type) && (type === 'string') === (found.type === 'string');
  if (agrees) return index;
  throw new FailureError(
    'SignatureMismatch',
    `output ${JSON.stringify(name)} is ${type}, the model gives ${found.type}`,
  );
}

/** Digits stay exact where a JavaScript number would lose them. */
const idOf = (value: unknown): number | string => {
  const id = Number(value);
  return Number.isSafeInteger(id) ? id : String(value);
};

function readClasses(
  index: number,
  labels: readonly string[] | undefined,
  probabilitiesOf: ReadProbabilities,
): ReadOutputs {
  const numbers = new Map(labels?.map((label, id) => [label, id]));
  return (outputs) => {
    const { data } = outputs[index] as Tensor;
    const probabilities = probabilitiesOf(outputs);
    if (typeof data[0] === 'string') {
      const names = data as string[];
      return classesOf(
        names.map((name) => numbers.get(name) ?? null),
        [...names],
        probabilities,
      );
    }
    const ids = idsOf(data);
    const names = new Array<string>(ids.length);
    for (let i = 0; i < names.length; i++) names[i] = labels?.[ids[i] as number] ?? String(ids[i]);
    return classesOf(ids, names, probabilities);
  };
}

const classesOf = (
  ids: Classes['ids'],
  labels: readonly string[],
  probabilities: Probabilities | undefined,
): Classes => (probabilities ? { kind: 'classes', ids, labels, probabilities } : { kind: 'classes', ids, labels });

/** Fewer numbers are made of BigInts sooner than a view of their halves is made. */
const FEW = 8;

function idsOf(data: TensorData): (number | string)[] {
  const ids = new Array<number | string>(data.length);
  if (!(data instanceof BigInt64Array) || data.length < FEW) {
    for (let i = 0; i < data.length; i++) ids[i] = idOf(data[i]);
    return ids;
  }
  // A class's number fits the lower half of its 64 bits; making a BigInt of it is what costs.
  const halves = new Int32Array(data.buffer, data.byteOffset, data.length * 2);
  for (let i = 0; i < data.length; i++) {
    const low = halves[i * 2] as number;
    ids[i] = halves[i * 2 + 1] === low >> 31 ? low : idOf(data[i]);
  }
  return ids;
}

function readScores(index: number, labels: readonly string[], probabilitiesOf: ReadProbabilities): ReadOutputs {
  return (outputs) => {
    const { data, dims } = outputs[index] as Tensor;
    const width = elementCount(dims.slice(1));
    const ids = Array.from({ length: dims[0] ?? 0 }, (_, row) => highest(data as Float32Array, row * width, width));
    const probabilities = probabilitiesOf(outputs);
    const names = ids.map((id) => labels[id] ?? String(id));
    return { kind: 'classes', ids, labels: names, ...(probabilities && { probabilities }) };
  };
}

function readValues(index: number): ReadOutputs {
  return (outputs) => {
    const tensor = outputs[index] as Tensor;
    return {
      kind: 'values',
      tensor,
      // Made only for those who look: others print the tensor.
      get values() {
        return valuesOf(tensor);
      },
    };
  };
}

function valuesOf({ data, dims }: Tensor): unknown[] {
  const width = elementCount(dims.slice(1));
  const numbers = Array.from(data as Float32Array);
  if (width === 1) return numbers;
  return Array.from({ length: dims[0] ?? 0 }, (_, row) => numbers.slice(row * width, (row + 1) * width));
}
