/** What came out of the model as the log shows it. */
import type { ModelSignature } from '@slipway/contract';
import type { Tensor, TensorSpec } from '../model/tensor.ts';
import { SHOWN_ROWS } from './features.ts';
import { putDouble, putShare, putSingle } from './numbers.ts';
import { type Page, putByte, putBytes, putText } from './page.ts';

/** Writes `prediction` of a line, as JSON. */
export type PutOutcome = (page: Page, outputs: readonly Tensor[], rows: number, isRecord: boolean) => void;

type PutRow = (page: Page, outputs: readonly Tensor[], rows: number, row: number) => void;

const SHOWN_VALUES = 16;
const MOST_NAMES = 1024;

const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const NULL = Buffer.from('null');
const VALUE = Buffer.from('{"value":');

const isFloat = (type: string): boolean => type.startsWith('float');

/**
 * Classes where an output is not floating point, or where a floating-point one has labels; otherwise values: as protocols
 * read a model's outputs. Built once per model.
 */
export function outcomeWriter(signature: ModelSignature, outputs: readonly TensorSpec[]): PutOutcome {
  const put = rowWriter(signature, outputs);
  return (page, tensors, rows, isRecord) => {
    if (isRecord && rows === 1) {
      put(page, tensors, rows, 0);
      return;
    }
    const shown = Math.min(rows, SHOWN_ROWS);
    putByte(page, OPEN_BRACKET);
    for (let row = 0; row < shown; row++) {
      if (row > 0) putByte(page, COMMA);
      put(page, tensors, rows, row);
    }
    putByte(page, CLOSE_BRACKET);
  };
}

function rowWriter({ outputs: columns }: ModelSignature, outputs: readonly TensorSpec[]): PutRow {
  const indexOf = (name: string | undefined): number => outputs.findIndex((output) => output.name === name);
  const label = columns.find(({ type }) => !isFloat(type));
  const scores =
    columns.find(({ type, labels }) => isFloat(type) && labels) ?? (label && columns.find(({ type }) => isFloat(type)));
  if (label)
    return classWriter(indexOf(label.name), label.labels ?? scores?.labels, confidenceOf(indexOf(scores?.name)));
  if (scores) return scoreWriter(indexOf(scores.name), scores.labels ?? []);
  return valueWriter(Math.max(0, indexOf(columns[0]?.name)));
}

/** The highest score, where the model gives scores and they are probabilities. */
function confidenceOf(index: number): PutRow {
  if (index === -1) return (page) => putBytes(page, NULL);
  return (page, outputs, rows, row) => {
    const data = outputs[index]?.data as Float32Array;
    const width = data.length / rows;
    const highest = highestOf(data, row * width, width);
    if (highest >= 0 && highest <= 1) putShare(page, highest);
    else putBytes(page, NULL);
  };
}

/** A single column is the probability of class 1. */
function highestOf(data: Float32Array, from: number, width: number): number {
  let highest = data[from] as number;
  if (width === 1) return highest > 0.5 ? highest : 1 - highest;
  for (let i = from + 1; i < from + width; i++) if ((data[i] as number) > highest) highest = data[i] as number;
  return highest;
}

function classWriter(index: number, labels: readonly string[] | undefined, confidence: PutRow): PutRow {
  // By what the model gives: names are few, and quoting one costs more than writing the rest.
  const known = new Map<unknown, Uint8Array>();
  const named = (value: unknown): Uint8Array => {
    const bytes = known.get(value);
    if (bytes !== undefined) return bytes;
    if (known.size >= MOST_NAMES) known.clear();
    const made = Buffer.from(`${classText(value, labels)},"confidence":`);
    known.set(value, made);
    return made;
  };
  return (page, outputs, rows, row) => {
    putBytes(page, named(outputs[index]?.data[row]));
    confidence(page, outputs, rows, row);
    putByte(page, CLOSE_BRACE);
  };
}

function classText(value: unknown, labels: readonly string[] | undefined): string {
  if (typeof value === 'string') {
    const id = labels?.indexOf(value) ?? -1;
    return `{"class":${id === -1 ? null : id},"label":${JSON.stringify(value)}`;
  }
  return `{"class":${value},"label":${JSON.stringify(labels?.[Number(value)] ?? String(value))}`;
}

function scoreWriter(index: number, labels: readonly string[]): PutRow {
  const confidence = confidenceOf(index);
  const textOf = (id: number, label: string): string => `{"class":${id},"label":${JSON.stringify(label)},"confidence":`;
  const names = labels.map((label, id) => Buffer.from(textOf(id, label)));
  return (page, outputs, rows, row) => {
    const data = outputs[index]?.data as Float32Array;
    const id = winnerOf(data, row, data.length / rows);
    const name = names[id];
    if (name) putBytes(page, name);
    else putText(page, textOf(id, `${id}`));
    confidence(page, outputs, rows, row);
    putByte(page, CLOSE_BRACE);
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

function valueWriter(index: number): PutRow {
  return (page, outputs, rows, row) => {
    const { data, type } = outputs[index] as Tensor;
    const put = type === 'float64' ? putDouble : putSingle;
    const width = data.length / rows;
    putBytes(page, VALUE);
    if (width === 1) put(page, data[row] as number);
    else putList(page, data as Float32Array, row * width, Math.min(width, SHOWN_VALUES), put);
    putByte(page, CLOSE_BRACE);
  };
}

function putList(page: Page, data: Float32Array, from: number, count: number, put: typeof putSingle): void {
  putByte(page, OPEN_BRACKET);
  for (let i = from; i < from + count; i++) {
    if (i > from) putByte(page, COMMA);
    put(page, data[i] as number);
  }
  putByte(page, CLOSE_BRACKET);
}
