/** What went into the model as the log shows it: every feature by name, and mean and deviation of those that are numbers. */
import { createHmac } from 'node:crypto';
import { type ModelSignature, normalizedName } from '@slipway/contract';
import { elementCount, type Tensor, type TensorData, type TensorSpec } from '../model/tensor.ts';
import { moments } from './moments.ts';
import { double, putDouble, putSingle, shortSingle } from './numbers.ts';
import { type Page, putAgain, putAscii, putByte, putBytes, putText } from './page.ts';

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

/** Writes JSON. Keeps nothing of the tensors. */
export interface FeatureWriter {
  /** `input` of a line. */
  input(page: Page, inputs: readonly Tensor[], rows: number, isRecord: boolean): void;
  /** `input_stats` of the line whose `input` was written last, and stands on the page still. */
  stats(page: Page, inputs: readonly Tensor[], rows: number): void;
}

type Print = (value: unknown) => string;
/** Writes the value at `index`. */
type Put = (page: Page, data: TensorData, index: number) => void;

interface Place {
  readonly name: string;
  /** Index of the tensor. */
  readonly input: number;
  /** Of the value within a row; -1: all of the row is this feature. */
  readonly offset: number;
  /** `"name":` as it stands in a row, behind a comma unless it is the first. */
  readonly key: Uint8Array;
  /** `"name":{"mean":` likewise; absent: it is no number, or may not be read. */
  readonly statsKey: Uint8Array | undefined;
  readonly put: Put;
  /** What is written is the number itself. */
  readonly isPlain: boolean;
  /** Where its only value stands on the page: its mean is the same number. */
  from: number;
  until: number;
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

/** Built once per model. */
export function featureWriter(
  signature: ModelSignature,
  inputs: readonly TensorSpec[],
  privacy: Privacy,
): FeatureWriter {
  const shown: Place[] = [];
  const behindComma = (rest: readonly unknown[]): string => (rest.length === 0 ? '' : ',');
  for (const { name, input, offset, isOptional } of placesOf(signature, inputs)) {
    if (privacy.redact.some(isNamed(name))) continue;
    const type = inputs[input]?.type ?? 'float32';
    const isHashed = privacy.hash.some(isNamed(name));
    const quoted = JSON.stringify(name);
    const withStats = shown.filter(({ statsKey }) => statsKey !== undefined);
    const hasStats = type !== 'string' && !isHashed && !isWide(inputs[input], offset);
    const statsKey = Buffer.from(`${behindComma(withStats)}${quoted}:{"mean":`);
    const print = printerOf(type, isOptional);
    shown.push({
      name,
      input,
      offset,
      key: Buffer.from(`${behindComma(shown)}${quoted}:`),
      statsKey: hasStats ? statsKey : undefined,
      put: isHashed ? printed(hashing(name, print, privacy.hashKey)) : putterOf(type, print),
      isPlain: type.startsWith('float'),
      from: 0,
      until: 0,
    });
  }
  return {
    input(page, tensors, rows, isRecord) {
      if (rows === 1) oneRow(page, shown, tensors, isRecord);
      else manyRows(page, shown, tensors, rows);
    },
    stats(page, tensors, rows) {
      putByte(page, OPEN_BRACE);
      for (const place of shown) if (place.statsKey !== undefined) statsOf(page, place, tensors, rows);
      putByte(page, CLOSE_BRACE);
    },
  };
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

/** Numbers, which nearly every model has, without a string on their way. */
function putterOf(type: string, print: Print): Put {
  if (type === 'float32' || type === 'float16') return (page, data, index) => putSingle(page, data[index] as number);
  if (type === 'float64') return (page, data, index) => putDouble(page, data[index] as number);
  return printed(print);
}

const printed =
  (print: Print): Put =>
  (page, data, index) =>
    putText(page, print(data[index]));

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

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
/** How `null`, and nothing else that is written of a number, begins. */
const LETTER_N = 0x6e;
const DEVIATION_ZERO = Buffer.from(',"std":0}');
const WITHOUT_STATS = Buffer.from('null,"std":null}');

/** Nearly every request. */
function oneRow(page: Page, places: readonly Place[], tensors: readonly Tensor[], isRecord: boolean): void {
  if (!isRecord) putByte(page, OPEN_BRACKET);
  putByte(page, OPEN_BRACE);
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as Place;
    const { data } = tensors[place.input] as Tensor;
    putBytes(page, place.key);
    place.from = page.at;
    if (isList(place, data)) listed(page, place, data, 0, data.length);
    else place.put(page, data, place.offset === -1 ? 0 : place.offset);
    place.until = page.at;
  }
  putByte(page, CLOSE_BRACE);
  if (!isRecord) putByte(page, CLOSE_BRACKET);
}

/** Of a single row. */
const isList = ({ offset }: Place, data: TensorData): boolean => offset === -1 && data.length !== 1;

function statsOf(page: Page, place: Place, tensors: readonly Tensor[], rows: number): void {
  const { offset, input } = place;
  const { data } = tensors[input] as Tensor;
  putBytes(page, place.statsKey as Uint8Array);
  if (rows === 1 && !isList(place, data)) statsOfOne(page, place, data[offset === -1 ? 0 : offset]);
  else if (offset === -1) putAscii(page, moments(data, 0, 1));
  else putAscii(page, moments(data, offset, Math.floor(data.length / rows)));
}

/** The mean of one value is the value. */
function statsOfOne(page: Page, { isPlain, from, until }: Place, value: unknown): void {
  if (page.bytes[from] === LETTER_N) {
    putBytes(page, WITHOUT_STATS);
    return;
  }
  if (isPlain) putAgain(page, from, until);
  else putAscii(page, `${Number(value)}`);
  putBytes(page, DEVIATION_ZERO);
}

function listed(page: Page, { put }: Place, data: TensorData, from: number, until: number): void {
  const shown = Math.min(until, from + SHOWN_VALUES);
  putByte(page, OPEN_BRACKET);
  for (let i = from; i < shown; i++) {
    if (i > from) putByte(page, COMMA);
    put(page, data, i);
  }
  putByte(page, CLOSE_BRACKET);
}

function manyRows(page: Page, places: readonly Place[], tensors: readonly Tensor[], rows: number): void {
  const shown = Math.min(rows, SHOWN_ROWS);
  putByte(page, OPEN_BRACKET);
  for (let row = 0; row < shown; row++) {
    if (row > 0) putByte(page, COMMA);
    rowOf(page, places, tensors, rows, row);
  }
  putByte(page, CLOSE_BRACKET);
}

function rowOf(page: Page, places: readonly Place[], tensors: readonly Tensor[], rows: number, row: number): void {
  putByte(page, OPEN_BRACE);
  for (const place of places) {
    const { data } = tensors[place.input] as Tensor;
    const width = Math.floor(data.length / rows);
    const from = row * width;
    putBytes(page, place.key);
    if (place.offset !== -1) place.put(page, data, from + place.offset);
    else if (width === 1) place.put(page, data, from);
    else listed(page, place, data, from, from + width);
  }
  putByte(page, CLOSE_BRACE);
}
