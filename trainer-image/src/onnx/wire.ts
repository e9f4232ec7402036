/**
 * Writing protobuf's wire format. A part knows its size before it writes, so that a model of any size is written once,
 * into one buffer that is exactly as large as it is.
 */

/** Bytes to be: `write` puts `size` of them at `at`. */
export interface Part {
  readonly size: number;
  readonly write: (into: Buffer, at: number) => void;
}

/** The bytes of a part. */
export function bytesOf(part: Part): Uint8Array {
  const into = Buffer.allocUnsafe(part.size);
  part.write(into, 0);
  return into;
}

/** Of whole numbers from 0 to 2^53. */
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

function writeVarint(into: Buffer, at: number, value: number): number {
  let [rest, place] = [value, at];
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) into[place++] = (rest % 128) + 128;
  into[place++] = rest;
  return place;
}

const varint = (value: number): Part => ({
  size: varintSize(value),
  write: (into, at) => void writeVarint(into, at, value),
});

const raw = (bytes: Uint8Array): Part => ({ size: bytes.length, write: (into, at) => into.set(bytes, at) });

/** One after the other. */
export function message(...parts: readonly Part[]): Part {
  return {
    size: parts.reduce((sum, { size }) => sum + size, 0),
    write: (into, at) => {
      let place = at;
      for (const part of parts) {
        part.write(into, place);
        place += part.size;
      }
    },
  };
}

const VARINT = 0;
const DELIMITED = 2;
const tag = (field: number, wire: number): Part => varint(field * 8 + wire);

/** A whole number from 0 on. */
export const int = (field: number, value: number): Part => message(tag(field, VARINT), varint(value));
/** A message, a text or packed numbers inside another message. */
export const bytes = (field: number, value: Part): Part => message(tag(field, DELIMITED), varint(value.size), value);
export const text = (field: number, value: string): Part => bytes(field, raw(Buffer.from(value)));

/** Little-endian float32 without anything around them. */
export const float32s = (values: ArrayLike<number>): Part => ({
  size: values.length * 4,
  write: (into, at) => {
    for (let i = 0; i < values.length; i++) into.writeFloatLE(values[i] as number, at + i * 4);
  },
});
const FOUR_BYTES = 5;
/** One float. */
export const float = (field: number, value: number): Part => message(tag(field, FOUR_BYTES), float32s([value]));
/** Repeated floats, packed. */
export const floats = (field: number, values: ArrayLike<number>): Part => bytes(field, float32s(values));

/** Repeated whole numbers from 0 on, packed. */
export function ints(field: number, values: ArrayLike<number>): Part {
  let size = 0;
  for (let i = 0; i < values.length; i++) size += varintSize(values[i] as number);
  const write = (into: Buffer, at: number): void => {
    let place = at;
    for (let i = 0; i < values.length; i++) place = writeVarint(into, place, values[i] as number);
  };
  return bytes(field, { size, write });
}

/** Little-endian int64 without anything around them. */
export const int64s = (values: readonly number[]): Part => ({
  size: values.length * 8,
  write: (into, at) => {
    values.forEach((value, i) => {
      into.writeBigInt64LE(BigInt(value), at + i * 8);
    });
  },
});

/** One byte for each of them. */
export const uint8s = (length: number, value: number): Part => ({
  size: length,
  write: (into, at) => void into.fill(value, at, at + length),
});
