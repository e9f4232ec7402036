/** The clients people use, from PyPI and unchanged: what they make of our answers and of our refusals. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { pythonWith } from '../../test/conformance/venv.ts';
import { assertClose } from './close.ts';
import { iris, irisScores, manyTypes } from './models.ts';
import { serve } from './program.ts';

interface Result {
  readonly id: string;
  readonly label: readonly string[];
  readonly probabilities: readonly (readonly number[])[];
}

interface Told {
  readonly iris: Readonly<Record<string, unknown>> & {
    readonly infer: readonly (Result & {
      readonly how: readonly [boolean, boolean | null, string];
      readonly version: string;
      readonly names: readonly string[];
    })[];
    readonly top: readonly string[];
    readonly load: string;
    readonly unload: string;
  };
  readonly errors: Readonly<Record<string, string | null>>;
  readonly sent: Readonly<Record<string, readonly unknown[]>>;
  readonly binary: Readonly<Record<string, readonly [readonly unknown[], string]>>;
  readonly json: Readonly<Record<string, readonly [readonly unknown[], string]>>;
  readonly v2: Readonly<Record<string, unknown>> & { readonly binary: Result; readonly json: Result };
  readonly v1: Readonly<Record<string, unknown>> & { readonly answer: { readonly predictions: readonly unknown[] } };
}

const FLOWERS = [
  [5.1, 3.5, 1.4, 0.2],
  [6.0, 2.7, 5.1, 1.6],
  [7.7, 3.8, 6.7, 2.2],
];
const EXPECTED = FLOWERS.map(irisScores);

function assertIris({ label, probabilities }: Result): void {
  assert.deepEqual(
    label,
    EXPECTED.map(({ id }) => String(id)),
  );
  assertClose(
    probabilities.flat(),
    EXPECTED.flatMap((row) => row.probabilities),
  );
}

describe('clients from PyPI', () => {
  const cleanups: (() => unknown)[] = [];
  const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
  let told: Told;
  before(async () => {
    const scripts = join(import.meta.dirname, 'python');
    const interpreter = await pythonWith(join(scripts, 'clients.txt'));
    const [one, other] = [await serve(context, iris), await serve(context, manyTypes)];
    const { stdout } = await promisify(execFile)(interpreter, [join(scripts, 'ask_clients.py'), one.url, other.url]);
    told = JSON.parse(stdout) as Told;
  });
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  test('tritonclient: health, metadata and readiness, of the model and of its version', () => {
    const { iris: got } = told;
    for (const name of ['live', 'ready', 'model ready', 'version ready']) assert.equal(got[name], true, name);
    for (const name of ['other version ready', 'other model ready']) assert.equal(got[name], false, name);
    assert.deepEqual((got['server'] as { extensions: unknown }).extensions, ['binary_tensor_data']);
    const { parameters: _, ...model } = got['model'] as Record<string, unknown>;
    assert.deepEqual(model, {
      name: 'iris',
      versions: ['2'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [
        { name: 'label', datatype: 'INT64', shape: [-1] },
        { name: 'probabilities', datatype: 'FP32', shape: [-1, 3] },
      ],
    });
    assert.deepEqual(got['version'], got['model']);
    assert.deepEqual(got['index'], [{ name: 'iris', version: '2', state: 'READY', reason: '' }]);
    assert.match(got.load, /^InferenceServerException: \[403\] .*spec\.version/);
    assert.match(got.unload, /^InferenceServerException: \[403\] .*spec\.version/);
  });

  test('tritonclient: the same predictions in every mixture of bytes and JSON, with and without version', () => {
    assert.equal(told.iris.infer.length, 12);
    for (const result of told.iris.infer) {
      assertIris(result);
      assert.equal(result.id, 'r-7');
      assert.equal(result.version, '2');
      const isChosen = result.how[1] !== null;
      assert.deepEqual(result.names, isChosen ? ['probabilities', 'label'] : ['label', 'probabilities']);
    }
    assert.deepEqual(
      told.iris.top.map((text) => text.split(':').slice(1).join(':')).filter((_, i) => i % 2 === 0),
      ['0:setosa', '2:virginica', '2:virginica'],
    );
  });

  test('tritonclient: every datatype comes back as it was sent', () => {
    for (const way of ['binary', 'json'] as const) {
      for (const [name, sent] of Object.entries(told.sent)) {
        const dtype = name === 'string' ? 'object' : name;
        assert.deepEqual(told[way][name], [sent, dtype], `${way} ${name}`);
      }
    }
  });

  test('tritonclient: what was wrong, as its users read it', () => {
    const expected: Readonly<Record<string, RegExp>> = {
      'not finite': /\[400\] \/inputs\/0 \(input "features"\): value 2 of its binary data: expected a finite number/,
      shape: /\[400\] \/inputs\/0\/shape \(input "features"\): expected shape \[-1,4\] \(-1: any\), got \[1,5\]/,
      datatype: /\[400\] \/inputs\/0\/datatype \(input "features"\): expected datatype FP32, got FP64/,
      name: /\[400\] \/inputs\/0\/name: unknown name; the model takes "features"/,
      rows: /\[400\] \/inputs\/0\/shape \(input "features"\): expected at most 4096 rows, got 5000/,
      model: /\[404\] Model not found; this server has iris/,
      version: /\[404\] Version not found; this server has version 2 of iris/,
      output: /\[400\] \/outputs\/0\/name: unknown name; the model gives "label", "probabilities"/,
      config: /\[404\] Not found/,
    };
    assert.deepEqual(Object.keys(told.errors), Object.keys(expected));
    for (const [name, pattern] of Object.entries(expected)) {
      assert.match(told.errors[name] ?? 'no error', /^InferenceServerException: /);
      assert.match(told.errors[name] ?? '', pattern);
    }
  });

  test('kserve, version 2 of the protocol', () => {
    const { v2 } = told;
    for (const name of ['live', 'ready', 'server ready']) assert.equal(v2[name], true, name);
    for (const result of [v2.binary, v2.json]) {
      assertIris(result);
      assert.equal(result.id, 'k-1');
    }
    assert.match(
      String(v2['error']),
      /^HTTPStatusError: \/inputs\/0\/shape \(input "features"\): expected shape .*'400 Bad Request'/,
    );
  });

  test('kserve, version 1 of the protocol', () => {
    const { v1 } = told;
    assert.equal(v1['ready'], true);
    assert.equal(v1.answer.predictions.length, FLOWERS.length);
    assert.match(String(v1['error']), /^HTTPStatusError: .*'400 Bad Request'/);
  });
});
