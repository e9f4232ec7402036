/** What came out of the model as the log shows it. */
import type { ModelSignature } from '@slipway/contract';
import type { Tensor, TensorSpec } from '../model/tensor.ts';
import { SHOWN_ROWS } from './features.ts';
import { double, share, shortSingle } from './numbers.ts';

/** `prediction` of a line, as JSON. */
export type ReadOutcome = (outputs: readonly Tensor[], rows: number, isRecord: boolean) => string;

type ReadRow = (outputs: readonly Tensor[], rows: number, row: number) => string;

const SHOWN_VALUES = 16;
const MOST_NAMES = 1024;

const isFloat = (type: string): boolean => type.startsWith('float');

/**
 * Classes where an output is not floating point, or where a floating-point one has labels; otherwise values: as protocols
 * read a model's outputs. Built once per model.
 */
export function outcomeReader(signature: ModelSignature, outputs: readonly TensorSpec[]): ReadOutcome {
  const read = rowReader(signature, outputs);
  return (tensors, rows, isRecord) => {
    if (isRecord && rows === 1) return read(tensors, rows, 0);
    const shown = Math.min(rows, SHOWN_ROWS);
    let text = '[';
    for (let row = 0; row < shown; row++) text += (row === 0 ? '' : ',') + read(tensors, rows, row);
    return `${text}]`;
  };
}

function rowReader({ outputs: columns }: ModelSignature, outputs: readonly TensorSpec[]): ReadRow {
  const indexOf = (name: string | undefined): number => outputs.findIndex((output) => output.name === name);
  const label = columns.find(({ type }) => !isFloat(type));
  const scores =
    columns.find(({ type, labels }) => isFloat(type) && labels) ?? (label && columns.find(({ type }) => isFloat(type)));
  if (label)
    return classReader(indexOf(label.name), label.labels ?? scores?.labels, confidenceOf(indexOf(scores?.name)));
  if (scores) return scoreReader(indexOf(scores.name), scores.labels ?? []);
  return valueReader(Math.max(0, indexOf(columns[0]?.name)));
}

type Confidence = (outputs: readonly Tensor[], rows: number, row: number) => string;

/** The highest score, where the model gives scores and they are probabilities. */
function confidenceOf(index: number): Confidence {
  if (index === -1) return () => 'null';
  return (outputs, rows, row) => {
    const data = outputs[index]?.data as Float32Array;
    const width = data.length / rows;
    const highest = highestOf(data, row * width, width);
    return highest >= 0 && highest <= 1 ? share(highest) : 'null';
  };
}

/** A single column is the probability of class 1. */
function highestOf(data: Float32Array, from: number, width: number): number {
  let highest = data[from] as number;
  if (width === 1) return highest > 0.5 ? highest : 1 - highest;
  for (let i = from + 1; i < from + width; i++) if ((data[i] as number) > highest) highest = data[i] as number;
  return highest;
}

function classReader(index: number, labels: readonly string[] | undefined, confidence: Confidence): ReadRow {
  // By what the model gives: names are few, and quoting one costs more than printing the rest.
  const known = new Map<unknown, string>();
  const named = (value: unknown): string => {
    const text = known.get(value);
    if (text !== undefined) return text;
    if (known.size >= MOST_NAMES) known.clear();
    const made = `${classText(value, labels)},"confidence":`;
    known.set(value, made);
    return made;
  };
  return (outputs, rows, row) => `${named(outputs[index]?.data[row])}${confidence(outputs, rows, row)}}`;
}

function classText(value: unknown, labels: readonly string[] | undefined): string {
  if (typeof value === 'string') {
    const id = labels?.indexOf(value) ?? -1;
    return `{"class":${id === -1 ? null : id},"label":${JSON.stringify(value)}`;
  }
  return `{"class":${value},"label":${JSON.stringify(labels?.[Number(value)] ?? String(value))}`;
}

function scoreReader(index: number, labels: readonly string[]): ReadRow {
  const names = labels.map((label, id) => `{"class":${id},"label":${JSON.stringify(label)},"confidence":`);
  const confidence = confidenceOf(index);
  return (outputs, rows, row) => {
    const data = outputs[index]?.data as Float32Array;
    const id = winnerOf(data, row, data.length / rows);
    return `${names[id] ?? `{"class":${id},"label":"${id}","confidence":`}${confidence(outputs, rows, row)}}`;
  };
}

function winnerOf(data: Float32Array, row: number, width: number): number {
  if (width === 1) return (data[row] as number) > 0.5 ? 1 : 0;
  let winner = 0;
  for (let i = 1; i < width; i++) {
    if ((data[row * width + i] as number) > (data[row * width + winner] as number)) winner = i;
  }
  return winner;
}

function valueReader(index: number): ReadRow {
  return (outputs, rows, row) => {
    const { data, type } = outputs[index] as Tensor;
    const width = data.length / rows;
    const print = (value: unknown): string =>
      type === 'float64' ? double(value as number) : shortSingle(value as number);
    if (width === 1) return `{"value":${print(data[row])}}`;
    const shown = Array.from(
      data.slice(row * width, row * width + Math.min(width, SHOWN_VALUES)) as Float32Array,
      print,
    );
    return `{"value":[${shown.join()}]}`;
  };
}
