import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelSignature } from '@slipway/contract';
import type { Scored, ServedModel } from '../model/served-model.ts';
import type { Tensor, TensorSpec } from '../model/tensor.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import { Refusal } from '../request/refusal.ts';
import { unknownFeatures } from './features.ts';
import { createLines } from './line.ts';
import { putMilliseconds, shortSingle } from './numbers.ts';
import { createPage, type Page } from './page.ts';

const KEYS = [
  ...['timestamp', 'level', 'message', 'module', 'endpoint', 'status', 'latency_ms', 'request_id'],
  ...['input', 'prediction', 'input_stats', 'model_version', 'artifact_sha256', 'trace_id'],
];
const NOW = Date.parse('2026-03-01T12:30:00.007Z');
const TRACE = 'ab'.repeat(16);
const identity = { name: 'iris', version: '2', digest: 'd'.repeat(64) };
const open = { redact: [], hash: [], hashKey: 'key' };

const event = (more: Partial<AnsweredEvent> = {}): AnsweredEvent => ({
  endpoint: 'predict',
  status: 200,
  startedAt: 0,
  latencyMs: 1.23456,
  requestId: 'request-1',
  traceId: TRACE,
  ...more,
});

interface Shape {
  readonly signature: ModelSignature;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}
/** What is written on a page that is too small for it. */
function written(put: (page: Page) => void): string {
  const page = createPage(8);
  put(page);
  return page.bytes.toString('utf8', 0, page.at);
}
function linesOf(shape: Shape, privacy: Partial<typeof open> | object = {}) {
  const lines = createLines(identity, () => shape as unknown as ServedModel, { ...open, ...privacy });
  return {
    success: (event: AnsweredEvent, scored: Scored, isRecord: boolean, now: number) =>
      written((page) => lines.success(page, event, scored, isRecord, now)),
    error: (event: AnsweredEvent, now: number) => written((page) => lines.error(page, event, now)),
  };
}

