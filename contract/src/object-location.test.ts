import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptPrefix, belongsToTenant, parseS3Uri, s3Uri } from './object-location.ts';

test('an s3 uri is split into bucket and key, and put together again', () => {
  assert.deepEqual(parseS3Uri('s3://slipway/team-a/1/r/model'), { bucket: 'slipway', key: 'team-a/1/r/model' });
  assert.equal(s3Uri({ bucket: 'slipway', key: 'team-a/x' }), 's3://slipway/team-a/x');
});

for (const uri of [
  ...['https://slipway/x', 'file:///etc/passwd', 's3://slipway', 's3://slipway/', 's3:///key', 's3://UPPER/x'],
  ...['s3://slipway/team-a/../team-b/x', 's3://slipway//x', 's3://slipway/x?versionId=1', 's3://slipway/x#y'],
]) {
  test(`${uri} names no object`, () => assert.equal(parseS3Uri(uri), undefined));
}

test('a namespace owns what lies below its own name, not what merely begins with it', () => {
  const owns = (key: string, bucket = 'slipway') => belongsToTenant({ bucket, key }, 'slipway', 'team-a');
  assert.equal(owns('team-a/x'), true);
  assert.equal(owns('team-a2/x'), false);
  assert.equal(owns('team-a'), false);
  assert.equal(owns('team-a/x', 'elsewhere'), false);
});

test('every attempt has a prefix of its own under its namespace', () => {
  const at = { namespace: 'team-a', experimentId: '1', runId: 'r', attempt: 'abc' };
  assert.equal(attemptPrefix(at), 'team-a/1/r/artifacts/abc');
});
