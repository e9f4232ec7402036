/** What went into the model as the log shows it: every feature by name, and mean and deviation of those that are numbers. */
import { createHmac } from 'node:crypto';
import { type ModelSignature, normalizedName } from '@slipway/contract';
import { elementCount, type Tensor, type TensorData, type TensorSpec } from '../model/tensor.ts';
import { moments } from './moments.ts';
import { double, shortSingle } from './numbers.ts';

/** Rows beyond these are only counted. */
export const SHOWN_ROWS = 16;
const SHOWN_VALUES = 16;
/** Of a feature of more values a row, a picture say, mean and deviation mean little and cost much. */
const MOST_VALUES = 1024;
const SHOWN_CHARACTERS = 256;
const MOST_DIGESTS = 4096;

/** What users may not want to be read. */
export interface Privacy {
  /** Features that are left out. */
  readonly redact: readonly string[];
  /** Features of which only a digest is shown: equal values stay equal. */
  readonly hash: readonly string[];
  /** The digest's key. */
  readonly hashKey: string;
}

/** `input` and `input_stats` of a line, as JSON. */
export interface FeatureTexts {
  readonly input: string;
  readonly stats: string;
}
export type ReadFeatures = (inputs: readonly Tensor[], rows: number, isRecord: boolean) => FeatureTexts;

type Print = (value: unknown) => string;

interface Place {
  readonly name: string;
  /** Index of the tensor. */
  readonly input: number;
  /** Of the value within a row; -1: all of the row is this feature. */
  readonly offset: number;
  /** `"name":` as it stands in a row, behind a comma unless it is the first. */
  readonly key: string;
  /** `"name":{"mean":` likewise; absent: it is no number, or may not be read. */
  readonly statsKey: string | undefined;
  readonly print: Print;
  /** What is printed is the number itself. */
  readonly isPlain: boolean;
}

/** The same name as somebody else may write it: what is to be hidden must not show for a capital letter. */
const isNamed =
  (name: string) =>
  (other: string): boolean =>
    other === name || (normalizedName(other) !== '' && normalizedName(other) === normalizedName(name));

/** The features of a model by name, each with the place of its values in the input tensors. */
function placesOf(
  signature: ModelSignature,
  inputs: readonly TensorSpec[],
): { name: string; input: number; offset: number; isOptional: boolean }[] {
  const [only] = inputs;
  const columns = signature.inputs;
  const isMatrix =
    inputs.length === 1 && only?.dims.length === 2 && (columns.length > 1 || only.name !== columns[0]?.name);
  if (isMatrix) {
    return columns.map(({ name, optional = false }, offset) => ({ name, input: 0, offset, isOptional: optional }));
  }
  return inputs.map(({ name }, input) => {
    const column = columns.find((each) => each.name === name);
    return { name, input, offset: -1, isOptional: column?.optional ?? false };
  });
}

/** The names among `wanted` that are no feature of the model. */
export const unknownFeatures = (
  wanted: readonly string[],
  signature: ModelSignature,
  inputs: readonly TensorSpec[],
): readonly string[] => {
  const names = placesOf(signature, inputs).map(({ name }) => name);
  return wanted.filter((name) => !names.some(isNamed(name)));
};

/** Built once per model; what it returns keeps nothing of the tensors. */
export function featureReader(
  signature: ModelSignature,
  inputs: readonly TensorSpec[],
  privacy: Privacy,
): ReadFeatures {
  const shown: Place[] = [];
  const behindComma = (rest: readonly unknown[]): string => (rest.length === 0 ? '' : ',');
  for (const { name, input, offset, isOptional } of placesOf(signature, inputs)) {
    if (privacy.redact.some(isNamed(name))) continue;
    const type = inputs[input]?.type ?? 'float32';
    const isHashed = privacy.hash.some(isNamed(name));
    const print = printerOf(type, isOptional);
    const quoted = JSON.stringify(name);
    const withStats = shown.filter(({ statsKey }) => statsKey !== undefined);
    const statsKey = `${behindComma(withStats)}${quoted}:{"mean":`;
    shown.push({
      name,
      input,
      offset,
      key: `${behindComma(shown)}${quoted}:`,
      statsKey: type === 'string' || isHashed || isWide(inputs[input], offset) ? undefined : statsKey,
      print: isHashed ? hashing(name, print, privacy.hashKey) : print,
      isPlain: type.startsWith('float'),
    });
  }
  return (tensors, rows, isRecord) =>
    rows === 1 ? oneRow(shown, tensors, isRecord) : manyRows(shown, tensors, rows, isRecord);
}

