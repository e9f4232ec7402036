import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullyDecoded, isWithin, splitUri } from './uri.ts';

test('a URI is taken apart by the rules of Python', () => {
  assert.deepEqual(splitUri('S3://bucket/a/b?x=1#y'), { scheme: 's3', authority: 'bucket', path: '/a/b' });
  assert.deepEqual(splitUri('dbfs:/a'), { scheme: 'dbfs', authority: '', path: '/a' });
  assert.deepEqual(splitUri('/a/b'), { scheme: '', authority: '', path: '/a/b' });
  assert.deepEqual(splitUri(' \tfile:etc'), { scheme: 'file', authority: '', path: 'etc' });
  assert.deepEqual(splitUri('3d:/x'), { scheme: '', authority: '', path: '3d:/x' });
});

test('what is encoded again and again is decoded to the end', () => {
  assert.equal(fullyDecoded('%25252e%252e'), '..');
  assert.equal(fullyDecoded('a+b%2Bc', { plusIsSpace: true }), 'a b c');
  assert.equal(fullyDecoded('100%'), '100%');
});

const root = 'mlflow-artifacts:/1/run/artifacts';
const within: readonly (readonly [source: string, expected: boolean])[] = [
  [root, true],
  [`${root}/`, true],
  [`${root}/model/MLmodel`, true],
  ['mlflow-artifacts:/1//run/artifacts/model', true],
  ['mlflow-artifacts:/1/r%75n/artifacts/model', true],
  ['mlflow-artifacts:/1/run/artifacts-of-others', false],
  ['mlflow-artifacts:/1/run', false],
  ['mlflow-artifacts://host/1/run/artifacts', false],
  ['s3:/1/run/artifacts', false],
];
for (const [source, expected] of within)
  test(`${source} lies ${expected ? '' : 'not '}within the run`, () => assert.equal(isWithin(source, root), expected));

test('nothing lies within a folder that is none', () => assert.equal(isWithin('s3://b/x', 's3://b'), false));
