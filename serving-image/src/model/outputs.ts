/** What the model's outputs mean: classes or values. */
import type { ModelSignature, OutputColumn } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import { elementCount, type Tensor, type TensorSpec } from './tensor.ts';

export interface Classes {
  readonly kind: 'classes';
  /** The class's number; null when the model gives names and its signature does not list them. */
  readonly ids: readonly (number | string | null)[];
  readonly labels: readonly string[];
}

export interface Values {
  readonly kind: 'values';
  /** One number a row, or a list of them when the output is wider than one. */
  readonly values: readonly unknown[];
}

export type Prediction = Classes | Values;
export type ReadOutputs = (outputs: readonly Tensor[]) => Prediction;

/**
 * A classifier has an output that is not floating point (the class), or else a labelled floating-point one (its
 * probabilities); anything else predicts values, and the first output holds them. Throws SignatureMismatch.
 */
export function bindOutputs(signature: ModelSignature, outputs: readonly TensorSpec[]): ReadOutputs {
  const indexes = signature.outputs.map((column) => indexOf(column, outputs));
  const label = signature.outputs.findIndex(({ type }) => type !== 'float32' && type !== 'float64');
  if (label !== -1) return readClasses(indexes[label] as number, signature.outputs[label]?.labels);
  const scores = signature.outputs.findIndex(({ labels }) => labels !== undefined);
  if (scores !== -1) return readScores(indexes[scores] as number, signature.outputs[scores]?.labels ?? []);
  return readValues(indexes[0] as number);
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
  const isFloat = (t: string) => t.startsWith('float');
  const agrees = isFloat(type) === isFloat(found.type) && (type === 'string') === (found.type === 'string');
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

function readClasses(index: number, labels: readonly string[] | undefined): ReadOutputs {
  const numbers = new Map(labels?.map((label, id) => [label, id]));
  return (outputs) => {
    const data = Array.from((outputs[index] as Tensor).data as ArrayLike<unknown>);
    if (typeof data[0] === 'string') {
      return {
        kind: 'classes',
        ids: data.map((name) => numbers.get(name as string) ?? null),
        labels: data as string[],
      };
    }
    const ids = data.map(idOf);
    return { kind: 'classes', ids, labels: ids.map((id) => labels?.[id as number] ?? String(id)) };
  };
}

function readScores(index: number, labels: readonly string[]): ReadOutputs {
  return (outputs) => {
    const { data, dims } = outputs[index] as Tensor;
    const width = elementCount(dims.slice(1));
    const ids = Array.from({ length: dims[0] ?? 0 }, (_, row) => best(data as Float32Array, row, width));
    return { kind: 'classes', ids, labels: ids.map((id) => labels[id] ?? String(id)) };
  };
}

/** A single column is the probability of class 1. */
function best(scores: Float32Array, row: number, width: number): number {
  if (width === 1) return (scores[row] as number) > 0.5 ? 1 : 0;
  let winner = 0;
  for (let i = 1; i < width; i++) {
    if ((scores[row * width + i] as number) > (scores[row * width + winner] as number)) winner = i;
  }
  return winner;
}

function readValues(index: number): ReadOutputs {
  return (outputs) => {
    const { data, dims } = outputs[index] as Tensor;
    const width = elementCount(dims.slice(1));
    const numbers = Array.from(data as Float32Array);
    if (width === 1) return { kind: 'values', values: numbers };
    const rows = Array.from({ length: dims[0] ?? 0 }, (_, row) => numbers.slice(row * width, (row + 1) * width));
    return { kind: 'values', values: rows };
  };
}
