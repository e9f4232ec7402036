import assert from 'node:assert/strict';
import { test } from 'node:test';
import { artifactDigest } from './artifact.ts';
import {
  CONVERT_TERMINATION_BYTES,
  ConversionReport,
  type DepositReport,
  derivedKey,
  isWholeDeposit,
  summaryOf,
} from './conversion.ts';
import { parseS3Uri, s3Uri } from './object-location.ts';
import { parseDepositReport, parseTerminationMessage, renderTerminationMessage } from './termination.ts';

const report = ConversionReport.parse({
  flavor: 'sklearn',
  format: 'cloudpickle',
  estimator: 'LogisticRegression',
  libraries: { 'scikit-learn': '1.5.2' },
  opset: 17,
  parity: { rows: 1024, seed: 7, tolerance: 1e-4, worst: null, labelsEqual: true },
  seconds: 3.456,
});

const files = ['conversion.json', 'examples.json', 'model.onnx', 'signature.json'].map((path, index) => ({
  path,
  sha256: String(index).repeat(64),
  size: 10,
}));
const deposit = (conversion: ConversionReport): DepositReport => ({
  stage: 'deposit',
  reason: 'Deposited',
  message: 'stored',
  uri: `s3://slipway/${'n'.repeat(63)}/derived/${'m'.repeat(128)}/1/${'d'.repeat(64)}`,
  digest: artifactDigest(files),
  files,
  conversion: summaryOf(conversion),
});

test('a deposit comes back as it was sent, and is no failure', () => {
  const text = renderTerminationMessage(deposit(report));
  assert.deepEqual(parseDepositReport(text), deposit(report));
  assert.equal(parseTerminationMessage(text), undefined);
});

test('whatever a converter says of itself, the deposit’s report fits and is plain text', () => {
  const long = '"\u202e\\\\\\"""\u001b[31m漢'.repeat(120);
  const hostile = ConversionReport.parse({
    ...report,
    flavor: long.slice(0, 512),
    format: long.slice(0, 512),
    estimator: long.slice(0, 512),
    inputs: long.slice(0, 512),
    libraries: Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`${index}${long.slice(0, 100)}`, long.slice(0, 128)]),
    ),
    parity: {
      rows: 1,
      tolerance: long.slice(0, 64),
      worst: {
        output: long.slice(0, 512),
        row: 0,
        expected: long.slice(0, 256),
        got: long.slice(0, 256),
        difference: long.slice(0, 64),
      },
    },
  });
  const text = renderTerminationMessage(deposit(hostile));
  assert.ok(Buffer.byteLength(text) <= CONVERT_TERMINATION_BYTES, `${Buffer.byteLength(text)} bytes`);
  assert.ok(parseDepositReport(text));
  assert.match(text, /^[ -~]*$/);
});

for (const [what, change] of [
  ['a parity without rows', { parity: { tolerance: 1 } }],
  ['libraries that are a list', { libraries: [] }],
  ['an estimator that is an object', { estimator: {} }],
  ['an endless estimator', { estimator: 'x'.repeat(513) }],
] as const)
  test(`a report with ${what} is refused`, () =>
    assert.equal(ConversionReport.safeParse({ ...report, ...change }).success, false));

test('a deposit is whole only when its digest is that of its files and they are files a derived model may have', () => {
  const digest = artifactDigest(files);
  assert.ok(isWholeDeposit({ digest, files }));
  assert.ok(!isWholeDeposit({ digest: 'e'.repeat(64), files }));
  const without = files.slice(0, 2);
  assert.ok(!isWholeDeposit({ digest: artifactDigest(without), files: without }));
  const more = [...files, { path: 'model.pkl', sha256: 'a'.repeat(64), size: 1 }];
  assert.ok(!isWholeDeposit({ digest: artifactDigest(more), files: more }));
});

for (const model of ['iris', 'a b', '..', 'x?y#z', '模型', 'back\\slash', '.hidden'])
  test(`the folder of model ${JSON.stringify(model)} can be named, and is its own`, () => {
    const key = derivedKey({ namespace: 'team-a', model, version: 3, digest: 'd'.repeat(64) });
    const uri = s3Uri({ bucket: 'slipway', key });
    assert.deepEqual(parseS3Uri(uri), { bucket: 'slipway', key });
    assert.ok(key.startsWith('team-a/derived/') && key.endsWith(`/3/${'d'.repeat(64)}`));
    assert.equal(key.split('/').length, 5);
    const other = derivedKey({ namespace: 'team-a', model: `${model}?`, version: 3, digest: 'd'.repeat(64) });
    assert.notEqual(key, other);
  });
