import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Artifact, artifactDigest, isRelativePath } from './artifact.ts';

const file = (path: string, byte = 'a') => ({ path, sha256: byte.repeat(64), size: 3 });

test('the digest of a set of files does not depend on their order, and does on every byte of path, size and sha256', () => {
  const [a, b] = [file('model.onnx'), file('signature.json', 'b')];
  const digest = artifactDigest([a, b]);
  assert.equal(artifactDigest([b, a]), digest);
  for (const changed of [
    { ...a, path: 'x' },
    { ...a, size: 4 },
    { ...a, sha256: 'c'.repeat(64) },
  ]) {
    assert.notEqual(artifactDigest([changed, b]), digest);
  }
});

for (const path of ['../x', 'a/../b', '/etc/passwd', 'a//b', './a', 'a/.', 'a\\b', 'a\u0000b', '']) {
  test(`${JSON.stringify(path)} could leave its folder and is refused`, () => {
    assert.equal(isRelativePath(path), false);
    assert.equal(Artifact.safeParse({ uri: 's3://b/k', files: [file(path)], digest: 'd'.repeat(64) }).success, false);
  });
}

test('ordinary paths pass', () => {
  for (const path of ['model.onnx', 'model/model.onnx', '.slipway-fetched.json', 'a b/ü.txt']) {
    assert.equal(isRelativePath(path), true, path);
  }
});
