import { isUtf8 } from 'node:buffer';
import { cut } from '../model/cut.ts';
import { LostDigitsError } from '../model/row-error.ts';

/** `position` is the character at which the text stops being JSON, where the parser says so. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError';
  readonly position: number | undefined;
  constructor(position: number | undefined) {
    super('not JSON');
    this.position = position;
  }
}

function positionOf(error: unknown, text: string): number | undefined {
  const message = String(error);
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  return message.includes('Unexpected end') ? text.length : undefined;
}

/** Parses UTF-8 JSON; throws NotJsonError, which unlike the parser's own error holds nothing of the text. */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new NotJsonError(undefined);
  const text = body.toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NotJsonError(positionOf(error, text));
  }
}

/** As `parseJsonWithNaN`, but integers a JavaScript number cannot hold come as BigInt with every digit. Slow: only on demand. */
export function parseJsonExactly(body: Buffer): unknown {
  const exact = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? (integerOf(context?.source ?? '') ?? value)
      : value;
  const parse = (text: string): unknown => JSON.parse(text, exact as (key: string, value: unknown) => unknown);
  try {
    const text = body.toString('utf8');
    return parse(body.includes('NaN') ? nullForNaN(text) : text);
  } catch {
    throw new NotJsonError(undefined);
  }
}

/** `read` of the body by `parse`; where that fails because an integer has lost digits, of the body with all of them. */
export function readExactly<T>(body: Buffer, parse: (body: Buffer) => unknown, read: (parsed: unknown) => T): T {
  try {
    return read(parse(body));
  } catch (error) {
    if (!(error instanceof Error && error.cause instanceof LostDigitsError)) throw error;
    return read(parseJsonExactly(body));
  }
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** No integer of a double has more digits: longer texts are not worth the time. */
const MOST_DIGITS = 400;

/** The integer a number in JSON or CSV is, with every digit; undefined when it is none, or none that anything holds. */
export function integerOf(source: string): bigint | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    (source.length <= MOST_DIGITS && NUMBER.exec(source)) || [];
  const places = Number(exponent) - fraction.length;
  if (whole === '' || Math.abs(places) > MOST_DIGITS) return undefined;
  const digits = whole + fraction;
  const end = Math.max(0, digits.length + Math.min(0, places));
  if (/[1-9]/.test(digits.slice(end))) return undefined;
  return BigInt(`${sign}${digits.slice(0, end)}${'0'.repeat(Math.max(0, places))}`);
}

/** As `parseJson`, but the word NaN, which Python's json writes for a missing number, is read as null. */
export function parseJsonWithNaN(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    if (!body.includes('NaN') || !isUtf8(body)) throw error;
    return parseJson(Buffer.from(nullForNaN(body.toString('utf8'))));
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const N = 0x4e;

/** Every NaN outside of a string becomes null. One pass, whatever the text: a pattern could be made to go back and forth. */
function nullForNaN(text: string): string {
  const parts: string[] = [];
  let [from, isInString] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) isInString = !isInString;
    else if (code === BACKSLASH && isInString) i++;
    else if (code === N && !isInString && text.startsWith('NaN', i)) {
      parts.push(text.slice(from, i), 'null');
      from = i + 3;
      i += 2;
    }
  }
  return parts.join('') + text.slice(from);
}

/**
 * As `repeatedKey`, for a body and what it was parsed to: nearly always it is enough to count, which costs a fraction of
 * the parsing.
 */
export const repeatedKeyIn = (body: Buffer, parsed: unknown): readonly (string | number)[] | undefined =>
  colonsIn(body) === keysIn(parsed) ? undefined : repeatedKey(body.toString());

const COLON = 0x3a;

function colonsIn(body: Buffer): number {
  let count = 0;
  for (let i = 0; i < body.length; i++) if (body[i] === COLON) count++;
  return count;
}

/** Nobody nests deeper than this on purpose. */
const DEEP = 32;

/** Of all objects in it; NaN when it is nested deep. Never more than the text has colons: some of those stand in its strings. */
function keysIn(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > DEEP) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (typeof value[i] === 'object') count += keysIn(value[i], depth + 1);
    return count;
  }
  // Parsed objects have no keys but their own.
  for (const key in value) {
    count++;
    const member = (value as Readonly<Record<string, unknown>>)[key];
    if (typeof member === 'object') count += keysIn(member, depth + 1);
  }
  return count;
}

interface Level {
  /** The keys met so far; undefined in a list. */
  readonly keys: Set<string> | undefined;
  /** Where in the list, or under which key, the walk is. */
  at: string | number;
  isKeyNext: boolean;
}

/**
 * Where an object in this text has a key that it had before: the way there, key last. Undefined when nowhere. The text
 * must be JSON; JSON.parse keeps the last of two such values and says nothing.
 */
export function repeatedKey(text: string): readonly (string | number)[] | undefined {
  const levels: Level[] = [];
  for (let i = 0; i < text.length; i++) {
    const level = levels.at(-1);
    if (text[i] !== '"') {
      step(levels, level, text[i] as string);
      continue;
    }
    const end = endOfString(text, i);
    if (level?.isKeyNext && !isNewKey(level, text.slice(i, end))) return levels.map(({ at }) => at);
    i = end - 1;
  }
  return undefined;
}

function step(levels: Level[], level: Level | undefined, char: string): void {
  if (char === '{') levels.push({ keys: new Set(), at: '', isKeyNext: true });
  else if (char === '[') levels.push({ keys: undefined, at: 0, isKeyNext: false });
  else if (char === '}' || char === ']') levels.pop();
  else if (char === ',' && level) goOn(level);
}

function goOn(level: Level): void {
  if (level.keys) level.isKeyNext = true;
  else level.at = (level.at as number) + 1;
}

function isNewKey(level: Level, literal: string): boolean {
  // Letters may be written as escapes.
  const key = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
  level.at = key;
  level.isKeyNext = false;
  const isNew = !level.keys?.has(key);
  level.keys?.add(key);
  return isNew;
}

/** Behind the closing quote of the string that opens here. */
function endOfString(text: string, from: number): number {
  let i = from + 1;
  while (i < text.length && text.charCodeAt(i) !== QUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
  return i + 1;
}

/** No pointer in a fault takes more bytes. */
const MOST_POINTER = 320;
const MOST_SEGMENT = 128;

/** `~` and `/` mean something in a pointer; a key of the request is cut, whoever sent it knows the rest. */
export const pointerSegment = (key: string | number): string =>
  typeof key === 'number' ? String(key) : cut(key, MOST_SEGMENT).replaceAll('~', '~0').replaceAll('/', '~1');

/** The way as a JSON pointer. */
export const pointerTo = (way: readonly (string | number)[]): string =>
  cut(way.map((key) => `/${pointerSegment(key)}`).join(''), MOST_POINTER, '...');

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
