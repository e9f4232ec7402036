import { isUtf8 } from 'node:buffer';

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

/** As `parseJson`, but integers a JavaScript number cannot hold come as BigInt with every digit. Slow: only on demand. */
export function parseJsonExactly(body: Buffer): unknown {
  const exact = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context?.source as string)
      : value;
  try {
    return JSON.parse(body.toString('utf8'), exact as (key: string, value: unknown) => unknown);
  } catch {
    throw new NotJsonError(undefined);
  }
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

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
