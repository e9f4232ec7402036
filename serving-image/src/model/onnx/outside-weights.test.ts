import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/folder.ts';
import { FLOAT, floatTensor, ML, model, node, tensorValue } from '../../../test/onnx.ts';
import { inspectModel } from './inspect.ts';
import { withOutsideWeights } from './outside-weights.ts';
import { bufferBytes } from './wire.ts';
import { planZipMaps, rewrite, rewriteFile } from './zip-map.ts';

const WIDTH = 256;
const weights = Array.from({ length: WIDTH * WIDTH }, (_, i) => i / 7);
const initializers = [floatTensor('w', [WIDTH, WIDTH], weights), floatTensor('b', [WIDTH], weights.slice(0, WIDTH))];
const matrix = [tensorValue('x', FLOAT, ['N', WIDTH])];
const nodes = [
  node({ op: 'MatMul', inputs: ['x', 'w'], outputs: ['m'] }),
  node({ op: 'Add', inputs: ['m', 'b'], outputs: ['y'] }),
];

test('a large tensor is said to lie where it is in the file, a small one stays', () => {
  const onnx = model({ nodes, initializers, inputs: matrix, outputs: [tensorValue('y', FLOAT, ['N', WIDTH])] });
  const rewriting = withOutsideWeights(bufferBytes(onnx), 'model.onnx');
  assert.ok(rewriting);
  const small = rewrite(onnx, rewriting);
  assert.ok(small.length < onnx.length - WIDTH * WIDTH * 4 + 200, `${small.length} of ${onnx.length} bytes`);
  const [, location, offset, length] =
    /location..(model\.onnx).*?offset..(\d+).*?length..(\d+)/s.exec(small.toString('latin1')) ?? [];
  assert.equal(location, 'model.onnx');
  const raw = onnx.subarray(Number(offset), Number(offset) + Number(length));
  assert.deepEqual(raw, Buffer.from(Float32Array.from(weights).buffer));
  // Our own reader takes such a message for what it refuses in a file: data that lies elsewhere.
  assert.throws(() => inspectModel(bufferBytes(small)), /tensor "w" keeps its data in another file/);
});

test('a model without a large tensor is left alone', () => {
  const onnx = model({
    nodes: [node({ op: 'Add', inputs: ['x', 'b'], outputs: ['y'] })],
    initializers: initializers.slice(1),
    inputs: matrix,
    outputs: [tensorValue('y', FLOAT, ['N', WIDTH])],
  });
  assert.equal(withOutsideWeights(bufferBytes(onnx), 'model.onnx'), undefined);
});

test('it goes together with the removal of a ZipMap, and a file is rewritten as its bytes are', async (t) => {
  const onnx = model({
    nodes: [
      ...nodes,
      node({
        op: 'ZipMap',
        domain: ML,
        inputs: ['y'],
        outputs: ['z'],
        attributes: { classlabels_int64s: { ints: [0] } },
      }),
    ],
    initializers,
    inputs: matrix,
    outputs: [tensorValue('z', FLOAT, ['N'])],
  });
  const plan = planZipMaps(bufferBytes(onnx));
  assert.ok(plan);
  const rewriting = withOutsideWeights(bufferBytes(onnx), 'model.onnx', plan);
  assert.ok(rewriting);
  const both = rewrite(onnx, rewriting);
  assert.equal(planZipMaps(bufferBytes(both)), undefined);
  assert.ok(both.includes('location'));
  const path = join(await temporaryFolder(t), 'model.onnx');
  await writeFile(path, onnx);
  assert.deepEqual(rewriteFile(path, rewriting), both);
  assert.deepEqual(rewriteFile(path, plan), rewrite(onnx, plan));
  assert.deepEqual(readFileSync(path), onnx);
});
