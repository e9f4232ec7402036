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

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
