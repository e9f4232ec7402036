import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bindInputs } from '../src/model/binding.ts';
import { deriveSignature } from '../src/model/derive-signature.ts';
import { RowError } from '../src/model/row-error.ts';
import { openSession } from '../src/model/session.ts';
import { temporaryFolder } from './folder.ts';
import { BFLOAT16, FLOAT16, model, node, tensorValue } from './onnx.ts';

const doubling = (type: number): Buffer =>
  model({
    nodes: [node({ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] })],
    inputs: [tensorValue('x', type, ['N', 2])],
    outputs: [tensorValue('y', type, ['N', 2])],
  });

const same = (type: number): Buffer =>
  model({
    nodes: [node({ op: 'Identity', inputs: ['x'], outputs: ['y'] })],
    inputs: [tensorValue('x', type, ['N', 2])],
    outputs: [tensorValue('y', type, ['N', 2])],
  });

async function open(t: TestContext, bytes: Buffer) {
  const path = join(await temporaryFolder(t), 'model.onnx');
  await writeFile(path, bytes);
  const session = await openSession({ path, threads: 1 });
  t.after(() => session.release());
  return session;
}

test('a model of half precision takes and gives numbers, its columns being float32', async (t) => {
  const session = await open(t, doubling(FLOAT16));
  const signature = deriveSignature(session.inputs, session.outputs);
  assert.deepEqual(
    signature.inputs.map(({ name, type }) => [name, type]),
    [
      ['x_0', 'float32'],
      ['x_1', 'float32'],
    ],
  );
  assert.equal(signature.outputs[0]?.type, 'float32');
  const [output] = await session.run(
    bindInputs(
      signature,
      session.inputs,
    )([
      { x_0: 1.5, x_1: 0.1 },
      { x_0: -3, x_1: 4 },
    ]),
  );
  assert.equal(output?.type, 'float16');
  assert.deepEqual(output?.dims, [2, 2]);
  assert.deepEqual(Array.from(output?.data as Float16Array), [3, 2 * Math.f16round(0.1), -6, 8]);
});

test('a number too large for half precision is refused, not made infinite', async (t) => {
  const session = await open(t, doubling(FLOAT16));
  const encode = bindInputs(deriveSignature(session.inputs, session.outputs), session.inputs);
  assert.throws(() => encode([{ x_0: 1, x_1: 70_000 }]), RowError);
});

test('bfloat16, which no protocol here carries, is refused with what to do', async (t) => {
  await assert.rejects(open(t, same(BFLOAT16)), {
    name: 'FailureError',
    reason: 'SignatureMismatch',
    message: /bfloat16.*float32/,
  });
});
