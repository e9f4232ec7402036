import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcedSha256, dataSetName } from './name.ts';

test('a plain name of any script is a name', () => {
  assert.equal(dataSetName('train.csv'), 'train.csv');
  assert.equal(dataSetName('gr%C3%B6%C3%9Fe%20(1).csv'), 'größe (1).csv');
  assert.equal(dataSetName('...csv'), '...csv');
});

for (const sent of [
  '',
  '.',
  '..',
  '%2e%2e',
  '%252e',
  'a%2fb',
  'a/b',
  'a%5cb',
  '%00',
  '%7f',
  '%c2%85',
  '%ff',
  'a%23b',
  'ü'.repeat(126),
])
  test(`${sent.slice(0, 12)} is none`, () => assert.throws(() => dataSetName(sent), /Expected|encoding/));

test('a digest is 64 hex characters, in either case, or absent', () => {
  assert.equal(announcedSha256('A'.repeat(64)), 'a'.repeat(64));
  assert.equal(announcedSha256(null), undefined);
  assert.throws(() => announcedSha256('a'.repeat(63)), /64 hex/);
});
