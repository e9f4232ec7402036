import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TensorSpec } from '../model/tensor.ts';
import { scanRequest } from './open-inference-scan.ts';

const INPUTS: TensorSpec[] = [
  { name: 'x', type: 'float32', dims: [-1, 2] },
  { name: 'n', type: 'int64', dims: [-1] },
  { name: 's', type: 'string', dims: [-1] },
];
const scan = (text: string) => scanRequest(Buffer.from(text), INPUTS);
const x = (data: string, rest = '') => `{"name":"x","shape":[2,2],"datatype":"FP32","data":${data}${rest}}`;

describe('numbers of an infer request, read from its bytes', () => {
  test('are taken out, and what is left is the same JSON with empty lists', () => {
    const text = `{ "id": "a\\"b,]}", "inputs" : [ ${x('[1, 2.5, -3e1, 0.1]')}, {"name":"n","data": [[1],[2]] , "shape":[2]} ],
      "parameters": {"k": [1, {"z": "}"}], "t": true}, "outputs": [] }`;
    const got = scan(text);
    assert.ok(got);
    const full = JSON.parse(text);
    for (const input of full.inputs) input.data = [];
    assert.deepEqual(JSON.parse(got.json.toString()), full);
    assert.deepEqual(got.numbers.get('x'), { dims: [4], data: Float32Array.from([1, 2.5, -30, 0.1]) });
    assert.deepEqual(got.numbers.get('n'), { dims: [2, 1], data: BigInt64Array.from([1n, 2n]) });
  });

  const left: [name: string, text: string][] = [
    ['a number that is not finite as a float32', `{"inputs":[${x('[1,2,3,1e39]')}]}`],
    ['a text among the numbers', `{"inputs":[${x('[1,2,3,"4"]')}]}`],
    ['null among the numbers', `{"inputs":[${x('[1,2,3,null]')}]}`],
    ['an empty list', `{"inputs":[${x('[]')}]}`],
    ['ragged lists', `{"inputs":[${x('[[1,2],[3]]')}]}`],
    ['data before the name', '{"inputs":[{"data":[1,2],"name":"x"}]}'],
    ['data twice', `{"inputs":[${x('[1,2]', ',"data":[3,4]')}]}`],
    ['an input twice', `{"inputs":[${x('[1,2]')},${x('[3,4]')}]}`],
    ['a name twice', '{"inputs":[{"name":"x","name":"n","data":[1,2]}]}'],
    ['inputs twice', `{"inputs":[${x('[1,2]')}],"inputs":[]}`],
    ['texts', '{"inputs":[{"name":"s","data":["a"]}]}'],
    ['an unknown input', '{"inputs":[{"name":"y","data":[1]}]}'],
    ['an integer beyond what a double holds', '{"inputs":[{"name":"n","data":[9007199254740993]}]}'],
    ['a list', '[1,2,3]'],
    ['something behind it', `{"inputs":[${x('[1,2]')}]} 1`],
    ['an end in the middle', `{"inputs":[${x('[1,2]')}`],
    ['an end within a string', '{"inputs":[{"name":"x","shape":"'],
    ['a comma too many', `{"inputs":[${x('[1,2,]')}]}`],
  ];
  for (const [name, text] of left) test(`${name}: left to others`, () => assert.equal(scan(text), undefined));

  test('where they stood, and where the id stands, is told', () => {
    const text = `{"inputs":[${x('[ 1,2,3,4]')}],"id" : "some id","outputs":[{"id":"another"}]}`;
    const holes = scan(text)?.holes.map(({ name, from, until }) => [name, text.slice(from, until)]);
    assert.deepEqual(holes, [
      ['x', '[ 1,2,3,4]'],
      [undefined, '"some id"'],
    ]);
  });
  test('an id with an escape, or none that is a text, is left where it stands', () => {
    for (const id of ['"a\\n"', 'null', '7']) {
      assert.deepEqual(
        scan(`{"id":${id},"inputs":[${x('[1,2]')}]}`)?.holes.map(({ name }) => name),
        ['x'],
      );
    }
  });
});
