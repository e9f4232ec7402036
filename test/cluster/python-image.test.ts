import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packagesIn, placeOf } from './python-image.ts';

test('comments and empty lines of a requirements file name no package', () => {
  assert.deepEqual(packagesIn('# why\nnumpy==2.4.6\n\n  scipy==1.17.1\n'), ['numpy==2.4.6', 'scipy==1.17.1']);
});

test('a library lies under the name that models know it by', () => {
  assert.equal(placeOf('xgboost-cpu==3.2.0'), 'xgboost/3.2.0');
  assert.throws(() => placeOf('xgboost>=3'), /expected name==version/);
});
