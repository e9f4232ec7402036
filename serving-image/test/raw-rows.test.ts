/** Rows as they stand in a table: texts, missing values, and a model that the trainer's own writer wrote. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ModelSignature } from '@slipway/contract';
import type { Encoding, FeatureColumn, Tree } from '../../trainer-image/src/model.ts';
import { encodeModel } from '../../trainer-image/src/onnx/encode-model.ts';
import { signatureFor } from '../../trainer-image/src/onnx/signature.ts';
import { filesOf, modelFolder } from './folder.ts';
import type { TestModel } from './models.ts';
import { run, type Served, serve } from './program.ts';

const features: readonly FeatureColumn[] = [
  { kind: 'category', name: 'sex', ids: Int16Array.of(0, 1, -1), categories: ['F', 'M'], missing: 1 },
  { kind: 'number', name: 'Whole weight', values: Float32Array.of(1, Number.NaN, 3), missing: 1 },
  { kind: 'category', name: 'colour', ids: Int16Array.of(0, 1, 1), categories: ['blue', 'red'], missing: 0 },
  { kind: 'number', name: 'length', values: Float32Array.of(1, 2, 3), missing: 0 },
];
const encodings: readonly Encoding[] = [
  { feature: 0, kind: 'is', category: 'F' },
  { feature: 0, kind: 'is', category: 'M' },
  { feature: 1, kind: 'number', impute: 2 },
  { feature: 2, kind: 'is', category: 'red' },
  { feature: 3, kind: 'number', impute: 2 },
];
/** 100 for F, 200 for M, 10 times the weight (2 where it is missing), 1000 for red, the length. */
const mixed: TestModel = {
  onnx: Buffer.from(
    encodeModel({
      model: { kind: 'linear-regressor', coefficients: Float64Array.of(100, 200, 10, 1000, 1), intercept: 0 },
      features,
      encodings,
    }),
  ),
  signature: signatureFor({ features }),
  examples: {
    inputs: [
      { sex: 'M', 'Whole weight': 3, colour: 'red', length: 4 },
      { sex: null, 'Whole weight': null, colour: 'blue', length: 1 },
      { colour: 'blue', length: 1 },
    ],
    outputs: { prediction: [1234, 21, 21] },
  },
};

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});
const post = (url: string, body: string) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });

describe('raw rows', () => {
  let server: Served;
  before(async () => {
    server = await serve(context, mixed);
  });
  const predict = (body: string) => post(`${server.url}/predict`, body);
  const one = (sample: string) => predict(`{"samples":[${sample}]}`);

  const answered: [name: string, sample: string, value: number][] = [
    ['everything is there', '{"sex":"F","Whole weight":1,"colour":"red","length":5}', 1115],
    ['what may be missing is left out', '{"colour":"blue","length":5}', 25],
    ['what may be missing is null', '{"sex":null,"Whole weight":null,"colour":"blue","length":5}', 25],
    ['a missing number is NaN, as Python writes it', '{"sex":"M","Whole weight":NaN,"colour":"blue","length":5}', 225],
    ['a missing text is empty', '{"sex":"","Whole weight":1,"colour":"blue","length":5}', 15],
    ['a column has another way of writing its name', '{"whole_weight":1,"colour":"blue","length":5}', 15],
  ];
  for (const [name, sample, value] of answered) {
    test(`${name}: answered`, async () => {
      assert.deepEqual(await (await one(sample)).json(), { prediction: [value] });
    });
  }

  const refused: [name: string, sample: string, field: string, type: string, words: RegExp][] = [
    ['an unseen category', '{"sex":"X","colour":"red","length":1}', 'sex', 'literal_error', /one of 'F', 'M'/],
    ['a required text that is missing', '{"length":1}', 'colour', 'missing', /required/],
    ['a required text that is null', '{"colour":null,"length":1}', 'colour', 'string_type', /null/],
    ['a required text that is empty', '{"colour":"","length":1}', 'colour', 'literal_error', /'blue', 'red'/],
    ['a required number that is missing', '{"colour":"red"}', 'length', 'missing', /required/],
    ['a required number that is null', '{"colour":"red","length":null}', 'length', 'float_type', /null/],
    [
      'an empty text for a number',
      '{"Whole weight":"","colour":"red","length":1}',
      'Whole weight',
      'float_type',
      /string/,
    ],
    ['infinity', '{"Whole weight":1e999,"colour":"red","length":1}', 'Whole weight', 'finite_number', /finite/],
  ];
  for (const [name, sample, field, type, words] of refused) {
    test(`${name} is refused with 422 ${type}`, async () => {
      const response = await one(sample);
      assert.equal(response.status, 422);
      const { detail } = (await response.json()) as { detail: { loc: unknown[]; type: string; msg: string }[] };
      assert.deepEqual([detail[0]?.loc, detail[0]?.type], [['body', 'samples', 0, field], type]);
      assert.match(detail[0]?.msg ?? '', words);
    });
  }

  test('NaN within a text is no missing value, and half a document is not read', async () => {
    const { detail } = (await (await one('{"sex":"NaN","colour":"red","length":NaN}')).json()) as { detail: unknown[] };
    assert.match(JSON.stringify(detail), /sex.*one of/);
    assert.equal((await predict('{"samples":[{"sex":"\\"NaN')).status, 422);
  });

  const tensors = (change: Record<string, unknown[]>) => {
    const data = { sex: ['F', 'M'], 'Whole weight': [1, 2], colour: ['red', 'blue'], length: [1, 1], ...change };
    const datatype = (name: string) => (name === 'sex' || name === 'colour' ? 'BYTES' : 'FP32');
    const inputs = Object.entries(data).map(([name, values]) => ({
      ...{ name, datatype: datatype(name), shape: [2, 1], data: values },
    }));
    return post(`${server.url}/v2/models/iris/infer`, JSON.stringify({ inputs }));
  };

  test('the Open Inference Protocol takes the same columns as tensors, null where a value may be missing', async () => {
    const values = async (response: Response) =>
      ((await response.json()) as { outputs: { data: number[] }[] }).outputs[0]?.data;
    assert.deepEqual(await values(await tensors({})), [1111, 221]);
    assert.deepEqual(await values(await tensors({ sex: [null, ''], 'Whole weight': [null, 2] })), [1021, 21]);
  });

  test('and refuses what the signature does not allow, naming place and categories', async () => {
    for (const [change, words] of [
      [{ sex: ['F', 'X'] }, /^\/inputs\/0\/data\/1 .*one of 'F', 'M'/],
      [{ colour: ['red', null] }, /^\/inputs\/\d\/data\/1 .*got null/],
      [{ colour: ['red', ''] }, /one of 'blue', 'red'/],
      [{ length: [null, 1] }, /^\/inputs\/3\/data\/0 .*finite number, got null/],
    ] as const) {
      const response = await tensors(change as unknown as Record<string, unknown[]>);
      assert.equal(response.status, 400);
      assert.match(((await response.json()) as { error: string }).error, words);
    }
  });
});

