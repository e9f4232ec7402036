/**
 * Requests of one client differ in their numbers and nothing else: the same names, shapes and wishes stand around them
 * every time. What was read once is kept with the bytes it was read from; a request that has the same bytes there says the
 * same, and only its numbers (and its `id`) are still to be read. Whatever differs is undefined, and read the long way.
 */
import { elementCount, type Tensor, type TensorSpec } from '../model/tensor.ts';
import { readBinary } from './binary-tensor.ts';
import type { InferRequest } from './open-inference-form.ts';
import type { Hole } from './open-inference-scan.ts';
import { type Cursor, cursorOf, readString } from './scan/cursor.ts';
import { type NumberType, scanNumbers } from './scan/numbers.ts';
import { fitsShape } from './tensor-json.ts';

/** So many ways to ask are kept, the newest first; a longer one is not. */
const MOST_KEPT = 4;
const MOST_BYTES = 4096;

/** What is kept of one request. */
interface Way {
  /** What stands before each hole, and behind the last. */
  readonly texts: readonly Uint8Array[];
  /** What fills each hole: an input of the model, or ID. */
  readonly fills: readonly number[];
  readonly dims: readonly (readonly number[])[];
  /** By input: how many bytes behind the JSON are its own; -1 for one that is in the JSON. */
  readonly sizes: readonly number[];
  readonly offsets: readonly number[];
  /** For people, by input. */
  readonly places: readonly string[];
  readonly rawLength: number;
  readonly outputs: InferRequest['outputs'];
  /** Of a request whose `id` is no plain text. */
  readonly id: string | undefined;
}

const ID = -1;

/** What was read, and from where. */
export interface ReadOnce {
  readonly json: Buffer;
  readonly raw: Buffer | undefined;
  readonly holes: readonly Hole[];
  readonly request: InferRequest;
  /** By the input's name, its part of `raw`. */
  readonly pieces: ReadonlyMap<string, Buffer>;
  /** By the input's name, where it stands, for people. */
  readonly places: ReadonlyMap<string, string>;
}

export interface LearntWays {
  read(json: Buffer, raw: Buffer | undefined): InferRequest | undefined;
  learn(once: ReadOnce): void;
}

/** For models whose values need no look at what the signature says of them. */
export function createLearntWays(specs: readonly TensorSpec[]): LearntWays {
  const ways: Way[] = [];
  return {
    read(json, raw) {
      for (let i = 0; i < ways.length; i++) {
        const found = readLike(ways[i] as Way, specs, json, raw);
        if (found) return found;
      }
      return undefined;
    },
    learn(once) {
      const way = wayOf(once, specs);
      if (!way) return;
      ways.unshift(way);
      if (ways.length > MOST_KEPT) ways.pop();
    },
  };
}

function wayOf(once: ReadOnce, specs: readonly TensorSpec[]): Way | undefined {
  const { json, raw, holes, request, pieces, places } = once;
  const texts: Uint8Array[] = [];
  let at = 0;
  let length = 0;
  for (const { from, until } of [...holes, { from: json.length, until: json.length }]) {
    length += from - at;
    if (length > MOST_BYTES) return undefined;
    // Not of the request's own memory, which is its client's.
    texts.push(Uint8Array.from(json.subarray(at, from)));
    at = until;
  }
  const fills = holes.map(({ name }) => (name === undefined ? ID : specs.findIndex((spec) => spec.name === name)));
  const own = specs.map(({ name }) => pieces.get(name));
  // Every value is either in a hole or behind the JSON.
  if (specs.some((_, input) => !own[input] && !fills.includes(input))) return undefined;
  return {
    texts,
    fills,
    dims: request.inputs.map(({ dims }) => dims),
    sizes: own.map((piece) => piece?.length ?? -1),
    offsets: own.map((piece) => (piece && raw ? piece.byteOffset - raw.byteOffset : 0)),
    places: specs.map(({ name }) => places.get(name) ?? name),
    rawLength: raw?.length ?? -1,
    outputs: request.outputs,
    id: fills.includes(ID) ? undefined : request.id,
  };
}

function readLike(
  way: Way,
  specs: readonly TensorSpec[],
  json: Buffer,
  raw: Buffer | undefined,
): InferRequest | undefined {
  if (way.rawLength !== (raw?.length ?? -1)) return undefined;
  const cursor = cursorOf(json);
  const inputs = new Array<Tensor>(specs.length);
  const id = fillHoles(way, specs, cursor, inputs);
  if (id === OTHERWISE || cursor.at !== json.length) return undefined;
  if (raw) fillFromBytes(way, specs, raw, inputs);
  return { id, inputs, outputs: way.outputs };
}

/** The request is another one. */
const OTHERWISE = Symbol('otherwise');

/** Reads the numbers into `inputs`; gives the `id`. */
function fillHoles(
  { texts, fills, dims, id: usual }: Way,
  specs: readonly TensorSpec[],
  cursor: Cursor,
  inputs: Tensor[],
): string | undefined | typeof OTHERWISE {
  let id = usual;
  for (let hole = 0; hole < fills.length; hole++) {
    if (!takeText(cursor, texts[hole] as Uint8Array)) return OTHERWISE;
    const input = fills[hole] as number;
    if (input === ID) {
      id = readString(cursor);
      if (id === undefined) return OTHERWISE;
      continue;
    }
    const tensor = numbersAt(cursor, specs[input] as TensorSpec, dims[input] as readonly number[]);
    if (!tensor) return OTHERWISE;
    inputs[input] = tensor;
  }
  return takeText(cursor, texts[fills.length] as Uint8Array) ? id : OTHERWISE;
}

/** Throws Refusal(400) for bytes that are no values. */
function fillFromBytes(
  { offsets, sizes, dims, places }: Way,
  specs: readonly TensorSpec[],
  raw: Buffer,
  inputs: Tensor[],
): void {
  for (let input = 0; input < specs.length; input++) {
    const [from, size] = [offsets[input] as number, sizes[input] as number];
    if (size === -1) continue;
    const own = raw.subarray(from, from + size);
    const shape = dims[input] as readonly number[];
    inputs[input] = readBinary(own, specs[input] as TensorSpec, shape, [], places[input] as string);
  }
}

function numbersAt(cursor: Cursor, { type }: TensorSpec, dims: readonly number[]): Tensor | undefined {
  const scanned = scanNumbers(cursor, type as NumberType, elementCount(dims));
  if (!scanned || !fitsShape(scanned.dims, dims)) return undefined;
  return { type, dims, data: scanned.data };
}

function takeText(cursor: Cursor, text: Uint8Array): boolean {
  const { bytes, at } = cursor;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  cursor.at = at + text.length;
  return true;
}
