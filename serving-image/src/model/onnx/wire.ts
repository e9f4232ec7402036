/**
 * Protobuf's wire format, read without trusting it: every length is checked against its parent, nothing is allocated
 * by a length found in the file, and bytes nobody asks for (weights) are never read.
 */
import { readSync } from 'node:fs';

export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

export interface Bytes {
  readonly size: number;
  byte(at: number): number;
  text(at: number, length: number): string;
}

/** Bytes in memory. */
export const bufferBytes = (buffer: Buffer): Bytes => ({
  size: buffer.length,
  byte: (at) => buffer[at] as number,
  text: (at, length) => buffer.toString('utf8', at, at + length),
});

const WINDOW = 256 * 1024;

/** Bytes of an open file, through one small window: memory does not grow with the file. */
export function fileBytes(fd: number, size: number): Bytes {
  const window = Buffer.allocUnsafe(WINDOW);
  let from = 0;
  let until = 0;
  const load = (at: number): void => {
    from = at;
    until = at + readSync(fd, window, 0, WINDOW, at);
    if (until === from) throw new MalformedError(`ends at byte ${at}`);
  };
  const byte = (at: number): number => {
    if (at < from || at >= until) load(at);
    return window[at - from] as number;
  };
  const text = (at: number, length: number): string => {
    const out = Buffer.alloc(length);
    for (let i = 0; i < length; i++) out[i] = byte(at + i);
    return out.toString('utf8');
  };
  return { size, byte, text };
}

/** `value` holds a varint as far as a double can; `at`, `start` and `end`: its tag, its content, and what comes next. */
export interface Field {
  readonly number: number;
  readonly wire: number;
  readonly at: number;
  value: number;
  start: number;
  end: number;
}

const VARINT = 0;
const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/**
 * Calls `visit` for every field between `start` and `end`, in order, until it answers `false`. Throws MalformedError at
 * the first that is none.
 */
export function eachField(bytes: Bytes, start: number, end: number, visit: (field: Field) => unknown): void {
  let at = start;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (at >= end) throw new MalformedError(`a number runs past byte ${end}`);
      const byte = bytes.byte(at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new MalformedError(`a number at byte ${at} is too long`);
  };
  const lengthOf = (wire: number): number => {
    if (wire === LENGTH_DELIMITED) return varint();
    if (wire === FIXED64) return 8;
    if (wire === FIXED32) return 4;
    throw new MalformedError(`unknown wire type ${wire} at byte ${at}`);
  };
  while (at < end) {
    const from = at;
    const tag = varint();
    const field: Field = { number: Math.floor(tag / 8), wire: tag % 8, at: from, value: 0, start: at, end: at };
    if (field.number === 0) throw new MalformedError(`field number 0 at byte ${at}`);
    if (field.wire === VARINT) {
      field.value = varint();
      field.end = at;
    } else {
      const length = lengthOf(field.wire);
      field.start = at;
      field.end = at + length;
      if (field.end > end) throw new MalformedError(`a field of ${length} bytes runs past byte ${end}`);
      at = field.end;
    }
    if (visit(field) === false) return;
  }
}

/** The varint between two positions as a signed 64-bit number. */
export function int64At(bytes: Bytes, start: number, end: number): bigint {
  let value = 0n;
  for (let at = start; at < end; at++) value |= BigInt(bytes.byte(at) & 0x7f) << BigInt(7 * (at - start));
  return BigInt.asIntN(64, value);
}

/** The varints packed one after the other between two positions. Throws MalformedError when the last is cut off. */
export function packedInt64s(bytes: Bytes, start: number, end: number): bigint[] {
  const values: bigint[] = [];
  let from = start;
  for (let at = start; at < end; at++) {
    if (bytes.byte(at) >= 0x80) continue;
    values.push(int64At(bytes, from, at + 1));
    from = at + 1;
  }
  if (from !== end) throw new MalformedError(`a number runs past byte ${end}`);
  return values;
}

const encodedVarint = (value: number): Buffer => {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  return Buffer.from([...out, rest]);
};

/** A field that holds a number. */
export const numberField = (field: number, value: number): Buffer =>
  Buffer.concat([encodedVarint(field * 8 + VARINT), encodedVarint(value)]);

/** A field that holds bytes, put together from several pieces. */
export function bytesField(field: number, ...content: readonly Uint8Array[]): Buffer {
  const length = content.reduce((sum, piece) => sum + piece.length, 0);
  return Buffer.concat([delimiter(field, length), ...content]);
}

/** What comes before `length` bytes of a field. */
export const delimiter = (field: number, length: number): Buffer =>
  Buffer.concat([encodedVarint(field * 8 + LENGTH_DELIMITED), encodedVarint(length)]);
