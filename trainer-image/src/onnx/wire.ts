/** Writing protobuf's wire format: the few kinds of field that a small ONNX model needs. */

type Bytes = Uint8Array;

function varint(value: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return out;
}

export const message = (...fields: readonly Bytes[]): Bytes => Buffer.concat(fields);
export const int = (field: number, value: number): Bytes => Uint8Array.from([...varint(field * 8), ...varint(value)]);
export const bytes = (field: number, value: Bytes): Bytes =>
  message(Uint8Array.from([...varint(field * 8 + 2), ...varint(value.length)]), value);
export const text = (field: number, value: string): Bytes => bytes(field, Buffer.from(value));
/** Repeated floats, packed. */
export function floats(field: number, values: ArrayLike<number>): Bytes {
  const packed = Buffer.alloc(values.length * 4);
  for (let i = 0; i < values.length; i++) packed.writeFloatLE(values[i] as number, i * 4);
  return bytes(field, packed);
}
/** Repeated integers, packed. */
export const ints = (field: number, values: readonly number[]): Bytes =>
  bytes(field, Uint8Array.from(values.flatMap(varint)));
