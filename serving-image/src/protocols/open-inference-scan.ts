/**
 * Numbers of an `infer` request straight from its bytes. What is left of the JSON, with empty lists in their
 * places, is small and read as any other. Whatever is out of the ordinary is left to JSON.parse and its messages.
 */
import type { TensorSpec } from '../model/tensor.ts';
import {
  BRACE,
  BRACKET,
  COLON,
  COMMA,
  type Cursor,
  cursorOf,
  END_BRACE,
  END_BRACKET,
  isAtEnd,
  peek,
  QUOTE,
  readString,
  take,
} from './scan/cursor.ts';
import { type NumberType, type Scanned, scanNumbers } from './scan/numbers.ts';

export interface ScannedRequest {
  /** The request without its numbers. */
  readonly json: Buffer;
  /** By input. */
  readonly numbers: ReadonlyMap<string, Scanned>;
  /** What differs from one request of a client to the next, as it stands in the text. */
  readonly holes: readonly Hole[];
}

/** Where the numbers of an input stand in a request, or, without a name, its `id`. */
export interface Hole {
  readonly name: string | undefined;
  readonly from: number;
  readonly until: number;
}

interface Found extends Hole {
  readonly name: string;
  readonly scanned: Scanned;
}

/** Undefined where anything stands that is not of the ordinary kind. */
export function scanRequest(body: Buffer, inputs: readonly TensorSpec[]): ScannedRequest | undefined {
  const cursor = cursorOf(body);
  const found: Found[] = [];
  let id: Hole | undefined;
  const isRequest = eachMember(cursor, (key) => {
    if (key === 'inputs') return readInputs(cursor, inputs, found);
    if (key !== 'id') return skip(cursor);
    id = idAt(cursor);
    return id !== undefined || skip(cursor);
  });
  if (!isRequest || !isAtEnd(cursor)) return undefined;
  const holes: Hole[] = id ? [...found, id].sort((a, b) => a.from - b.from) : found;
  const numbers = new Map(found.map(({ name, scanned }) => [name, scanned]));
  if (found.length === 0) return { json: body, numbers, holes };
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { from, until } of found) {
    pieces.push(body.subarray(at, from), EMPTY_LIST);
    at = until;
  }
  pieces.push(body.subarray(at));
  return { json: Buffer.concat(pieces), numbers, holes };
}

/** A plain text at the cursor, which is then behind it; undefined for anything else, and nothing is moved. */
function idAt(cursor: Cursor): Hole | undefined {
  peek(cursor);
  const from = cursor.at;
  if (readString(cursor) !== undefined) return { name: undefined, from, until: cursor.at };
  cursor.at = from;
  return undefined;
}

const EMPTY_LIST = Buffer.from('[]');

/** False for anything but an object, for a key that comes twice, and as soon as `read` is false for a member. */
function eachMember(cursor: Cursor, read: (key: string) => boolean): boolean {
  if (!take(cursor, BRACE)) return false;
  const keys = new Set<string>();
  do {
    const key = readString(cursor);
    if (key === undefined || keys.has(key) || !take(cursor, COLON) || !read(key)) return false;
    keys.add(key);
  } while (take(cursor, COMMA));
  return take(cursor, END_BRACE);
}

function readInputs(cursor: Cursor, inputs: readonly TensorSpec[], found: Found[]): boolean {
  if (!take(cursor, BRACKET)) return false;
  do {
    if (!readInput(cursor, inputs, found)) return false;
  } while (take(cursor, COMMA));
  return take(cursor, END_BRACKET);
}

/** The name must come before the data: only then is it known what they are. */
function readInput(cursor: Cursor, inputs: readonly TensorSpec[], found: Found[]): boolean {
  let name: string | undefined;
  return eachMember(cursor, (key) => {
    if (key === 'name') {
      name = readString(cursor);
      return name !== undefined;
    }
    if (key !== 'data') return skip(cursor);
    const type = numberType(inputs.find((input) => input.name === name));
    if (name === undefined || type === undefined || found.some((other) => other.name === name)) return false;
    peek(cursor);
    const from = cursor.at;
    const scanned = scanNumbers(cursor, type, cursor.bytes.length);
    if (scanned) found.push({ name, from, until: cursor.at, scanned });
    return scanned !== undefined;
  });
}

const numberType = (spec: TensorSpec | undefined): NumberType | undefined =>
  spec === undefined || spec.type === 'string' || spec.type === 'bool' ? undefined : spec.type;

const BACKSLASH = 0x5c;
const OPENING = new Set([BRACE, BRACKET]);
const CLOSING = new Set([END_BRACE, END_BRACKET]);

/** Past one value, whose own grammar is looked at later: only where it ends matters here. */
function skip(cursor: Cursor): boolean {
  const { bytes } = cursor;
  let depth = 0;
  for (let byte = peek(cursor); byte !== -1; byte = bytes[cursor.at] ?? -1) {
    if (depth === 0 && (byte === COMMA || CLOSING.has(byte))) return true;
    if (OPENING.has(byte)) depth++;
    else if (CLOSING.has(byte)) depth--;
    else if (byte === QUOTE) skipString(cursor);
    cursor.at++;
  }
  return false;
}

/** To the closing quote. */
function skipString(cursor: Cursor): void {
  const { bytes } = cursor;
  cursor.at++;
  while (cursor.at < bytes.length && bytes[cursor.at] !== QUOTE) cursor.at += bytes[cursor.at] === BACKSLASH ? 2 : 1;
}
