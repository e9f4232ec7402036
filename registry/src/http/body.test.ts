import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ApiError } from '../errors.ts';
import { jsonObjectOf } from './body.ts';

const json = 'application/json';
const sent = (body: string | Buffer, type?: string, method = 'POST'): IncomingMessage => {
  const stream = new PassThrough();
  stream.end(body);
  return Object.assign(stream, {
    method,
    headers: type === undefined ? {} : { 'content-type': type },
  }) as unknown as IncomingMessage;
};

for (const [what, request, expected] of [
  ['an object', sent('{"a":"ü"}', json), { a: 'ü' }],
  ['with a charset', sent('{"a":1}', 'Application/JSON; charset=utf-8'), { a: 1 }],
  ['an object within a string', sent('"{\\"a\\":1}"', json), { a: 1 }],
  ['nothing, said to be JSON', sent('', json), {}],
  ['nothing at all of a DELETE', sent('', undefined, 'DELETE'), {}],
] as const) {
  test(`read: ${what}`, async () => assert.deepEqual(await jsonObjectOf(request), expected));
}

for (const [what, request, message] of [
  ['nothing at all of a POST', sent(''), 'Bad Request. Content-Type header is missing.'],
  ['an object without a type', sent('{}'), 'Bad Request. Content-Type header is missing.'],
  ['a form', sent('a=1', 'text/plain'), "Bad Request. Content-Type must be one of ['application/json']."],
  ['a list', sent('[]', json), 'The body is not a JSON object: send {"parameter": value, …}.'],
  ['half an object', sent('{"a', json), 'The body is not JSON: send one object, as application/json.'],
  [
    'bytes of Latin-1',
    sent(Buffer.from('{"a":"ü"}', 'latin1'), json),
    'The body is not JSON: it is not encoded as UTF-8.',
  ],
] as const) {
  test(`refused: ${what}`, () =>
    assert.rejects(
      jsonObjectOf(request),
      (error) => error instanceof ApiError && error.status === 400 && error.message === message,
    ));
}
