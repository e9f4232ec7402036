import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeError } from './errors.ts';
import { publishPolicy, readonlyPolicy } from './policies.ts';

const place = { endpoint: 'http://key:secret@minio:9000/path', bucket: 'slipway' };

for (const [code, reason] of [
  ['NoSuchBucket', 'BucketMissing'],
  ['InvalidBucketNameError', 'BucketMissing'],
  ['NoSuchKey', 'NotFound'],
  ['AccessDenied', 'Denied'],
  ['SignatureDoesNotMatch', 'Denied'],
  ['ExpiredToken', 'Denied'],
  ['ECONNREFUSED', 'Unavailable'],
  ['ETIMEDOUT', 'Unavailable'],
  ['SlowDown', 'Unavailable'],
] as const) {
  test(`${code} means ${reason}`, () => {
    const error = storeError(Object.assign(new Error('x'), { code }), place, 'object a/b');
    assert.equal(error.reason, reason);
  });
}

test('the message names endpoint, bucket and cause, and no credential the endpoint may carry', () => {
  const { message } = storeError(Object.assign(new Error(''), { code: 'ECONNREFUSED' }), place, 'object a/b');
  assert.match(message, /http:\/\/minio:9000, bucket slipway.*ECONNREFUSED/);
  assert.doesNotMatch(message, /secret/);
});

test('a status that the client gave up on is the store being away', () => {
  const error = storeError(new Error('Request failed after 0 retries: Error: Retryable HTTP status: 503'), place, 'x');
  assert.equal(error.reason, 'Unavailable');
  assert.match(error.message, /HTTP 503/);
});

test('a tenant may read below its own prefix, and write only when it publishes', () => {
  const actions = (policy: ReturnType<typeof readonlyPolicy>) => policy.Statement.flatMap(({ Action }) => Action);
  assert.deepEqual(actions(readonlyPolicy('slipway', 'team-a')), ['s3:GetObject', 's3:ListBucket']);
  assert.ok(actions(publishPolicy('slipway', 'team-a')).includes('s3:PutObject'));
  for (const policy of [readonlyPolicy('slipway', 'team-a'), publishPolicy('slipway', 'team-a')]) {
    assert.deepEqual(policy.Statement[0]?.Resource, ['arn:aws:s3:::slipway/team-a/*']);
    assert.deepEqual(policy.Statement[1]?.Condition, { StringLike: { 's3:prefix': 'team-a/*' } });
  }
});

test('a name with a wildcard reaches no policy', () => {
  for (const name of ['*', 'team-?', 'a/b', '']) assert.throws(() => readonlyPolicy('slipway', name), RangeError);
});
