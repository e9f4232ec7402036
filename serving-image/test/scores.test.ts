/** A classifier whose scores are no probabilities: margins, as of a support vector machine, or distances to clusters. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type InProcess, serveHere } from './in-process.ts';
import type { TestModel } from './models.ts';
import { FLOAT, INT64, ML, model, node, tensorValue } from './onnx.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const margins: TestModel = {
  onnx: model({
    nodes: [
      node({
        op: 'LinearClassifier',
        domain: ML,
        inputs: ['x'],
        outputs: ['label', 'scores'],
        attributes: {
          classlabels_ints: { ints: [0, 1, 2] },
          coefficients: { floats: [1, 0, 0, 1, -1, -1] },
          intercepts: { floats: [0, 0, 0] },
          post_transform: { string: 'NONE' },
        },
      }),
    ],
    inputs: [tensorValue('x', FLOAT, ['N', 2])],
    outputs: [tensorValue('label', INT64, ['N']), tensorValue('scores', FLOAT, ['N', 3])],
  }),
  signature: {
    inputs: [
      { name: 'a', type: 'float32' },
      { name: 'b', type: 'float32' },
    ],
    outputs: [
      { name: 'label', type: 'int64' },
      { name: 'scores', type: 'float32' },
    ],
  },
};

describe('scores that are no probabilities', () => {
  let server: InProcess;
  before(async () => {
    server = await serveHere(context, margins);
  });
  const ask = async (path: string, body: unknown): Promise<[status: number, text: string]> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return [response.status, await response.text()];
  };

  test('are never called so: asked for probabilities, there are none', async () => {
    for (const body of [{ samples: [{ a: 0.25, b: 3 }] }, { a: 0.25, b: 3 }]) {
      const [status, text] = await ask('/predict?probabilities=true', body);
      assert.equal(status, 422, text);
      assert.match(
        text,
        /"loc":\["query","probabilities"\],"msg":"The model gives no probabilities; ask without them"/,
      );
    }
    const [status, text] = await ask('/invocations', { inputs: [[0.25, 3]], params: { probabilities: true } });
    assert.equal(status, 400, text);
    assert.match(text, /"\/params\/probabilities: the model gives no probabilities; leave it out"/);
  });

  test('choose the class all the same, and are there for who asks for tensors', async () => {
    assert.deepEqual(await ask('/predict', { a: 0.25, b: 3 }), [200, '{"status":"success","prediction":"1"}']);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [0.25, 3] }];
    const [status, text] = await ask('/v2/models/iris/infer', { inputs, outputs: [{ name: 'scores' }] });
    assert.equal(status, 200, text);
    assert.deepEqual(JSON.parse(text).outputs[0].data, [0.25, 3, -3.25]);
  });
});
