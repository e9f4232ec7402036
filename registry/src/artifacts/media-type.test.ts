import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaType } from './media-type.ts';

for (const [path, type] of [
  ['1/a/plot.png', 'image/png'],
  ['1/a/plot.PNG', 'image/png'],
  ['1/a/MLmodel', 'text/plain'],
  ['1/a/png', 'application/octet-stream'],
  // Names of what every object has are no extensions that are known.
  ['1/a/x.constructor', 'application/octet-stream'],
  ['1/a/x.__proto__', 'application/octet-stream'],
] as const)
  test(`${path} is sent as ${type}`, () => assert.equal(mediaType(path), type));
