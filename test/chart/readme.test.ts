import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CHART } from './helm.ts';
import { currentReadme, valuesTable } from './values-table.ts';

test('the table of values in the chart’s README is current', () => {
  assert.equal(
    readFileSync(`${CHART}/README.md`, 'utf8'),
    currentReadme(),
    'renew it: node test/chart/values-table.ts --write',
  );
});

test('a value without a comment is refused by name', () => {
  assert.throws(() => valuesTable('a:\n  # -- said\n  b: 1\n  c: 2\n'), /a\.c has no comment/);
});
