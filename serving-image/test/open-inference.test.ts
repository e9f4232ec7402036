import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertClose } from './close.ts';
import { echo, iris, irisScores } from './models.ts';
import { type Served, serve } from './program.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const FLOWER = [5.1, 3.5, 1.4, 0.2];
const features = (change: Record<string, unknown> = {}) => ({
  name: 'features',
  shape: [1, 4],
  datatype: 'FP32',
  data: FLOWER,
  ...change,
});

describe('Open Inference Protocol V2', () => {
  let server: Served;
  before(async () => {
    server = await serve(context, iris);
  });
  const get = async (path: string): Promise<[number, unknown]> => {
    const response = await fetch(server.url + path);
    return [response.status, await response.json()];
  };
  const infer = async (body: unknown, path = '/v2/models/iris/infer'): Promise<[number, Record<string, unknown>]> => {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return [response.status, (await response.json()) as Record<string, unknown>];
  };

  test('the metadata names the model, its version and its tensors', async () => {
    assert.deepEqual(await get('/v2'), [
      200,
      { name: 'slipway', version: '0.1.0', extensions: ['binary_tensor_data'] },
    ]);
    assert.deepEqual(await get('/v2/health/live'), [200, { live: true }]);
    assert.deepEqual(await get('/v2/health/ready'), [200, { live: true, ready: true }]);
    assert.deepEqual(await get('/v2/models'), [200, { models: ['iris'] }]);
    const metadata = {
      name: 'iris',
      versions: ['2'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [
        { name: 'label', datatype: 'INT64', shape: [-1] },
        { name: 'probabilities', datatype: 'FP32', shape: [-1, 3] },
      ],
      parameters: { features: iris.signature?.inputs },
    };
    assert.deepEqual(await get('/v2/models/iris'), [200, metadata]);
    assert.deepEqual(await get('/v2/models/iris/versions/2'), [200, metadata]);
    assert.deepEqual(await get('/v2/models/iris/ready'), [200, { name: 'iris', ready: true }]);
    assert.deepEqual(await get('/v2/models/iris/versions/2/ready'), [200, { name: 'iris', ready: true }]);
  });

  test('other names and versions are 404 with an error, whatever they are made of', async () => {
    for (const path of [
      '/v2/models/other',
      '/v2/models/iris/versions/3',
      '/v2/models/iris/versions/3/ready',
      '/v2/models/..%2f..%2firis',
      '/v2/models/%252e%252e',
      '/v2/models/%zz',
      '/v2/nothing',
    ]) {
      const [status, body] = await get(path);
      assert.equal(status, 404, path);
      assert.deepEqual(Object.keys(body as object), ['error']);
    }
    for (const path of ['/v2/models/other/infer', '/v2/models/iris/versions/3/infer', '/v2/models/%zz/infer']) {
      const [status, body] = await infer({ inputs: [features()] }, path);
      assert.equal(status, 404, path);
      assert.deepEqual(Object.keys(body), ['error']);
    }
    assert.equal((await get('/v2/models/iris/infer'))[0], 405);
  });

  test('infer answers every output with type and shape, for the name and for the version alike', async () => {
    const { id, probabilities } = irisScores(FLOWER);
    for (const path of ['/v2/models/iris/infer', '/v2/models/iris/versions/2/infer?x=y']) {
      const [status, body] = await infer({ id: 'r-1', inputs: [features()] }, path);
      assert.equal(status, 200);
      const { outputs, ...rest } = body as { outputs: { name: string; data: number[] }[] };
      assert.deepEqual(rest, { model_name: 'iris', model_version: '2', id: 'r-1' });
      const [label, scores] = outputs;
      assert.deepEqual(label, { name: 'label', datatype: 'INT64', shape: [1], data: [id] });
      assert.deepEqual({ ...scores, data: [] }, { name: 'probabilities', datatype: 'FP32', shape: [1, 3], data: [] });
      assertClose(scores?.data, probabilities);
    }
  });

  test('nested data is the same as flat data, and only the outputs asked for are sent', async () => {
    const data = [FLOWER, [7.7, 3.8, 6.7, 2.2]];
    const [status, body] = await infer({ inputs: [features({ shape: [2, 4], data })], outputs: [{ name: 'label' }] });
    assert.equal(status, 200);
    assert.deepEqual(body['outputs'], [{ name: 'label', datatype: 'INT64', shape: [2], data: [0, 2] }]);
    assert.equal('id' in body, false);
  });

  const refused: [name: string, body: unknown, message: RegExp][] = [
    ['no JSON', '{', /not JSON/],
    ['an empty body', '', /not JSON/],
    ['a list', [], /Expected an object with "inputs", got list/],
    ['no inputs', {}, /^\/inputs: expected a list of tensors, got undefined/],
    ['a missing input', { inputs: [] }, /^\/inputs: input "features" is missing; the model takes "features"$/],
    ['an unknown input', { inputs: [features({ name: 'x' })] }, /the model takes "features"/],
    ['an input twice', { inputs: [features(), features()] }, /given twice/],
    ['another datatype', { inputs: [features({ datatype: 'FP64' })] }, /expected datatype FP32, got FP64/],
    ['an unknown datatype', { inputs: [features({ datatype: 'secret' })] }, /expected datatype FP32, got string/],
    ['no shape', { inputs: [features({ shape: undefined })] }, /expected "shape"/],
    ['a negative shape', { inputs: [features({ shape: [-1, 4] })] }, /expected "shape"/],
    ['another shape', { inputs: [features({ shape: [1, 5] })] }, /expected shape \[-1,4\] \(-1: any\), got \[1,5\]/],
    ['another rank', { inputs: [features({ shape: [4] })] }, /got \[4\]/],
    ['no rows', { inputs: [features({ shape: [0, 4], data: [] })] }, /at least one value/],
    ['too many rows', { inputs: [features({ shape: [1e6, 4] })] }, /at most 4096 rows/],
    ['too little data', { inputs: [features({ shape: [2, 4] })] }, /has 4 values, its shape asks for 8/],
    ['too much data', { inputs: [features({ data: [...FLOWER, 1] })] }, /more values than its shape/],
    ['data nested too deep', { inputs: [features({ data: [[[1]]] })] }, /nested deeper/],
    ['data that is no list', { inputs: [features({ data: 'secret' })] }, /got string/],
    [
      'a string for a number',
      { inputs: [features({ data: ['secret', 1, 1, 1] })] },
      /^\/inputs\/0\/data\/0 \(input "features"\): expected a finite number, got string/,
    ],
    [
      'null for a number',
      { inputs: [features({ data: [1, null, 1, 1] })] },
      /^\/inputs\/0\/data\/1 \(input "features"\): .*got null/,
    ],
    ['a number too large for FP32', { inputs: [features({ data: [1, 1, 1e39, 1] })] }, /^\/inputs\/0\/data\/2 /],
    [
      'binary data',
      { inputs: [features({ data: undefined, parameters: { binary_data_size: 16 } })] },
      /Inference-Header-Content-Length is missing/,
    ],
    [
      'an unknown output',
      { inputs: [features()], outputs: [{ name: 'x' }] },
      /the model gives "label", "probabilities"/,
    ],
    ['an id that is no string', { id: 1, inputs: [features()] }, /^\/id: expected a string, got number/],
    ['deep nesting', `{"inputs":${'['.repeat(49_000)}${']'.repeat(49_000)}}`, /^\/inputs\/0: expected an object/],
  ];
  for (const [name, body, message] of refused) {
    test(`${name} is refused with 400 and the reason`, async () => {
      const [status, answer] = await infer(body);
      assert.equal(status, 400);
      assert.match(answer['error'] as string, message);
      assert.ok(!(answer['error'] as string).includes('secret'));
    });
  }
});

test('64-bit integers keep every digit, and booleans are true and false', async () => {
  const server = await serve(context, echo);
  const response = await fetch(`${server.url}/v2/models/iris/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body:
      '{"inputs":[{"name":"count","shape":[3],"datatype":"INT64","data":[9223372036854775807,-9007199254740993,5]},' +
      '{"name":"flag","shape":[3],"datatype":"BOOL","data":[true,false,true]}]}',
  });
  const text = await response.text();
  assert.match(text, /"data":\[9223372036854775807,-9007199254740993,5\]/);
  assert.match(text, /"data":\[false,true,false\]/);
  const tooLarge = await fetch(`${server.url}/v2/models/iris/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"inputs":[{"name":"count","shape":[1],"datatype":"INT64","data":[9223372036854775808]},{"name":"flag","shape":[1],"datatype":"BOOL","data":[true]}]}',
  });
  assert.equal(tooLarge.status, 400);
});
