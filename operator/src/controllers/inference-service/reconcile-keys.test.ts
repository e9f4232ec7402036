import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeKube } from '../../../../test/fake-kube.ts';
import { TerminalError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/meta.ts';
import type { Context } from '../../runtime/reconcile.ts';
import type { ControllerDeps } from '../ports.ts';
import { InferenceService } from './api.ts';
import type { Observed } from './observe.ts';
import { ensureTokenKeys } from './reconcile-keys.ts';

const tokens = { serviceAccounts: ['web/shop'] };

/** A namespace with these services, of which `iris` is looked at. */
function world(specs: Readonly<Record<string, object>>, isThere: boolean, fails?: Error) {
  const kube = new FakeKube();
  for (const [name, spec] of Object.entries(specs)) {
    const { apiVersion, kind } = InferenceService;
    kube.put({
      apiVersion,
      kind,
      metadata: { namespace: 'team-a', name },
      spec: { model: 'iris', ...spec },
    } as KubeObject);
  }
  const asked: string[] = [];
  const tokenKeys = {
    ensure: async (namespace: string, owners: readonly KubeObject[]) => {
      asked.push(`${namespace}: ${owners.map(({ metadata }) => metadata.name).join(' ')}`);
      if (fails) throw fails;
    },
  };
  const owner = kube.get(InferenceService, { namespace: 'team-a', name: 'iris' });
  const observed = { owner, deployment: isThere ? {} : undefined } as Observed;
  const warned: string[] = [];
  const log = { warn: (_: object, message: string) => warned.push(message) };
  const work = () =>
    ensureTokenKeys({ tokenKeys } as unknown as ControllerDeps, { kube, log } as unknown as Context, observed);
  return { work, asked, warned };
}

test('keys are kept for every service of the namespace that takes tokens, and for no other', async () => {
  const taking = world({ iris: { auth: { tokens } }, abalone: { auth: { tokens } }, open: {} }, true);
  assert.equal(await taking.work(), 'renewed');
  assert.deepEqual(taking.asked, ['team-a: iris abalone']);
  const open = world({ iris: { auth: { apiKeys: { secretName: 'keys' } } } }, false);
  assert.equal(await open.work(), 'renewed');
  assert.deepEqual(open.asked, []);
});

test('what runs goes on with the keys it has when they cannot be renewed; what is to begin waits', async () => {
  const away = new Error('the API server did not answer');
  const running = world({ iris: { auth: { tokens } } }, true, away);
  assert.equal(await running.work(), 'kept');
  assert.equal(running.warned.length, 1);
  await assert.rejects(world({ iris: { auth: { tokens } } }, false, away).work(), away);
  const refused = new TerminalError('TokenKeysUnavailable', 'no');
  await assert.rejects(world({ iris: { auth: { tokens } } }, false, refused).work(), refused);
});

test('a right that was lost is told with its cure, and what runs goes on', async () => {
  const refused = new TerminalError('TokenKeysUnavailable', 'let the operator read /openid/v1/jwks');
  const told = await world({ iris: { auth: { tokens } } }, true, refused).work();
  assert.ok(typeof told === 'object');
  assert.equal(told.reason, 'TokenKeysUnavailable');
  assert.match(told.message, /^let the operator read \/openid\/v1\/jwks\. The pods go on with the keys they have/);
});
