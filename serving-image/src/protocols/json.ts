import { isUtf8 } from 'node:buffer';

/** `position` is the character at which the text stops being JSON, where that is known. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError';
  readonly position: number;
  constructor(position: number) {
    super('not JSON');
    this.position = position;
  }
}

const positionOf = (error: unknown): number => Number(/at position (\d+)/.exec(String(error))?.[1] ?? 0);

/** Parses UTF-8 JSON; throws NotJsonError, which unlike the parser's own error holds nothing of the text. */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new NotJsonError(0);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new NotJsonError(positionOf(error));
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
  } catch (error) {
    throw new NotJsonError(positionOf(error));
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
