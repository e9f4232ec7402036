import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHead } from './head.ts';

const START = 'POST /predict HTTP/1.1';
const USUAL = ['host: x', 'content-type: application/json', 'content-length: 12'];
const head = (...fields: string[]): string => [START, ...fields].join('\r\n');

test('a usual head is read: names in lower case, values without the space around them', () => {
  const read = readHead(
    head('Host: x:80', 'Content-Type:application/json', 'CONTENT-LENGTH: 12 ', 'x-empty:', 'Connection: Keep-Alive'),
  );
  assert.deepEqual(
    { ...read, headers: { ...read?.headers } },
    {
      url: '/predict',
      length: 12,
      headers: {
        host: 'x:80',
        'content-type': 'application/json',
        'content-length': '12',
        'x-empty': '',
        connection: 'Keep-Alive',
      },
    },
  );
});

const otherwise: [why: string, text: string][] = [
  ['another method', head(...USUAL).replace('POST', 'GET')],
  ['a method in small letters', head(...USUAL).replace('POST', 'post')],
  ['another version', head(...USUAL).replace('HTTP/1.1', 'HTTP/1.0')],
  ['an absolute target', head(...USUAL).replace('/predict', 'http://x/predict')],
  ['a target with a space', head(...USUAL).replace('/predict', '/pre dict')],
  ['a target with a byte beyond ASCII', head(...USUAL).replace('/predict', '/pr\xe9dict')],
  ['no host', head(...USUAL.slice(1))],
  ['no length', head(...USUAL.slice(0, 2))],
  ['two hosts', head(...USUAL, 'Host: y')],
  ['two lengths that agree', head(...USUAL, 'Content-Length: 12')],
  ['two lengths that differ', head(...USUAL, 'content-length: 13')],
  ...['+12', '-1', '012', '0x0c', '1e1', '12,12', '12 12', '12x', '', '99999999999'].map((length): [string, string] => [
    `the length ${JSON.stringify(length)}`,
    head(...USUAL.slice(0, 2), `content-length: ${length}`),
  ]),
  ['a coding beside the length', head(...USUAL, 'transfer-encoding: chunked')],
  ['a coding in capitals', head(...USUAL, 'Transfer-Encoding: identity')],
  ['a compressed body', head(...USUAL, 'content-encoding: gzip')],
  ['a client that waits to be asked', head(...USUAL, 'expect: 100-continue')],
  ['another protocol', head(...USUAL, 'upgrade: h2c')],
  ['a trailer', head(...USUAL, 'trailer: x')],
  ['a client that will close', head(...USUAL, 'connection: close')],
  ['a connection that drops a field', head(...USUAL, 'connection: keep-alive, content-length')],
  ['a folded line', head(...USUAL, ' more: of it')],
  ['a space before the colon', head(...USUAL, 'x-a : b')],
  ['no colon', head(...USUAL, 'x-a')],
  ['no name', head(...USUAL, ': b')],
  ['a bare line feed', head(...USUAL, 'x-a: b\ntransfer-encoding: chunked')],
  ['a bare carriage return', head(...USUAL, 'x-a: b\rtransfer-encoding: chunked')],
  ['a bare line feed before a value', head(...USUAL, 'x-a:\ntransfer-encoding: chunked')],
  ['a bare line feed behind a value', head(...USUAL, 'x-a: b\n')],
  ['a bare carriage return before a value', head(...USUAL, 'x-a: \rb')],
  ['a bare carriage return at the end of a line', head(...USUAL, 'x-a: b\r')],
  ['a vertical tab behind the length', head(...USUAL.slice(0, 2), 'content-length: 12\v')],
  ['a space beyond ASCII before the length', head(...USUAL.slice(0, 2), 'content-length:\xa012')],
  ['a null byte', head(...USUAL, 'x-a: b\0c')],
  ['a byte beyond ASCII', head(...USUAL, 'x-a: \xe9')],
  ['a field twice', head(...USUAL, 'x-a: 1', 'X-A: 2')],
];
for (const [why, text] of otherwise) {
  test(`${why}: not read here`, () => {
    assert.ok(readHead(head(...USUAL)), 'but for that it would be');
    assert.equal(readHead(text), undefined);
  });
}

test('fields named like parts of an object are fields', () => {
  const read = readHead(head(...USUAL, '__proto__: a', 'constructor: b'));
  assert.equal(read?.headers['constructor'], 'b');
  assert.deepEqual(Object.entries(read?.headers ?? {}).at(-2), ['__proto__', 'a']);
  assert.equal(Object.getPrototypeOf(read?.headers), null);
});

test('a head of 8 KiB of spaces is decided at once', () => {
  const start = performance.now();
  for (let i = 0; i < 100; i++) readHead(head(...USUAL, `x-a:${' '.repeat(8000)}\x80`));
  assert.ok(performance.now() - start < 1000);
});
