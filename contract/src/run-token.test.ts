import assert from 'node:assert/strict';
import { test } from 'node:test';
import { looksLikeRunToken, runTokenFor, runTokenSubject } from './run-token.ts';

const subject = { namespace: 'team-a', runId: 'a'.repeat(32) };
const token = runTokenFor('key', subject);

test('a token says whose it is to whoever has the key', () => {
  assert.deepEqual(runTokenSubject('key', token), subject);
  assert.ok(looksLikeRunToken(token));
});

test('a token of another key, run or namespace is nobody’s', () => {
  assert.equal(runTokenSubject('other', token), undefined);
  assert.equal(runTokenSubject('key', token.replace('team-a', 'team-b')), undefined);
  assert.equal(runTokenSubject('key', token.replace('aaaa', 'bbbb')), undefined);
  assert.equal(runTokenSubject('key', `${token}x`), undefined);
});
