import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { parameterProblem } from './algorithms.ts';

test('numbers are read as people write them', () => {
  for (const C of ['1', '1.', '.5', '+0.5', '1e-3', '2.5E+2', ' 7 '])
    assert.equal(parameterProblem('logistic-regression', { C }), undefined, C);
  for (const C of ['', '.', '1.2.3', 'e5', '1e', '0x10', 'Infinity', '-1'])
    assert.match(
      parameterProblem('logistic-regression', { C })?.problem ?? '',
      /^parameter C: expected a number above 0/,
    );
});

test('a long text that is almost a number is refused in one pass', () => {
  const check = (C: string) => parameterProblem('logistic-regression', { C })?.name;
  // The time limit ends the test if the pattern goes back and forth: that would take minutes.
  const text = `${'1'.repeat(500_000)}x`;
  assert.equal(runInNewContext('check(text)', { check, text }, { timeout: 30_000 }), 'C');
});
