/**
 * A first look at an ONNX file, so that what is plainly no model is refused while its trainer's log is at hand: it must
 * read as a ModelProto with a graph and keep its weights inside. Whether it can be served is for `verify` to say.
 */
import { readSync } from 'node:fs';
import { FailureError } from '../failure.ts';

interface Field {
  readonly number: number;
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

const WINDOW = 64 * 1024;
const VARINT = 0;
/** Bytes by wire type; undefined where the field itself tells. */
const LENGTHS = { [VARINT]: undefined, 1: 8, 2: undefined, 5: 4 } as const;

/** Reads an open file through one small window: memory does not grow with the model. */
class Reader {
  readonly size: number;
  private readonly fd: number;
  private readonly window = Buffer.allocUnsafe(WINDOW);
  private from = 0;
  private until = 0;

  constructor(fd: number, size: number) {
    this.fd = fd;
    this.size = size;
  }

  byte(at: number): number {
    if (at < this.from || at >= this.until) {
      this.from = at;
      this.until = at + readSync(this.fd, this.window, 0, WINDOW, at);
      if (this.until === at) throw new RangeError('it ends too early');
    }
    return this.window[at - this.from] as number;
  }

  /** The number that begins at `at`, and where it ends. */
  private varint(at: number, end: number): readonly [value: number, next: number] {
    let [value, scale] = [0, 1];
    for (let next = at; next < Math.min(end, at + 10); next++) {
      const byte = this.byte(next);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return [value, next + 1];
      scale *= 128;
    }
    throw new RangeError('it ends too early, or is not protobuf');
  }

  /** The field whose tag begins at `at`. */
  private field(at: number, end: number): Field {
    const [tag, start] = this.varint(at, end);
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (number === 0 || !(wire in LENGTHS)) throw new RangeError('it is not protobuf');
    const fixed = LENGTHS[wire as keyof typeof LENGTHS];
    if (fixed !== undefined) return { number, value: 0, start, end: start + fixed };
    const [value, next] = this.varint(start, end);
    return wire === VARINT ? { number, value, start, end: next } : { number, value: 0, start: next, end: next + value };
  }

  /** The fields between two positions; every length is checked against its parent, no content is read. */
  *fields(start: number, end: number): Generator<Field> {
    for (let at = start; at < end; ) {
      const field = this.field(at, end);
      if (field.end > end) throw new RangeError('it ends too early');
      yield field;
      at = field.end;
    }
  }
}

const EXTERNAL = 1;

function keepsDataElsewhere(reader: Reader, tensor: Field): boolean {
  for (const { number, value } of reader.fields(tensor.start, tensor.end)) {
    if (number === 13 || (number === 14 && value === EXTERNAL)) return true;
  }
  return false;
}

function problemOf(reader: Reader): string | undefined {
  let [version, graphs, opsets] = [0, 0, 0];
  for (const field of reader.fields(0, reader.size)) {
    if (field.number === 1) version = field.value;
    if (field.number === 8) opsets++;
    if (field.number !== 7) continue;
    graphs++;
    for (const inner of reader.fields(field.start, field.end)) {
      if (inner.number === 5 && keepsDataElsewhere(reader, inner)) {
        return 'it keeps its weights in another file; save it with its weights inside';
      }
    }
  }
  if (version < 1 || graphs !== 1 || opsets === 0)
    return 'it has no IR version, graph or operator set; export it as ONNX';
  return undefined;
}

/** Throws InvalidModel saying what is wrong. */
export function checkOnnx(fd: number, size: number): void {
  const invalid = (why: string) => new FailureError('InvalidModel', `model/model.onnx is not an ONNX model: ${why}`);
  if (size === 0) throw invalid('the file is empty');
  let problem: string | undefined;
  try {
    problem = problemOf(new Reader(fd, size));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problem = error.message;
  }
  if (problem !== undefined) throw invalid(problem);
}
