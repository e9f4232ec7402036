/**
 * Numbers of a large `infer` request straight from its bytes. What is left of the JSON, with empty lists in their
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

/** Below this JSON.parse is as fast. */
const LEAST_BYTES = 1024;

export interface ScannedRequest {
  /** The request without its numbers. */
  readonly json: Buffer;
  /** By input. */
  readonly numbers: ReadonlyMap<string, Scanned>;
}

interface Found {
  readonly name: string;
  readonly from: number;
  readonly until: number;
  readonly scanned: Scanned;
}

/** Undefined where it is not worth it, or where anything stands that is not of the ordinary kind. */
export function scanRequest(body: Buffer, inputs: readonly TensorSpec[]): ScannedRequest | undefined {
  if (body.length < LEAST_BYTES) return undefined;
  const cursor = cursorOf(body);
  const found: Found[] = [];
  const isRequest = eachMember(cursor, (key) => (key === 'inputs' ? readInputs(cursor, inputs, found) : skip(cursor)));
  if (!isRequest || !isAtEnd(cursor) || found.length === 0) return undefined;
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { from, until } of found) {
    pieces.push(body.subarray(at, from), EMPTY_LIST);
    at = until;
  }
  pieces.push(body.subarray(at));
  return { json: Buffer.concat(pieces), numbers: new Map(found.map(({ name, scanned }) => [name, scanned])) };
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
