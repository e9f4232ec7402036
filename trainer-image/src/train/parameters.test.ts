import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults, readParameters } from './parameters.ts';

test('what is not given has its default', () => {
  assert.deepEqual(readParameters({}), defaults);
  const read = readParameters({
    C: '0.1',
    max_iter: '200',
    random_state: '7',
    fit_intercept: 'False',
    test_size: '0.5',
  });
  assert.deepEqual(read, { ...defaults, C: 0.1, max_iter: 200, random_state: 7, fit_intercept: false, test_size: 0.5 });
});

for (const [name, value, message] of [
  ['c', '1', /parameter "c" is unknown: expected one of C, max_iter, tol/],
  ['toString', '1', /unknown/],
  ['C', 'abc', /parameter C: expected a number above 0, got "abc"/],
  ['C', '0', /above 0/],
  ['C', '1e999', /above 0/],
  ['C', '', /got ""/],
  ['max_iter', '1.5', /whole number/],
  ['random_state', '-1', /whole number from 0/],
  ['test_size', '1.5', /share of the rows/],
  ['fit_intercept', 'yes', /true or false/],
] as const) {
  test(`${name}=${value} is refused`, () => {
    assert.throws(() => readParameters({ [name]: value }), { reason: 'InvalidParameter', message });
  });
}
