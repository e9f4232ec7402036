import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerAccess } from './callers.ts';
import type { KubeRequest, Transport } from './transport.ts';

const asked: KubeRequest[] = [];
/** An API server that says this of every token. */
const saying = (status: object) =>
  callerAccess({
    json: async (request: KubeRequest) => {
      asked.push(request);
      return { status };
    },
  } as unknown as Transport);

const user = { username: 'system:serviceaccount:team-a:default' };

test('the API server is asked for the audience; one that knows nothing of audiences is not believed', async () => {
  assert.deepEqual(await saying({ authenticated: true, audiences: ['slipway'], user }).holderOf('t', 'slipway'), user);
  assert.deepEqual(asked.at(-1)?.body, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: 't', audiences: ['slipway'] },
  });
  assert.equal(await saying({ authenticated: true, user }).holderOf('t', 'slipway'), undefined);
  assert.equal(await saying({ authenticated: true, audiences: ['other'], user }).holderOf('t', 'slipway'), undefined);
  assert.equal(await saying({ error: 'expired' }).holderOf('t', 'slipway'), undefined);
});
