import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotJsonError, parseJsonWithNaN } from './json.ts';

const parse = (text: string) => parseJsonWithNaN(Buffer.from(text));

test('the word NaN is null, but not inside of a text, whatever the text escapes', () => {
  assert.deepEqual(parse('[NaN,"NaN","\\"NaN","\\\\",NaN,{"NaN":NaN}]'), [
    null,
    'NaN',
    '"NaN',
    '\\',
    null,
    { NaN: null },
  ]);
});

test('what is no JSON otherwise is none with it', () => {
  for (const text of ['[NaNs]', '[-NaN]', '["NaN', '[NaN', '[Infinity,NaN]', 'aNaN']) {
    assert.throws(() => parse(text), NotJsonError, text);
  }
});

test('a text that is never closed is looked through once', () => {
  assert.throws(() => parse(`[NaN,"${'\\"'.repeat(2_000_000)}`), NotJsonError);
});
