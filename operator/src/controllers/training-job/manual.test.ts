import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualRun } from './manual.ts';

const read = [
  { text: undefined, is: undefined },
  { text: '  ', is: undefined },
  { text: '1767225600', is: { token: '1767225600', parameters: {} } },
  { text: ' after the fix ', is: { token: 'after the fix', parameters: {} } },
  { text: '{"token":"a"}', is: { token: 'a', parameters: {} } },
  {
    text: '{"token":7,"parameters":{"C":0.5,"fit_intercept":false,"class_weight":"none"}}',
    is: { token: '7', parameters: { C: '0.5', fit_intercept: 'false', class_weight: 'none' } },
  },
];
for (const { text, is } of read) test(`read: ${text}`, () => assert.deepEqual(manualRun(text), is));

const refused = [
  { text: '{"token":"a"', says: /no JSON/ },
  { text: '{"parameters":{"C":"1"}}', says: /token/ },
  { text: '{"token":""}', says: /token/ },
  { text: '{"token":"a","parameters":{"C d":"1"}}', says: /parameters/ },
  { text: '{"token":"a","parameters":{"C":{"min":1}}}', says: /parameters\.C/ },
  { text: '{"token":"a","params":{"C":"1"}}', says: /params/ },
  { text: '{"token":"a","parameters":{"C":"\\u0000"}}', says: /parameters\.C.*cannot be stored/ },
  { text: '{"token":"a","parameters":{"C":"\\ud800"}}', says: /parameters\.C.*cannot be stored/ },
  { text: `{"${'🌲'.repeat(50)}\u001b[2J`, says: /no JSON/ },
  { text: 'x'.repeat(2000), says: /longer than 1024/ },
];
for (const { text, says } of refused) {
  test(`refused with what is expected: ${text.slice(0, 50)}`, () => {
    const problem = (manualRun(text) as { problem: string }).problem;
    assert.match(problem, /^annotation slipway\.dev\/run starts no run: expected any text, or \{"token"/);
    assert.match(problem, says);
    assert.ok(problem.length < 400 && problem.isWellFormed());
  });
}
