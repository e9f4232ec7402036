import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../errors.ts';
import { pageToken, placeFrom } from './metrics.ts';

test('a place in a history comes back from its token, whatever the value', () => {
  for (const value of [
    0,
    -1.5,
    5e-324,
    Number.MAX_VALUE,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ]) {
    const place = { timestamp: Number.MAX_SAFE_INTEGER, step: -3, value };
    assert.deepEqual(placeFrom(pageToken(place)), place);
  }
});

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const foreign = [
  'zzz',
  '',
  '%',
  encoded({ offset: 2 }),
  encoded([1, 2]),
  encoded([1.5, 0, '1']),
  encoded([1, 0, 1]),
  encoded([1, 0, 'x']),
  encoded([1e300, 0, '1']),
];
for (const token of foreign)
  test(`a token ${JSON.stringify(token)} that this server did not give is refused`, () => {
    assert.throws(
      () => placeFrom(token),
      (error) => error instanceof ApiError && error.status === 400 && error.message.startsWith('Invalid page token'),
    );
  });
