import assert from 'node:assert/strict';
import { test } from 'node:test';
import { artifactDigest } from '@slipway/contract';
import { artifactOf, formatOf, inspect } from './format.ts';

const sha = (digit: string) => digit.repeat(64);
const onnxFlavour = 'flavors:\n  onnx:\n    data: net.onnx\n  python_function: {}\n';
const sklearn = 'flavors:\n  sklearn:\n    pickled_model: model.pkl\n';

const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
const formats: readonly (readonly [
  what: string,
  paths: readonly string[],
  mlmodel: string | undefined,
  expected: string,
])[] = [
  ['an MLmodel with the onnx flavour', ['MLmodel', 'net.onnx', 'other.onnx'], onnxFlavour, 'onnx'],
  ['a folder with model.onnx', ['model.onnx', 'labels.onnx'], undefined, 'onnx'],
  ['a single .onnx file', ['nets/net.onnx'], undefined, 'onnx'],
  ['a folder with several .onnx files, none of them named', ['a.onnx', 'b.onnx'], undefined, 'mlflow'],
  ['a pickle', ['MLmodel', 'model.pkl'], sklearn, 'mlflow'],
  ['nothing', [], undefined, 'mlflow'],
  ['an MLmodel that is no YAML', ['MLmodel'], '{[', 'mlflow'],
  ['an MLmodel nested beyond reason', ['MLmodel'], deep, 'mlflow'],
  ['an MLmodel that is a list', ['MLmodel'], '- 1', 'mlflow'],
  [
    'an MLmodel that grows when it is read',
    ['MLmodel'],
    `a: &a [x,x]\nb: &b [${'*a,'.repeat(20)}]\nc: [${'*b,'.repeat(20)}]`,
    'mlflow',
  ],
];
for (const [what, paths, mlmodel, expected] of formats)
  test(`${what} is ${expected}`, () => assert.equal(formatOf(paths, mlmodel), expected));

test('files whose digests are all known are an artifact', () => {
  const files = [{ path: 'model.onnx', size: 3, sha256: sha('a') }];
  assert.deepEqual(artifactOf('s3://b/x', files), { uri: 's3://b/x', files, digest: artifactDigest(files) });
});

test('a single object is the model.onnx of its artifact', () => {
  assert.deepEqual(artifactOf('s3://b/net.onnx', [{ path: '', size: 3, sha256: sha('a') }])?.files, [
    { path: 'model.onnx', size: 3, sha256: sha('a') },
  ]);
});

test('one unknown digest, no file, or too many leave the counting to the verifier', () => {
  const file = (index: number) => ({ path: `f${index}`, size: 1, sha256: sha('b') });
  assert.equal(artifactOf('s3://b/x', [file(1), { path: 'y', size: 1 }]), undefined);
  assert.equal(artifactOf('s3://b/x', []), undefined);
  assert.equal(
    artifactOf(
      's3://b/x',
      Array.from({ length: 257 }, (_, index) => file(index)),
    ),
    undefined,
  );
});

test('what is not ours to read is not read', async () => {
  const unread = { bucket: 'slipway', list: assert.fail, files: assert.fail, readSmall: assert.fail };
  assert.deepEqual(await inspect(unread, 'team-a', { sourceUri: 's3://other/x' }), { format: 'mlflow' });
});
