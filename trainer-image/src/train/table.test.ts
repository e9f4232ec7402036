import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Algorithm } from '@slipway/contract';
import { readTable } from './table.ts';

const read = (csv: string, over: Partial<Algorithm> = {}) =>
  readTable(Readable.from([Buffer.from(csv)]), { name: 'logistic-regression', target: 'class', ...over });

test('quoted cells, a byte order mark, Windows line ends and empty lines are CSV like any other', async () => {
  const table = await read('\ufeff"width, cm",class\r\n"1.5","a ""b"", c"\r\n\r\n-2e-1,d\r\n');
  assert.deepEqual(table.featureNames, ['width, cm']);
  assert.deepEqual([...table.features], [1.5, -0.2]);
  assert.deepEqual(table.targets, ['a "b", c', 'd']);
});

test('without features every column but the target is one; with them only those, in that order', async () => {
  const csv = 'a,class,b,c\n1,x,2,3\n';
  assert.deepEqual([...(await read(csv)).features], [1, 2, 3]);
  const chosen = await read(csv, { features: ['c', 'a'] });
  assert.deepEqual([...chosen.features], [3, 1]);
});

test('a name that differs only in case, spaces and units finds its column', async () => {
  const table = await read('Whole weight (g),Class\n1,x\n', { features: ['whole_weight'] });
  assert.deepEqual(table.featureNames, ['Whole weight (g)']);
});

test('many rows are kept', async () => {
  const rows = Array.from({ length: 5000 }, (_, i) => `${i},${i % 2}`).join('\n');
  const table = await read(`a,class\n${rows}`);
  assert.equal(table.rows, 5000);
  assert.equal(table.features[4999], 4999);
});

const refusals: readonly [what: string, csv: string, reason: string, message: RegExp, over?: Partial<Algorithm>][] = [
  ['a word', 'a,class\n1,x\n2,x\nabc,y\n', 'InvalidCell', /row 3 \(line 4\), column "a": expected a number, got "abc"/],
  ['an empty cell', 'a,class\n,x\n', 'InvalidCell', /column "a": expected a number, got nothing/],
  ['NaN', 'a,class\nNaN,x\n', 'InvalidCell', /row 1 \(line 2\), column "a"/],
  ['infinity', 'a,class\ninf,x\n', 'InvalidCell', /expected a number/],
  ['1e999', 'a,class\n1e999,x\n', 'InvalidCell', /expected a number below 3.4e38/],
  ['what float32 cannot hold', 'a,class\n1e39,x\n', 'InvalidCell', /below 3.4e38/],
  ['hexadecimal', 'a,class\n0x10,x\n', 'InvalidCell', /expected a number/],
  ['no class', 'a,class\n1,\n', 'InvalidCell', /column "class": expected a class, got nothing/],
  ['a cell too many', 'a,class\n1,x\n1,x,2\n', 'InvalidCell', /row 2 \(line 3\): expected as many cells/],
  ['an open quote', 'a,class\n"1,x\n', 'InvalidCell', /expected a closing quote/],
  ['a name twice', 'a,a,class\n1,2,x\n', 'InvalidCell', /column 2: .*"a" a second time/],
  ['a missing target', 'a,b\n1,2\n', 'TargetNotFound', /target "class" is not a column; the columns are "a", "b"/],
  ['a missing feature', 'a,class\n1,x\n', 'FeatureNotFound', /feature "z" is not a column/, { features: ['z'] }],
  ['the target as a feature', 'a,class\n1,x\n', 'FeatureNotFound', /is the target/, { features: ['class'] }],
  ['only a target', 'class\nx\n', 'FeatureNotFound', /no column besides the target/],
  ['an empty file', '', 'EmptyInput', /got an empty file/],
  ['a header alone', 'a,class\n', 'EmptyInput', /got only a header/],
];

for (const [what, csv, reason, message, over] of refusals) {
  test(`${what} is refused as ${reason}`, async () => {
    await assert.rejects(read(csv, over), (error: Error & { reason?: string }) => {
      assert.equal(error.reason, reason);
      assert.match(error.message, message);
      return true;
    });
  });
}
