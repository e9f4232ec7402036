/** The Open Inference Protocol's binary extension: tensors as raw little-endian bytes after the JSON, and back. */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { listOfTexts } from '../model/column.ts';
import {
  bytesPerValue,
  elementCount,
  firstNonFinite,
  isFloat,
  type Tensor,
  type TensorData,
  type TensorSpec,
  viewOf,
} from '../model/tensor.ts';
import type { TensorRules, ValueRule } from '../model/tensor-rules.ts';
import { Refusal } from '../request/refusal.ts';

/** How many bytes of a body are JSON; what follows are tensors. */
export const HEADER_LENGTH = 'Inference-Header-Content-Length';

const bad = (message: string): Refusal => new Refusal(400, message);

export interface SplitBody {
  readonly json: Buffer;
  /** What follows the JSON; undefined when the request does not say that anything does. */
  readonly raw: Buffer | undefined;
}

/** Throws Refusal(400) when the header is no length within the body. */
export function splitBody(body: Buffer, headers: IncomingHttpHeaders): SplitBody {
  const given = headers['inference-header-content-length'];
  if (given === undefined) return { json: body, raw: undefined };
  const length = typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : -1;
  if (length < 0) throw bad(`${HEADER_LENGTH}: expected the number of bytes of the JSON, got something else`);
  if (length > body.length) {
    throw bad(`${HEADER_LENGTH}: the JSON is said to have ${length} bytes, the whole body has ${body.length}`);
  }
  return { json: body.subarray(0, length), raw: body.subarray(length) };
}

/**
 * One input from its bytes, which it goes on using where they are aligned: they must not change. Throws Refusal(400)
 * that begins with `label`, and names place and types, never values.
 */
export function readBinary(
  raw: Buffer,
  { type }: Pick<TensorSpec, 'type'>,
  dims: readonly number[],
  rules: TensorRules,
  label: string,
): Tensor {
  const count = elementCount(dims);
  if (type === 'string') return { type, dims, data: readTexts(raw, count, rules, label) };
  const size = bytesPerValue(type);
  if (raw.length !== count * size) {
    throw bad(`${label}: "binary_data_size" is ${raw.length}, its shape and datatype ask for ${count * size}`);
  }
  const tensor: Tensor = { type, dims, data: viewOf(type, raw) };
  if (type === 'bool') checkBooleans(tensor.data as Uint8Array, label);
  if (isFloat(type) && firstNonFinite(tensor) !== -1) checkFloats(tensor.data as Float32Array, rules, label);
  return tensor;
}

function checkBooleans(data: Uint8Array, label: string): void {
  const at = data.findIndex((byte) => byte > 1);
  if (at !== -1) throw bad(`${label}: value ${at} of its binary data: expected the byte 0 or 1, got another one`);
}

/** NaN stands for a missing value where one may be missing. */
function checkFloats(data: Float32Array, rules: TensorRules, label: string): void {
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    if (Number.isFinite(value)) continue;
    const rule = rules.length > 0 ? rules[at % rules.length] : undefined;
    if (Number.isNaN(value) && rule?.isOptional) continue;
    throw bad(`${label}: value ${at} of its binary data: expected a finite number, got one that is not`);
  }
}

/** Before each text stands its length. */
const LENGTH_BYTES = 4;

function readTexts(raw: Buffer, count: number, rules: TensorRules, label: string): string[] {
  if (count * LENGTH_BYTES > raw.length) {
    throw bad(`${label}: its shape asks for ${count} values, ${raw.length} bytes of binary data cannot hold them`);
  }
  const texts: string[] = new Array(count);
  let from = 0;
  for (let at = 0; at < count; at++) {
    const start = from + LENGTH_BYTES;
    const end = start > raw.length ? Infinity : start + raw.readUInt32LE(from);
    if (end > raw.length) throw bad(`${label}: value ${at} of its binary data runs past the tensor's last byte`);
    texts[at] = readText(
      raw.subarray(start, end),
      rules[at % rules.length],
      `${label}: value ${at} of its binary data`,
    );
    from = end;
  }
  if (from !== raw.length)
    throw bad(`${label}: its binary data goes on for ${raw.length - from} bytes after its values`);
  return texts;
}

function readText(raw: Buffer, rule: ValueRule | undefined, label: string): string {
  if (!isUtf8(raw)) throw bad(`${label}: expected UTF-8, got other bytes`);
  const text = raw.toString('utf8');
  const isUnknown = rule?.known !== undefined && !rule.known.has(text) && !(rule.isOptional && text === '');
  if (isUnknown) throw bad(`${label}: expected one of ${listOfTexts([...(rule.known ?? [])])}, got string`);
  return text;
}

/** The tensor's values as the extension carries them; numbers are not copied. */
export function writeBinary(data: TensorData): Buffer {
  if (!Array.isArray(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const texts = data.map((text) => Buffer.from(text));
  return Buffer.concat(texts.flatMap((text) => [lengthOf(text), text]));
}

function lengthOf(text: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.length);
  return length;
}