/** True of a feature that is a whole row of the tensor, when that has very many values or nobody knows how many. */
function isWide(spec: TensorSpec | undefined, offset: number): boolean {
  const sizes = spec?.dims.slice(1) ?? [];
  return offset === -1 && (sizes.includes(-1) || elementCount(sizes) > MOST_VALUES);
}

function printerOf(type: string, isOptional: boolean): Print {
  if (type === 'string') return isOptional ? (text) => (text === '' ? 'null' : printText(text)) : printText;
  if (type === 'bool') return (value) => (value ? 'true' : 'false');
  if (type === 'float32' || type === 'float16') return shortSingle as Print;
  return type === 'float64' ? (double as Print) : String;
}

const printText: Print = (text) => JSON.stringify((text as string).slice(0, SHOWN_CHARACTERS));

/** Digests are remembered: making one costs more than everything else of a line. */
function hashing(name: string, print: Print, key: string): Print {
  const known = new Map<string, string>();
  return (value) => {
    const text = typeof value === 'string' ? value : print(value);
    const digest = known.get(text);
    if (digest !== undefined) return digest;
    if (known.size >= MOST_DIGESTS) known.clear();
    const made = createHmac('sha256', key).update(`${name}\0${text}`).digest('hex').slice(0, 32);
    known.set(text, `"${made}"`);
    return `"${made}"`;
  };
}

/** Nearly every request: its mean is its value. */
function oneRow(places: readonly Place[], tensors: readonly Tensor[], isRecord: boolean): FeatureTexts {
  let input = isRecord ? '{' : '[{';
  let stats = '{';
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as Place;
    const { data } = tensors[place.input] as Tensor;
    if (place.offset === -1 && data.length !== 1) {
      input += place.key + listed(place, data, 0, data.length);
      if (place.statsKey !== undefined) stats += place.statsKey + moments(data, 0, 1);
      continue;
    }
    const value = data[place.offset === -1 ? 0 : place.offset];
    const text = place.print(value);
    input += place.key + text;
    if (place.statsKey !== undefined) stats += statsOfOne(place, value, text);
  }
  return { input: input + (isRecord ? '}' : '}]'), stats: `${stats}}` };
}

function statsOfOne({ statsKey, isPlain }: Place, value: unknown, text: string): string {
  if (text === 'null') return `${statsKey}null,"std":null}`;
  return `${statsKey}${isPlain ? text : Number(value)},"std":0}`;
}

function listed({ print }: Place, data: TensorData, from: number, until: number): string {
  const shown = Math.min(until, from + SHOWN_VALUES);
  let text = '[';
  for (let i = from; i < shown; i++) text += (i === from ? '' : ',') + print(data[i]);
  return `${text}]`;
}

function manyRows(places: readonly Place[], tensors: readonly Tensor[], rows: number, isRecord: boolean): FeatureTexts {
  const shown = Math.min(rows, SHOWN_ROWS);
  const texts = Array.from({ length: shown }, (_, row) => rowText(places, tensors, rows, row));
  let stats = '{';
  for (const { statsKey, input, offset } of places) {
    if (statsKey === undefined) continue;
    const { data } = tensors[input] as Tensor;
    stats += statsKey + (offset === -1 ? moments(data, 0, 1) : moments(data, offset, Math.floor(data.length / rows)));
  }
  const input = isRecord && shown === 1 ? (texts[0] as string) : `[${texts.join()}]`;
  return { input, stats: `${stats}}` };
}

function rowText(places: readonly Place[], tensors: readonly Tensor[], rows: number, row: number): string {
  let text = '{';
  for (const place of places) {
    const { data } = tensors[place.input] as Tensor;
    const width = Math.floor(data.length / rows);
    const from = row * width;
    text += place.key;
    if (place.offset !== -1) text += place.print(data[from + place.offset]);
    else text += width === 1 ? place.print(data[from]) : listed(place, data, from, from + width);
  }
  return `${text}}`;
}
