import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotJsonError, parseJsonWithNaN, repeatedKey } from './json.ts';

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

test('a key that is given twice in one object is found, wherever and however it is written', () => {
  const found: [text: string, path: readonly (string | number)[] | undefined][] = [
    ['{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]}', undefined],
    ['{"a":1,"a":1}', ['a']],
    ['{"a":[1,{"b":1},{"b":1,"c":"b","b":2}]}', ['a', 2, 'b']],
    ['{"a":1,"\\u0061":1}', ['a']],
    ['{"a\\"":1,"b":"\\"a\\":","a\\"":1}', ['a"']],
    ['{"a":"{\\"a\\":1,\\"a\\":2}"}', undefined],
    ['{"__proto__":1,"__proto__":2}', ['__proto__']],
    ['["a","a"]', undefined],
    ['"a"', undefined],
    [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, undefined],
  ];
  for (const [text, path] of found) assert.deepEqual(repeatedKey(text), path, text.slice(0, 60));
});
