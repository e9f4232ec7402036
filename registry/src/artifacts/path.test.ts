import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../errors.ts';
import { artifactPath, folderPath, namedPath, subPath } from './path.ts';

const run = '1/0123456789abcdef0123456789abcdef/artifacts';

for (const [sent, path] of [
  [`${run}/model.onnx`, `${run}/model.onnx`],
  [`${run}/a%20b.txt`, `${run}/a b.txt`],
  [`${run}/%C3%BCmlaut/%E6%97%A5%E6%9C%AC.txt`, `${run}/ümlaut/日本.txt`],
  [`${run}/100%25.txt`, `${run}/100%.txt`],
  [`${run}/a%2520b`, `${run}/a b`],
  [`${run}/…a..b`, `${run}/…a..b`],
  [`${run}/images/a%25step%253%25timestamp%251795%25ob5.png`, `${run}/images/a%step%3%timestamp%1795%ob5.png`],
  [`${run}/a%2523b%2580`, `${run}/a%23b%80`],
  ['7/models/m-1/artifacts/MLmodel', '7/models/m-1/artifacts/MLmodel'],
  ['7', '7'],
] as const) {
  test(`${sent} is a path`, () => assert.equal(artifactPath(sent), path));
}

const refused = [
  ['a parent', '1/../2/x'],
  ['a parent, encoded', '1/%2e%2e/2/x'],
  ['a parent, half encoded', '1/.%2E/2/x'],
  ['a parent, encoded twice', '1/%252e%252e/2/x'],
  ['a parent, encoded thrice', '1/%25252e%25252e/2/x'],
  ['a slash, encoded', '1/..%2f..%2fother/x'],
  ['encoded without end', `1/%${'25'.repeat(12)}2e`],
  ['a dot', '1/./x'],
  ['nothing between slashes', '1//x'],
  ['nothing at the end', '1/x/'],
  ['nothing at all', ''],
  ['absolute', '/1/x'],
  ['absolute, encoded', '%2f1/x'],
  ['a backslash', '1/..\\x'],
  ['a backslash, encoded', '1/%5c..%5cx'],
  ['a parent behind a backslash, encoded twice', '1/..%255c..%255cx'],
  ['a parent before a NUL, encoded twice', '1/%252e.%2500/x'],
  ['a slash, encoded twice', '1/..%252f..%252fother/x'],
  ['a NUL', '1/x%00.txt'],
  ['a line feed', '1/x%0a.txt'],
  ['a C1 control character', '1/x%C2%85'],
  ['an overlong encoding', '1/%c0%ae%c0%ae/x'],
  ['bytes that are no UTF-8', '1/%ff'],
  ['a fragment', '1/x%23y'],
  ['a scheme', 'file:///etc/passwd'],
  ['a drive', 'C:/x'],
  ['data sets', 'data/00/train.csv'],
  ['predictions', 'predictions/iris/1'],
  ['another namespace, as a number and more', '1a/x'],
  ['a segment no file system keeps', `1/${'x'.repeat(256)}`],
  ['a key no store keeps', `1/${'x'.repeat(200)}/${'ü'.repeat(100)}/${'y/'.repeat(300)}z`],
] as const;
for (const [what, sent] of refused) {
  test(`refused: ${what}`, () =>
    assert.throws(
      () => artifactPath(sent),
      (error) => error instanceof ApiError && error.status === 400 && error.message === 'Invalid path',
    ));
}

test('a folder may end with a slash, and be the root', () => {
  assert.equal(folderPath(`${run}/`), run);
  assert.equal(folderPath(undefined), '');
  assert.equal(folderPath(''), '');
  assert.throws(() => folderPath('/'.repeat(2)), ApiError);
  assert.throws(() => folderPath('data'), ApiError);
});

test('a path below a folder needs no experiment, and may not leave the folder', () => {
  assert.equal(subPath('model/data/'), 'model/data');
  assert.equal(subPath(undefined), '');
  for (const sent of ['..', 'a/%2e%2e', '/etc', 'a\\b', 'a#b']) assert.throws(() => subPath(sent), ApiError, sent);
});

test('a path of a query is opened once already', () => {
  const image = `${run}/images/a%step%3%timestamp%1795%ob5.png`;
  assert.equal(subPath(image), image);
  assert.equal(folderPath(image), image);
  assert.equal(namedPath(image), image);
  assert.throws(() => folderPath('1/%2e%2e/2'), ApiError);
  assert.throws(() => namedPath('1/a\\b'), ApiError);
});
