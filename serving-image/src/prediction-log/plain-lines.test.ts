/** Lines beside the same lines put together plainly, over inputs nobody would think of. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { ModelSignature } from '@slipway/contract';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor, TensorSpec, TensorType } from '../model/tensor.ts';
import { createLines } from './line.ts';
import { double, putDouble, putMilliseconds, putShare, putSingle, rounded, shortSingle } from './numbers.ts';
import { createPage, type Page } from './page.ts';

/** The same numbers every time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
const random = numbers(7);
const upTo = (count: number): number => Math.floor(random() * count);
const pick = <T>(from: readonly T[]): T => from[upTo(from.length)] as T;

const double1 = new Float64Array(1);
const bits = new Uint32Array(double1.buffer);
function anyDouble(): number {
  bits[0] = random() * 2 ** 32;
  bits[1] = random() * 2 ** 32;
  return double1[0] as number;
}
const NASTY = [
  ...[0, -0, Number.NaN, Infinity, -Infinity, 1e-7, -1e-7, 1e21, 5e-324, 1e-45, 0.1, 1 / 3, 0.0001, 0.00005, 1e-5],
  ...[214_748.3647, 214_748.3648, -214_748.3647, -214_748.3648, 16_777_216, 123_456.79, 1e8, 99_999_999, 2 ** 31],
];
const KINDS: readonly (() => number)[] = [
  () => pick(NASTY),
  anyDouble,
  () => Math.round(random() * 100) / 10,
  () => Math.round((random() - 0.5) * 1e6) / 10 ** upTo(6),
  () => (random() - 0.5) * 10 ** (upTo(20) - 9),
  () => upTo(1000) - 500,
];
const anyNumber = (): number => pick(KINDS)();

function text(put: (page: Page) => void): string {
  const page = createPage(1);
  put(page);
  return page.bytes.toString('utf8', 0, page.at);
}

/** Found by trying, slowly and surely. */
function plainSingle(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  const near = Math.round(value * 1e4) / 1e4;
  if (Math.fround(near) === value) return String(near);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

test('numbers are written digit by digit as JavaScript prints them', () => {
  for (let i = 0; i < 60_000; i++) {
    const value = anyNumber();
    const single = Math.fround(value);
    const share = Math.abs(value) % 1 || 0;
    assert.equal(
      text((page) => putSingle(page, single)),
      plainSingle(single),
    );
    assert.equal(shortSingle(single), plainSingle(single));
    assert.equal(
      text((page) => putDouble(page, value)),
      Number.isFinite(value) ? String(value) : 'null',
    );
    assert.equal(
      text((page) => putShare(page, share)),
      String(Math.round(share * 1e6) / 1e6),
    );
    assert.equal(
      text((page) => putMilliseconds(page, value)),
      String(Math.round(value * 1000) / 1000),
    );
  }
});

const TEXTS = ['', 'a', '"', '\\', '\n\u2028', 'ü€', '\ud83d', '😀'.repeat(200), 'x'.repeat(300), 'null', '\0'];
const TYPES: readonly TensorType[] = ['float16', 'float32', 'float64', 'int64', 'int32', 'bool', 'string'];

function anyTensor(type: TensorType, rows: number, width: number): Tensor {
  const each = { length: rows * width };
  const dims = [rows, width];
  if (type === 'string') return { type, dims, data: Array.from(each, () => pick(TEXTS)) };
  if (type === 'int64')
    return { type, dims, data: BigInt64Array.from(each as bigint[], () => BigInt(upTo(2 ** 31)) ** 2n) };
  if (type === 'int32') return { type, dims, data: Int32Array.from(each, () => upTo(300) - 100) };
  if (type === 'bool') return { type, dims, data: Uint8Array.from(each, () => upTo(2)) };
  if (type === 'float16') return { type, dims, data: Float16Array.from(each, anyNumber) };
  return {
    type,
    dims,
    data: type === 'float32' ? Float32Array.from(each, anyNumber) : Float64Array.from(each, anyNumber),
  };
}

function plainValue(type: TensorType, value: unknown, isOptional: boolean): string {
  if (type === 'string') return value === '' && isOptional ? 'null' : JSON.stringify((value as string).slice(0, 256));
  if (type === 'bool') return value ? 'true' : 'false';
  if (type === 'float64') return double(value as number);
  return type.startsWith('float') ? plainSingle(value as number) : String(value);
}

/** Of some rows; the only value of a row is its own mean, with all its digits. */
function plainStats(type: TensorType, values: readonly unknown[], isOnly: boolean): string {
  if (isOnly) {
    const mean = type.startsWith('float') ? plainValue(type, values[0], false) : String(Number(values[0]));
    return mean === 'null' ? '{"mean":null,"std":null}' : `{"mean":${mean},"std":0}`;
  }
  const present = values.map(Number).filter((value) => !Number.isNaN(value));
  const [first = Number.NaN] = present;
  const sum = present.reduce((total, value) => total + (value - first), 0);
  const squares = present.reduce((total, value) => total + (value - first) ** 2, 0);
  const mean = sum / present.length;
  const deviation = Math.sqrt(Math.max(0, squares / present.length - mean * mean));
  return Number.isNaN(sum)
    ? '{"mean":null,"std":null}'
    : `{"mean":${rounded(mean + first)},"std":${rounded(deviation)}}`;
}

interface Shape {
  readonly signature: ModelSignature;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}
const HASH_KEY = 'key';

/** `input` and `input_stats` of a model of one tensor a feature. */
function plainFeatures(shape: Shape, tensors: readonly Tensor[], rows: number, hidden: Hidden): [string, string] {
  const shown = shape.inputs.map((spec, i) => ({ ...spec, i })).filter(({ name }) => !hidden.redact.includes(name));
  const shownOf = (name: string, i: number, at: number): string => {
    const { data, type } = tensors[i] as Tensor;
    const value = plainValue(type, data[at], shape.signature.inputs[i]?.optional ?? false);
    if (!hidden.hash.includes(name)) return value;
    const hashed = typeof data[at] === 'string' ? data[at] : value;
    return `"${createHmac('sha256', HASH_KEY).update(`${name}\0${hashed}`).digest('hex').slice(0, 32)}"`;
  };
  const row = (at: number): string => {
    const pairs = shown.map(({ name, i }) => {
      const width = (tensors[i] as Tensor).data.length / rows;
      const values = Array.from({ length: Math.min(width, 16) }, (_, k) => shownOf(name, i, at * width + k));
      return `${JSON.stringify(name)}:${width === 1 ? values[0] : `[${values}]`}`;
    });
    return `{${pairs}}`;
  };
  const stats = shown
    .filter(({ name, type }) => type !== 'string' && !hidden.hash.includes(name))
    .map(({ name, i }) => {
      const { type, data } = tensors[i] as Tensor;
      return `${JSON.stringify(name)}:${plainStats(type, [...data], data.length === 1)}`;
    });
  return [Array.from({ length: Math.min(rows, 16) }, (_, at) => row(at)).join(), `{${stats}}`];
}

interface Hidden {
  readonly redact: readonly string[];
  readonly hash: readonly string[];
}

const NAMES = ['a', 'name "q"', 'ü', '1', 'é\n'];
const LABELS = ['no', 'yes "q"', 'ü'];

function anyShape(): Shape {
  const names = NAMES.slice(0, 1 + upTo(NAMES.length));
  const columns = names.map((name) => ({ name, type: pick(TYPES), optional: random() < 0.5 }));
  return {
    signature: {
      inputs: columns,
      outputs: [
        { name: 'label', type: 'int64', labels: LABELS },
        { name: 'p', type: 'float32' },
      ],
    } as ModelSignature,
    inputs: columns.map(({ name, type }) => ({ name, type, dims: [-1, pick([1, 1, 3, 20])] })),
    outputs: [
      { name: 'label', type: 'int64', dims: [-1] },
      { name: 'p', type: 'float32', dims: [-1, 3] },
    ],
  };
}

test('lines of any model, row and value are those that are put together plainly', () => {
  const page = createPage(100);
  const identity = { name: 'm', version: 'ü"', digest: 'd'.repeat(64) };
  let now = Date.parse('2026-03-01T12:30:00.007Z');
  for (let i = 0; i < 600; i++) {
    const shape = anyShape();
    const names = shape.inputs.map(({ name }) => name);
    const hidden = { redact: random() < 0.2 ? [pick(names)] : [], hash: random() < 0.3 ? [pick(names)] : [] };
    const lines = createLines(identity, () => shape as unknown as ServedModel, { ...hidden, hashKey: HASH_KEY });
    for (const rows of [1, 1, pick([1, 2, 16, 17, 40])]) {
      now += pick([0, 0, 1, 999, 5000]);
      const inputs = shape.inputs.map(({ type, dims }) => anyTensor(type, rows, dims[1] as number));
      const classes = Array.from({ length: rows }, () => upTo(4));
      const shares = Float32Array.from({ length: rows * 3 }, () =>
        pick([random(), random(), -0, 1, 1e-7, 2, Number.NaN]),
      );
      const outputs: Tensor[] = [
        { type: 'int64', dims: [rows], data: BigInt64Array.from(classes, BigInt) },
        { type: 'float32', dims: [rows, 3], data: shares },
      ];
      const isRecord = rows === 1 && random() < 0.5;
      const latencyMs = random() * 10 ** upTo(8);
      const event = { endpoint: 'predict', status: 200, startedAt: 0, latencyMs, requestId: `r-${i}`, traceId: 'ab' };
      if (random() < 0.3) page.at = 0;
      const from = page.at;
      lines.success(page, event, { inputs, outputs }, isRecord, now);
      const [input, stats] = plainFeatures(shape, inputs, rows, hidden);
      const predictions = classes.slice(0, 16).map((id, row) => {
        const [first = 0, ...others] = shares.subarray(row * 3, row * 3 + 3);
        const highest = Math.max(first, ...others.filter((share) => !Number.isNaN(share)));
        const confidence = highest >= 0 && highest <= 1 ? Math.round(highest * 1e6) / 1e6 : null;
        return `{"class":${id},"label":${JSON.stringify(LABELS[id] ?? String(id))},"confidence":${confidence}}`;
      });
      const inList = (values: string): string => (isRecord ? values : `[${values}]`);
      const expected = [
        `{"timestamp":"${new Date(now).toISOString()}","level":"info","message":"prediction","module":"slipway.serving"`,
        `,"endpoint":"predict","status":"success","latency_ms":${Math.round(latencyMs * 1000) / 1000}`,
        `,"request_id":"r-${i}","input":${inList(input)},"prediction":${inList(predictions.join())}`,
        `,"input_stats":${stats}${rows > 16 ? `,"rows":${rows}` : ''},"model_version":"ü\\""`,
        `,"artifact_sha256":"${identity.digest}","trace_id":"ab"}\n`,
      ];
      assert.equal(page.bytes.toString('utf8', from, page.at), expected.join(''));
    }
  }
});
