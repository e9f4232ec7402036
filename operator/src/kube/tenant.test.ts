import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TerminalError } from '../api/errors.ts';
import { KubeError } from './errors.ts';
import { tenantAccess } from './tenant.ts';
import type { Transport } from './transport.ts';

/** A cluster that answers everything with this status. */
const answering = (status: number, message = 'no') =>
  tenantAccess(
    {
      json: async () => {
        throw new KubeError(status, 'x', message);
      },
    } as unknown as Transport,
    () => {},
  );
const secret = { metadata: { namespace: 'team-a', name: 'slipway-tenant-fetch' } };
const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => assert.fail('nothing was thrown'),
    (error: unknown) => error,
  );

for (const [status, message] of [
  [403, 'exceeded quota: few-secrets'],
  [403, 'User "x" cannot patch resource "secrets"'],
  [422, 'data: Invalid value'],
] as const)
  test(`a Secret refused with ${status} (${message}) is for the object to say, with the cure`, async () => {
    const error = await errorOf(answering(status, message).applySecret(secret));
    assert.ok(error instanceof TerminalError);
    assert.equal(error.reason, 'TenantSecretsRefused');
    assert.equal(error.retryAfterMs, 60_000);
    assert.ok(error.message.includes(message));
    assert.match(
      error.message,
      /Secret team-a\/slipway-tenant-fetch.*Raise the quota.*bind the operator's Role in team-a/,
    );
  });

test('a namespace that may not be read is for the object to say', async () => {
  const error = await errorOf(answering(403).readNamespace('team-a'));
  assert.ok(error instanceof TerminalError);
  assert.equal(error.reason, 'NamespaceForbidden');
  assert.equal(error.retryAfterMs, 60_000);
});

test('what passes by itself stays an error to retry', async () => {
  for (const status of [0, 404, 409, 429, 500]) {
    assert.ok((await errorOf(answering(status).applySecret(secret))) instanceof KubeError);
    assert.ok((await errorOf(answering(status).readNamespace('team-a'))) instanceof KubeError);
  }
});
