/** What scikit-learn and skl2onnx export by default is compiled, and says what the runtime says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { python } from '../../trainer-image/test/python/venv.ts';
import { compileFile } from '../src/model/compiled/compile.ts';
import { proofRows } from '../src/model/compiled/proof-rows.ts';
import { loadModel } from '../src/model/load.ts';
import { bufferBytes } from '../src/model/onnx/wire.ts';
import { planZipMaps } from '../src/model/onnx/zip-map.ts';
import { openSession } from '../src/model/session.ts';
import type { Tensor } from '../src/model/tensor.ts';
import { modelFolder } from './folder.ts';

const ROWS = 2000;

const scripts = join(import.meta.dirname, 'python');
const folder = mkdtempSync(join(tmpdir(), 'slipway-compiled-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function trainedKinds(): readonly string[] {
  const interpreter = python(join(scripts, 'requirements.txt'));
  const { status, stdout, stderr } = spawnSync(interpreter, [join(scripts, 'compiled_models.py'), folder], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n');
}

function assertSame(expected: Tensor, got: Tensor): void {
  assert.deepEqual([got.type, got.dims], [expected.type, expected.dims]);
  if (!expected.type.startsWith('float')) {
    assert.deepEqual(got.data, expected.data);
    return;
  }
  for (let i = 0; i < expected.data.length; i++) {
    const [was, is] = [expected.data[i] as number, got.data[i] as number];
    if (Object.is(was, is) || !(Number.isFinite(was) || Number.isFinite(is))) continue;
    assert.ok(Math.abs(was - is) <= 1e-6 * Math.max(1, Math.abs(was)), `value ${i}: ${is}, from the runtime ${was}`);
  }
}

describe('a model that scikit-learn trained', () => {
  for (const kind of trainedKinds()) {
    test(`${kind}: compiled it is the same, on ${ROWS} rows of every kind`, async (t) => {
      const path = join(folder, `${kind}.onnx`);
      const onnx = readFileSync(path);
      const zipMaps = planZipMaps(bufferBytes(onnx));
      const session = await openSession({ path, threads: 1, ...(zipMaps && { plan: zipMaps }) });
      t.after(() => session.release());
      const { plan, points } = compileFile(path, zipMaps);
      const inputs = proofRows({ inputs: session.inputs, rules: [], points, given: [] }, ROWS, 99);
      const expected = await session.run(inputs);
      const got = plan.run(inputs);
      for (const [i, tensor] of expected.entries()) assertSame(tensor, got[i] as Tensor);

      const { dir, files } = await modelFolder(t, { 'model.onnx': onnx });
      const loaded = await loadModel(dir, files, 1, { engine: 'compiled' });
      await loaded.session.release();
      assert.match(loaded.engineReason, /equal to onnxruntime on \d+ rows/);
    });
  }
});
