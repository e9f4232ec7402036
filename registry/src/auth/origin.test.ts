import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Access } from '../http/exchange.ts';
import { checkOrigin, isLoopback } from './origin.ts';

const outcome = (
  headers: { host?: string; origin?: string },
  access: Access,
  { allowedOrigins = [] as string[], loopbackOnly = false } = {},
): number => {
  try {
    checkOrigin(headers, access, { allowedOrigins, loopbackOnly });
    return 200;
  } catch (error) {
    return (error as { status: number }).status;
  }
};

const host = 'slipway-registry.slipway-system:5000';
for (const [what, headers, read, write] of [
  ['a program', { host }, 200, 200],
  ['its own page', { host, origin: `http://${host}` }, 200, 200],
  ['its own page behind TLS', { host: 'ml.example.com', origin: 'https://ml.example.com' }, 200, 200],
  ['a page of another site', { host, origin: 'https://evil.example' }, 200, 403],
  ['a page of another port', { host: 'localhost:5000', origin: 'http://localhost:8080' }, 200, 403],
  ['a page without an origin of its own', { host, origin: 'null' }, 200, 403],
] as const)
  test(`${what}: reading ${read}, writing ${write}`, () => {
    assert.deepEqual([outcome(headers, 'read'), outcome(headers, 'write')], [read, write]);
  });

test('an origin that is listed may write', () => {
  const allowedOrigins = ['https://console.example.com'];
  assert.equal(outcome({ host, origin: 'https://console.example.com' }, 'write', { allowedOrigins }), 200);
  assert.equal(outcome({ host, origin: 'https://console.example.com.evil' }, 'write', { allowedOrigins }), 403);
});

test('on loopback only, a name that is turned to this machine is refused, reading too', () => {
  for (const name of ['127.0.0.1:5000', 'localhost:5000', '[::1]:5000', 'localhost'])
    assert.equal(outcome({ host: name }, 'write', { loopbackOnly: true }), 200, name);
  for (const name of ['evil.example:5000', '127.0.0.1.evil.example', '', 'localhost.evil.example:5000'])
    assert.equal(outcome({ host: name }, 'read', { loopbackOnly: true }), 403, name);
  assert.deepEqual(['127.0.0.1', '::1', '::', '0.0.0.0', '10.0.0.1'].map(isLoopback), [
    true,
    true,
    false,
    false,
    false,
  ]);
});
