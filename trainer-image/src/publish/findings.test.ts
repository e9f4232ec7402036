import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { PublishRun } from '@slipway/contract';
import { parse } from 'yaml';
import { encodeModel } from '../onnx/encode-model.ts';
import { bytes, bytesOf, int, message, text } from '../onnx/wire.ts';
import { readOutput } from './findings.ts';
import { mlmodelFor } from './mlmodel.ts';

const onnx = encodeModel({
  model: { kind: 'linear-regressor', coefficients: new Float64Array(1), intercept: 0 },
  features: [{ kind: 'number', name: 'x', values: new Float32Array(1), missing: 0 }],
  encodings: [{ feature: 0, kind: 'number', impute: 0 }],
});
const run: PublishRun = {
  ...{ namespace: 'team-a', trainingJob: 'iris', runKey: 'u/g1', runId: 'r', experimentId: '1' },
  ...{ model: 'iris', image: 'trainer:1', parameters: {} },
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-output-'));
  await write('output/model/model.onnx', onnx);
  await write('credentials/postgres.json', 'secret');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}
const read = (over: Partial<PublishRun> = {}) =>
  readOutput({ ...run, ...over }, join(folder, 'input'), join(folder, 'output'), 1000);
const refuses = (reason: string, expected: RegExp) => assert.rejects(read(), { reason, message: expected });

test('a model file alone is enough; MLmodel is added', async () => {
  const { files, metrics } = await read();
  assert.deepEqual(
    files.map(({ path }) => path),
    ['model/model.onnx', 'model/MLmodel'],
  );
  assert.deepEqual(metrics, []);
});

test('a full MLflow folder keeps its own MLmodel, and artifacts come along', async () => {
  await write('output/model/MLmodel', 'flavors: {}');
  await write('output/model/sub/data.bin', 'x');
  await write('output/artifacts/plot.png', 'x');
  const { files } = await read();
  assert.deepEqual(
    files.map(({ path }) => path),
    ['model/MLmodel', 'model/model.onnx', 'model/sub/data.bin', 'artifacts/plot.png'],
  );
  assert.ok(files.every(({ from }) => typeof from === 'string'));
});

test('both forms of metrics are taken, with the time they are given', async () => {
  await write('output/metrics.json', '{"accuracy": 0.9}');
  await write('output/metrics.jsonl', '{"key":"loss","value":1,"step":1,"ts":5}\n\n{"key":"loss","value":0.5}\n');
  assert.deepEqual((await read()).metrics, [
    { key: 'accuracy', value: 0.9, step: 0, timestamp: 1000 },
    { key: 'loss', value: 1, step: 1, timestamp: 5 },
    { key: 'loss', value: 0.5, step: 0, timestamp: 1000 },
  ]);
});

for (const [file, content, expected] of [
  ['metrics.json', '{"a": NaN}', /metrics\.json: expected JSON; it has no NaN/],
  ['metrics.json', '{"a": 1e999}', /metrics\.json: a:/],
  ['metrics.json', '{"a": "0.9"}', /metrics\.json: a:/],
  ['metrics.json', '[1]', /metrics\.json:/],
  ['metrics.jsonl', '{"key":"a","value":1}\n{"key":"a"}\n', /metrics\.jsonl, line 2: value:/],
  ['metrics.jsonl', '{"key":"a","value":1}\nnonsense', /metrics\.jsonl, line 2: expected JSON/],
  ['metrics.jsonl', '{"key":"","value":1}', /metrics\.jsonl, line 1: key:/],
] as const) {
  test(`${file} with ${JSON.stringify(content)} is InvalidMetrics`, async () => {
    await write(`output/${file}`, content);
    await refuses('InvalidMetrics', expected);
  });
}

test('without a model nothing is made up: the script may have registered one itself; a run that wants none is content', async () => {
  await rm(join(folder, 'output/model'), { recursive: true });
  const { files, hasModel } = await read();
  assert.deepEqual([files, hasModel], [[], false]);
  const { model: _, ...tracked } = run;
  assert.deepEqual((await readOutput(tracked, join(folder, 'input'), join(folder, 'output'), 0)).files, []);
  await rm(join(folder, 'output'), { recursive: true, force: true });
  assert.deepEqual((await readOutput(tracked, join(folder, 'input'), join(folder, 'output'), 0)).files, []);
});

const external = bytesOf(
  message(
    int(1, 8),
    bytes(7, bytes(5, message(text(8, 'weights'), bytes(13, text(1, 'location')), int(14, 1)))),
    bytes(8, int(2, 17)),
  ),
);
for (const [what, content, expected] of [
  ['empty', '', /the file is empty/],
  ['a pickle', '\u0080\u0004\u0095hello', /not an ONNX model/],
  ['text', 'hello world, this is no model', /not an ONNX model/],
  ['weights elsewhere', external, /weights in another file/],
  ['without a graph', bytesOf(message(int(1, 8), bytes(8, int(2, 17)))), /no IR version, graph or operator set/],
] as const) {
  test(`a model file that is ${what} is InvalidModel`, async () => {
    await write('output/model/model.onnx', content);
    await refuses('InvalidModel', expected);
  });
}

test('a truncated model is InvalidModel, wherever it is cut', async () => {
  for (const size of [1, 20, onnx.length - 40, onnx.length - 1]) {
    await write('output/model/model.onnx', onnx);
    await truncate(join(folder, 'output/model/model.onnx'), size);
    await refuses('InvalidModel', /not an ONNX model/);
  }
});

for (const path of [
  'output/model/x',
  'output/model/signature.json',
  'output/artifacts/x',
  'output/signature.json',
  'output/metrics.json',
  'output/params.json',
]) {
  test(`a link at ${path} is refused: it could name a credential`, async () => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(join(folder, 'credentials/postgres.json'), join(folder, path));
    await refuses('InvalidModel', /a symbolic link/);
  });
}

test('a linked model file or folder is refused too', async () => {
  await rm(join(folder, 'output/model/model.onnx'));
  await symlink(join(folder, 'credentials/postgres.json'), join(folder, 'output/model/model.onnx'));
  await refuses('InvalidModel', /a symbolic link/);
  await rm(join(folder, 'output/model'), { recursive: true });
  await symlink(join(folder, 'credentials'), join(folder, 'output/model'));
  await refuses('InvalidModel', /a symbolic link/);
});

test('names that could confuse, and too many files, are refused', async () => {
  await write('output/artifacts/a\\b', 'x');
  await refuses('InvalidModel', /cannot be used; rename it/);
  await rm(join(folder, 'output/artifacts/a\\b'));
  for (let i = 0; i < 257; i++) await write(`output/artifacts/${i}`, '');
  await refuses('InvalidModel', /more than 256 files/);
});

test('MLmodel names run and signature, and is the same text every time', () => {
  const signature = {
    inputs: [{ name: 'a', type: 'float32' as const }],
    outputs: [{ name: 'label', type: 'int64' as const }],
  };
  const written = mlmodelFor(run, signature);
  assert.equal(written, mlmodelFor(run, signature));
  const parsed = parse(written);
  assert.equal(parsed.run_id, 'r');
  assert.equal(parsed.flavors.onnx.data, 'model.onnx');
  assert.deepEqual(JSON.parse(parsed.signature.inputs), [{ type: 'double', name: 'a', required: true }]);
});
