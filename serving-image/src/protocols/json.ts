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

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