const leaf = { threshold: 0, left: 0, right: 0, missingLeft: 0 };
/** x at most 0 or missing: the one value, else the other. */
function stump(left: number, right: number): Tree {
  const nodes = [{ ...leaf, feature: 0, left: 1, right: 2, missingLeft: 1 }, leaf, leaf];
  return {
    feature: Int32Array.of(0, -1, -1),
    threshold: Float32Array.from(nodes, ({ threshold }) => threshold),
    left: Int32Array.from(nodes, ({ left: to }) => to),
    right: Int32Array.from(nodes, ({ right: to }) => to),
    missingLeft: Uint8Array.from(nodes, ({ missingLeft }) => missingLeft),
    values: Float32Array.of(0, left, right),
    ...{ width: 1, output: 0, gain: new Float32Array(3) },
  };
}

test('a matrix of numbers takes missing values where a tree has learnt where they go', async () => {
  const columns: FeatureColumn[] = [{ kind: 'number', name: 'x', values: Float32Array.of(Number.NaN, 1), missing: 1 }];
  const onnx = encodeModel({
    model: {
      ...{ kind: 'trees', task: 'classification', outputs: 1, aggregate: 'sum', link: 'logistic' },
      ...{ trees: [stump(-2, 2)], base: Float64Array.of(0) },
    },
    features: columns,
    encodings: [{ feature: 0, kind: 'number', impute: 'keep' }],
  });
  const signature = signatureFor({ features: columns, labels: ['no', 'yes'] });
  const server = await serve(context, { onnx: Buffer.from(onnx), signature });
  const response = await post(`${server.url}/predict`, '{"samples":[{},{"x":null},{"x":1},{"x":0}]}');
  assert.deepEqual(await response.json(), { class_id: [0, 0, 1, 0], class_label: ['no', 'no', 'yes', 'no'] });
  const infer = await post(
    `${server.url}/v2/models/iris/infer`,
    '{"inputs":[{"name":"features","datatype":"FP32","shape":[2,1],"data":[null,1]}]}',
  );
  const { outputs } = (await infer.json()) as { outputs: { data: number[] }[] };
  assert.deepEqual(outputs[0]?.data, [0, 1]);
});

test('verify takes examples with missing values, and says which row differs', async (t) => {
  const verified = async (model: TestModel) => {
    const folder = await modelFolder(t, filesOf(model));
    const program = await run(t, 'verify', { MODEL_ARTIFACT: JSON.stringify(folder.artifact), MODEL_DIR: folder.dir });
    await program.ended;
    return program.termination();
  };
  assert.match((await verified(mixed))?.message ?? '', /3 example rows agree/);
  const wrong = {
    ...mixed,
    examples: { inputs: mixed.examples?.inputs ?? [], outputs: { prediction: [1234, 21, 1] } },
  };
  assert.equal((await verified(wrong))?.reason, 'ParityFailed');
  const required: ModelSignature = {
    ...(mixed.signature as ModelSignature),
    inputs: (mixed.signature as ModelSignature).inputs.map(({ name, type }) => ({ name, type })),
  };
  const refused = await verified({ ...mixed, signature: required });
  assert.match(refused?.message ?? '', /examples\.json, row 1, sex: .*null/);
});

test('an optional column that its tensor has no word for is a SignatureMismatch', async (t) => {
  const { echo } = await import('./models.ts');
  const signature: ModelSignature = {
    inputs: [
      { name: 'count', type: 'int64', optional: true },
      { name: 'flag', type: 'bool' },
    ],
    outputs: [{ name: 'count_out', type: 'int64' }],
  };
  const folder = await modelFolder(t, filesOf({ ...echo, signature }));
  const program = await run(t, 'verify', { MODEL_ARTIFACT: JSON.stringify(folder.artifact), MODEL_DIR: folder.dir });
  await program.ended;
  const message = await program.termination();
  assert.equal(message?.reason, 'SignatureMismatch');
  assert.match(message?.message ?? '', /"count" is optional int64/);
});
