import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TerminalError } from '../api/errors.ts';
import type { KubeObject } from '../api/meta.ts';
import { KubeError } from './errors.ts';
import { tokenKeysAccess } from './token-keys.ts';
import type { KubeRequest, Transport } from './transport.ts';

const service = (name: string) =>
  ({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'InferenceService',
    metadata: { namespace: 'team-a', name, uid: `uid-${name}` },
  }) as KubeObject;

/** An API server whose keys are `keys`, and what it was asked. */
function cluster(fails: (request: KubeRequest) => number | undefined = () => undefined) {
  const asked: KubeRequest[] = [];
  const now = { keys: [{ kty: 'RSA', kid: 'a' }] as object[], ms: 0 };
  const json = async (request: KubeRequest): Promise<unknown> => {
    asked.push(request);
    const status = fails(request);
    if (status !== undefined) throw new KubeError(status, 'x', 'no');
    if (request.path === '/.well-known/openid-configuration') return { issuer: 'https://issuer', jwks_uri: 'ignored' };
    return request.path === '/openid/v1/jwks' ? { keys: now.keys } : {};
  };
  const access = tokenKeysAccess(
    { json } as unknown as Transport,
    () => {},
    () => now.ms,
  );
  const written = () =>
    asked
      .filter(({ method }) => method === 'PATCH')
      .map(({ path, body }) => ({ path, body: body as { [field: string]: never } }));
  return { access, asked, now, written };
}

test('the keys lie in one ConfigMap of the namespace, which goes with the last service that takes tokens', async () => {
  const { access, asked, written } = cluster();
  await access.ensure('team-a', [service('iris'), service('abalone')]);
  const [first] = written();
  assert.equal(first?.path, '/api/v1/namespaces/team-a/configmaps/slipway-token-keys');
  const { data, metadata } = first.body as unknown as {
    data: Record<string, string>;
    metadata: Record<string, unknown>;
  };
  assert.deepEqual(JSON.parse(data['jwks.json'] as string), {
    issuer: 'https://issuer',
    keys: [{ kty: 'RSA', kid: 'a' }],
  });
  const owners = metadata['ownerReferences'] as { name: string; uid: string }[];
  assert.deepEqual(
    owners.map(({ name, uid }) => `${name} ${uid}`),
    ['abalone uid-abalone', 'iris uid-iris'],
  );
  // An API server answers 406 to whoever asks for plain JSON there.
  assert.equal(asked.find(({ path }) => path === '/openid/v1/jwks')?.accept, 'application/jwk-set+json');
});

test('what is there already costs nothing; rotated keys, another owner and a minute do', async () => {
  const { access, asked, now, written } = cluster();
  await access.ensure('team-a', [service('iris')]);
  const calls = asked.length;
  await access.ensure('team-a', [service('iris')]);
  assert.equal(asked.length, calls);
  await access.ensure('team-a', [service('iris'), service('abalone')]);
  assert.equal(written().length, 2);
  await access.ensure('team-b', [service('iris')]);
  assert.equal(written().length, 3);
  now.keys = [{ kty: 'RSA', kid: 'b' }];
  now.ms += 61_000;
  await access.ensure('team-a', [service('iris')]);
  const last = written().at(-1)?.body as unknown as { data: Record<string, string> };
  assert.match(last.data['jwks.json'] as string, /"kid":"b"/);
});

test('an API server that gives no keys, or takes no ConfigMap, is for the object to say, with the cure', async () => {
  const refusal = async (fails: (request: KubeRequest) => number | undefined): Promise<unknown> =>
    cluster(fails)
      .access.ensure('team-a', [service('iris')])
      .then(
        () => assert.fail('nothing was thrown'),
        (error: unknown) => error,
      );
  for (const status of [403, 404]) {
    const error = await refusal(({ path }) => (path === '/openid/v1/jwks' ? status : undefined));
    assert.ok(error instanceof TerminalError);
    assert.equal(error.reason, 'TokenKeysUnavailable');
    assert.match(error.message, /kubectl get --raw \/openid\/v1\/jwks.*spec\.auth\.apiKeys/);
  }
  const denied = await refusal(({ method }) => (method === 'PATCH' ? 403 : undefined));
  assert.ok(denied instanceof TerminalError);
  assert.match(denied.message, /ConfigMap team-a\/slipway-token-keys.*Raise the quota/);
  for (const status of [0, 429, 500]) assert.ok((await refusal(() => status)) instanceof KubeError, 'tried again soon');
});