const floats = (rows: number, values: readonly number[]): Tensor => ({
  type: 'float32',
  dims: [rows, values.length / rows],
  data: Float32Array.from(values),
});
const ids = (...values: number[]): Tensor => ({
  type: 'int64',
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

const iris: Shape = {
  signature: {
    inputs: ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'].map((name) => ({ name, type: 'float32' })),
    outputs: [
      { name: 'label', type: 'int64', labels: ['setosa', 'versicolor', 'virginica'] },
      { name: 'probabilities', type: 'float32' },
    ],
  },
  inputs: [{ name: 'features', type: 'float32', dims: [-1, 4] }],
  outputs: [
    { name: 'label', type: 'int64', dims: [-1] },
    { name: 'probabilities', type: 'float32', dims: [-1, 3] },
  ],
};
const setosa = { inputs: [floats(1, [5.1, 3.5, 1.4, 0.2])], outputs: [ids(0), floats(1, [0.98, 0.02, 0])] };

test('a record’s line has the promised keys in their order and the values as they were given', () => {
  const text = linesOf(iris).success(event(), setosa, true, NOW);
  assert.ok(text.endsWith('}\n'));
  const line = JSON.parse(text);
  assert.deepEqual(Object.keys(line), KEYS);
  const mean = (value: number) => ({ mean: value, std: 0 });
  assert.deepEqual(line, {
    timestamp: '2026-03-01T12:30:00.007Z',
    level: 'info',
    message: 'prediction',
    module: 'slipway.serving',
    endpoint: 'predict',
    status: 'success',
    latency_ms: 1.235,
    request_id: 'request-1',
    input: { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 },
    prediction: { class: 0, label: 'setosa', confidence: 0.98 },
    input_stats: {
      sepal_length: mean(5.1),
      sepal_width: mean(3.5),
      petal_length: mean(1.4),
      petal_width: mean(0.2),
    },
    model_version: '2',
    artifact_sha256: identity.digest,
    trace_id: TRACE,
  });
});

test('a list’s line has lists, with mean and population deviation over its rows', () => {
  const lines = linesOf(iris);
  const one = JSON.parse(lines.success(event(), setosa, false, NOW));
  assert.equal(one.input.length, 1);
  assert.deepEqual(one.prediction, [{ class: 0, label: 'setosa', confidence: 0.98 }]);
  const two = JSON.parse(
    lines.success(
      event(),
      { inputs: [floats(2, [1, 2, 3, 4, 3, 2, 3, 8])], outputs: [ids(1, 2), floats(2, [0, 1, 0, 0.1, 0.2, 0.7])] },
      false,
      NOW,
    ),
  );
  assert.deepEqual(two.input[1], { sepal_length: 3, sepal_width: 2, petal_length: 3, petal_width: 8 });
  assert.deepEqual(
    two.prediction.map(({ label }: { label: string }) => label),
    ['versicolor', 'virginica'],
  );
  assert.deepEqual(two.input_stats.petal_width, { mean: 6, std: 2 });
});

test('of many rows the first are shown, all are counted and all are in the statistics', () => {
  const rows = 1000;
  const values = Array.from({ length: rows * 4 }, (_, i) => Math.floor(i / 4));
  const scored = {
    inputs: [floats(rows, values)],
    outputs: [ids(...Array(rows).fill(1)), floats(rows, Array(rows * 3).fill(1 / 3))],
  };
  const line = JSON.parse(linesOf(iris).success(event(), scored, false, NOW));
  assert.equal(line.rows, rows);
  assert.equal(line.input.length, 16);
  assert.equal(line.prediction.length, 16);
  assert.equal(line.input_stats.sepal_length.mean, 499.5);
  assert.ok(Math.abs(line.input_stats.sepal_length.std - 288.67499) < 1e-5);
});

const abalone: Shape = {
  signature: {
    inputs: [
      { name: 'sex', type: 'string', optional: true },
      { name: 'length', type: 'float32', optional: true },
      { name: 'count', type: 'int64' },
      { name: 'is old "quoted"', type: 'bool' },
    ],
    outputs: [{ name: 'rings', type: 'float32' }],
  },
  inputs: [
    { name: 'sex', type: 'string', dims: [-1, 1] },
    { name: 'length', type: 'float32', dims: [-1, 1] },
    { name: 'count', type: 'int64', dims: [-1] },
    { name: 'is old "quoted"', type: 'bool', dims: [-1, 1] },
  ],
  outputs: [{ name: 'rings', type: 'float32', dims: [-1, 1] }],
};
const animal = (sex: string, length: number) => ({
  inputs: [
    { type: 'string', dims: [1, 1], data: [sex] },
    floats(1, [length]),
    { type: 'int64', dims: [1], data: BigInt64Array.of(9007199254740993n) },
    { type: 'bool', dims: [1, 1], data: Uint8Array.of(1) },
  ] as Tensor[],
  outputs: [floats(1, [9.87])],
});

test('columns of every type, missing ones and awkward texts are valid JSON; a regressor’s prediction is a value', () => {
  const lines = linesOf(abalone);
  const text = lines.success(event(), animal('"\n\u2028M', 0.455), true, NOW);
  assert.ok(text.includes('"count":9007199254740993'), 'whole numbers keep every digit');
  assert.equal(text.indexOf('\n'), text.length - 1);
  const line = JSON.parse(text);
  assert.equal(line.input.sex, '"\n\u2028M');
  assert.equal(line.input['is old "quoted"'], true);
  assert.deepEqual(line.input_stats['is old "quoted"'], { mean: 1, std: 0 });
  assert.ok(!('sex' in line.input_stats));
  assert.deepEqual(line.prediction, { value: 9.87 });
  const missing = JSON.parse(lines.success(event(), animal('', Number.NaN), true, NOW));
  assert.deepEqual([missing.input.sex, missing.input.length], [null, null]);
  assert.deepEqual(missing.input_stats.length, { mean: null, std: null });
});

test('features of several values show some of them, and have statistics unless they are pictures', () => {
  const shape: Shape = {
    ...abalone,
    signature: {
      ...abalone.signature,
      inputs: [
        { name: 'picture', type: 'float32' },
        { name: 'vector', type: 'float32' },
      ],
    },
    inputs: [
      { name: 'picture', type: 'float32', dims: [-1, 3, 32, 32] },
      { name: 'vector', type: 'float32', dims: [-1, 3] },
    ],
  };
  for (const rows of [1, 2]) {
    const picture: Tensor = { type: 'float32', dims: [rows, 3, 32, 32], data: new Float32Array(rows * 3072) };
    const scored = {
      inputs: [picture, floats(rows, Array(rows).fill([1, 2, 3]).flat())],
      outputs: [floats(rows, Array(rows).fill(7))],
    };
    const line = JSON.parse(linesOf(shape).success(event(), scored, false, NOW));
    assert.equal(line.input.length, rows);
    assert.equal(line.input[0].picture.length, 16);
    assert.deepEqual(line.input[0].vector, [1, 2, 3]);
    assert.deepEqual(line.input_stats, { vector: { mean: 2, std: 0.816497 } });
  }
});

test('statistics of large numbers, and of columns where some or all values are missing', () => {
  const shape: Shape = {
    ...abalone,
    signature: {
      ...abalone.signature,
      inputs: ['time', 'some', 'none'].map((name) => ({ name, type: 'float64', optional: true })),
    },
    inputs: [{ name: 'x', type: 'float64', dims: [-1, 3] }],
  };
  const data = Float64Array.of(1.7e12, 1, Number.NaN, 1.7e12 + 2, Number.NaN, Number.NaN, 1.7e12 + 4, 3, Number.NaN);
  const scored = { inputs: [{ type: 'float64', dims: [3, 3], data } as Tensor], outputs: [floats(3, [1, 2, 3])] };
  const { input_stats: stats, input } = JSON.parse(linesOf(shape).success(event(), scored, false, NOW));
  assert.equal(input[1].some, null);
  assert.deepEqual(stats.some, { mean: 2, std: 1 });
  assert.deepEqual(stats.none, { mean: null, std: null });
  assert.ok(Math.abs(stats.time.std - Math.sqrt(8 / 3)) < 1e-5);
});

test('values that have no mean, infinite ones and ones too large to be added, have none in the statistics', () => {
  const shape: Shape = {
    ...abalone,
    signature: { ...abalone.signature, inputs: ['a', 'b', 'c'].map((name) => ({ name, type: 'float64' })) },
    inputs: [{ name: 'x', type: 'float64', dims: [-1, 3] }],
  };
  const { POSITIVE_INFINITY: infinite, MAX_VALUE: most } = Number;
  const data = Float64Array.of(infinite, -most, Number.NaN, infinite, most, infinite, 1, -most, -infinite);
  const scored = { inputs: [{ type: 'float64', dims: [3, 3], data } as Tensor], outputs: [floats(3, [1, 2, 3])] };
  const { input_stats: stats } = JSON.parse(linesOf(shape).success(event(), scored, false, NOW));
  const none = { mean: null, std: null };
  assert.deepEqual(stats, { a: none, b: none, c: none });
});

test('a redacted feature is nowhere in a line, however its name is written; a hashed one is a digest without statistics', () => {
  const lines = linesOf(abalone, { redact: ['Length'], hash: ['sex', 'count'] });
  const line = (sex: string) => lines.success(event(), animal(sex, 123.5), true, NOW);
  const first = JSON.parse(line('F'));
  assert.doesNotMatch(line('F'), /123\.5|"F"|9007199254740993/);
  assert.deepEqual(Object.keys(first.input), ['sex', 'count', 'is old "quoted"']);
  assert.deepEqual(Object.keys(first.input_stats), ['is old "quoted"']);
  assert.match(first.input.sex, /^[0-9a-f]{32}$/);
  assert.equal(JSON.parse(line('F')).input.sex, first.input.sex);
  assert.notEqual(JSON.parse(line('M')).input.sex, first.input.sex);
  const replica = linesOf(abalone, { hash: ['sex'] }).success(event(), animal('F', 1), true, NOW);
  assert.equal(JSON.parse(replica).input.sex, first.input.sex, 'the same key, the same digest');
  const other = linesOf(abalone, { hash: ['sex'], hashKey: 'other' }).success(event(), animal('F', 1), true, NOW);
  assert.notEqual(JSON.parse(other).input.sex, first.input.sex);
});

test('names that are no feature are told', () => {
  const wanted = ['SEX', 'lenght', 'count'];
  assert.deepEqual(unknownFeatures(wanted, abalone.signature, abalone.inputs), ['lenght']);
});

test('a refused request’s line holds why and nothing of the request', () => {
  const lines = linesOf(iris);
  const refused = JSON.parse(
    lines.error(event({ status: 422, refusal: new Refusal(422, 'Input should be a "number"') }), NOW),
  );
  assert.deepEqual(Object.keys(refused), [...KEYS, 'error_message']);
  assert.deepEqual([refused.level, refused.status, refused.message], ['warning', 'error', 'prediction refused']);
  assert.equal(refused.error_message, 'Input should be a "number"');
  assert.deepEqual([refused.input, refused.prediction, refused.input_stats], [null, null, null]);
  const failed = JSON.parse(lines.error(event({ status: 500, refusal: new Refusal(500, 'x'.repeat(5000)) }), NOW));
  assert.deepEqual([failed.level, failed.message], ['error', 'prediction failed']);
  assert.ok(failed.error_message.length <= 500);
  assert.match(JSON.parse(lines.error(event({ status: 499 }), NOW)).error_message, /went away/);
});

test('names of classes, class probabilities alone, and scores that are no probabilities', () => {
  const names: Shape = {
    ...iris,
    signature: { ...iris.signature, outputs: [{ name: 'label', type: 'string', labels: ['a', 'b'] }] },
    outputs: [{ name: 'label', type: 'string', dims: [-1] }],
  };
  const named = (label: string) => ({
    ...setosa,
    outputs: [{ type: 'string', dims: [1], data: [label] }] as Tensor[],
  });
  const prediction = (shape: Shape, scored: typeof setosa) =>
    JSON.parse(linesOf(shape).success(event(), scored, true, NOW)).prediction;
  assert.deepEqual(prediction(names, named('b')), { class: 1, label: 'b', confidence: null });
  assert.deepEqual(prediction(names, named('c')), { class: null, label: 'c', confidence: null });

  const scores: Shape = {
    ...iris,
    signature: { ...iris.signature, outputs: [{ name: 'p', type: 'float32', labels: ['no', 'yes'] }] },
    outputs: [{ name: 'p', type: 'float32', dims: [-1, 1] }],
  };
  assert.deepEqual(prediction(scores, { ...setosa, outputs: [floats(1, [0.25])] }), {
    class: 0,
    label: 'no',
    confidence: 0.75,
  });
  const margins = { ...setosa, outputs: [ids(1), floats(1, [-3, 4.5, 0])] };
  assert.deepEqual(prediction(iris, margins), { class: 1, label: 'versicolor', confidence: null });
});

test('a number of single precision is shown with the digits it was given', () => {
  for (const given of [0, 5.1, -0.2, 0.0001, 123456.79, 1e-7, 3.4e38, 1 / 3, 16777216, 0.1 + 0.2, 1e10]) {
    const single = Math.fround(given);
    const text = shortSingle(single);
    assert.equal(Math.fround(JSON.parse(text)), single);
    assert.ok(text.length <= 14 || given > 1e20, `${given}: ${text}`);
  }
  assert.deepEqual(
    [5.1, 0.2, 1e-7].map((value) => shortSingle(Math.fround(value))),
    ['5.1', '0.2', '1e-7'],
  );
  assert.equal(shortSingle(Number.NaN), 'null');
  assert.equal(
    written((page) => putMilliseconds(page, 0.0126)),
    '0.013',
  );
});
