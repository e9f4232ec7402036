import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KindName, REQUEST_KINDS, requestsOf } from './kinds.ts';
import type { Facts } from './models.ts';

const rows = [
  [5.5, 3.5],
  [6.25, 2.75],
];
const facts: Facts = {
  features: ['length', 'width'],
  labels: ['setosa', 'virginica'],
  rows,
  classes: [0, 1],
  outputs: ['label', 'probabilities'],
  versions: {},
};
const options = { model: 'bench', output: 'predict' };
const bodyOf = (kind: KindName) => JSON.parse(REQUEST_KINDS[kind].encode(rows, facts, options).body.toString());
const classesOf = (kind: KindName, answer: unknown) =>
  REQUEST_KINDS[kind].classes(Buffer.from(JSON.stringify(answer)), undefined, facts);

test('each protocol gets its own form of the same rows', () => {
  const named = [
    { length: 5.5, width: 3.5 },
    { length: 6.25, width: 2.75 },
  ];
  assert.deepEqual(bodyOf('predict'), { samples: named });
  assert.deepEqual(bodyOf('invocations-records'), { dataframe_records: named });
  assert.deepEqual(bodyOf('invocations-split'), { dataframe_split: { columns: ['length', 'width'], data: rows } });
  assert.deepEqual(bodyOf('v1'), { instances: rows });
  assert.deepEqual(bodyOf('v2'), {
    inputs: [{ name: 'features', shape: [2, 2], datatype: 'FP32', data: rows.flat() }],
    outputs: [{ name: 'predict' }],
  });
});

test('classes are read from every form of answer, by number or by name', () => {
  assert.deepEqual(classesOf('predict', { class_id: [0, 1], class_label: ['setosa', 'virginica'] }), [0, 1]);
  assert.deepEqual(classesOf('v1', { predictions: ['setosa', 'virginica'] }), [0, 1]);
  assert.deepEqual(classesOf('invocations-split', { predictions: [0, 1] }), [0, 1]);
  const output = { name: 'predict', shape: [2], datatype: 'INT64', parameters: null, data: [0, 1] };
  assert.deepEqual(classesOf('v2', { outputs: [output] }), [0, 1]);
  assert.throws(() => classesOf('predict', { detail: 'no' }));
});

test('binary tensors follow the JSON that describes them, both ways', () => {
  const { body, headers } = REQUEST_KINDS['v2-binary'].encode(rows, facts, options);
  const length = Number(headers['inference-header-content-length']);
  const head = JSON.parse(body.toString('utf8', 0, length));
  assert.equal(head.inputs[0].parameters.binary_data_size, 16);
  assert.deepEqual(
    [0, 4, 8, 12].map((at) => body.readFloatLE(length + at)),
    rows.flat(),
  );

  const answered = Buffer.from(
    JSON.stringify({ outputs: [{ datatype: 'INT64', parameters: { binary_data_size: 16 } }] }),
  );
  const data = Buffer.from(BigInt64Array.from([1n, 0n]).buffer);
  const read = REQUEST_KINDS['v2-binary'].classes;
  assert.deepEqual(read(Buffer.concat([answered, data]), answered.length, facts), [1, 0]);
  assert.throws(() => read(answered, undefined, facts), /no binary tensors/);
});

test('requests differ from each other, and the classes of each are known', () => {
  const requests = requestsOf(REQUEST_KINDS.v1, 1, facts, options).slice(0, 2);
  assert.deepEqual(
    requests.map(({ body, expected }) => [body.toString(), expected]),
    [
      ['{"instances":[[5.5,3.5]]}', [0]],
      ['{"instances":[[6.25,2.75]]}', [1]],
    ],
  );
});
