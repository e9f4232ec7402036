/** Keys, tokens of the cluster and https: who is let in, how one learns what is missing, and that rotating restarts nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { certificate, type TestPair } from '../../serving-image/test/certificate.ts';
import { get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service, setosa } from '../support/manifests.ts';
import { withPortForward } from '../support/port-forward.ts';

const namespace = uniqueNamespace('e2e-access');
const KEY = 'the-first-key-of-the-web-team';
const SECOND_KEY = 'the-second-key-of-the-web-team';
/** The kubelet looks for changes about once a minute. */
const SYNC_MS = 120_000;

const names = [`iris.${namespace}.svc`];
const pair = certificate('before', { names });
const renewed = certificate('after', { names });

const secret = (name: string, type: string, stringData: Record<string, string>): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, type, stringData });
const keys = (key: string): string => secret('client-keys', 'Opaque', { web: key });
const tlsSecret = ({ cert, key }: TestPair): string =>
  secret('iris-tls', 'kubernetes.io/tls', { 'tls.crt': cert, 'tls.key': key });

before(async () => {
  makeNamespace(namespace);
  apply(namespace, keys(KEY));
  apply(namespace, tlsSecret(pair));
  apply(namespace, irisTraining('iris'));
  for (const account of ['shop', 'other']) kubectl(['create', 'serviceaccount', account, '-n', namespace]);
  await waitForTrainedVersion(namespace, 'iris');
  const auth = {
    apiKeys: { secretName: 'client-keys' },
    tokens: { serviceAccounts: [`${namespace}/shop`] },
  };
  apply(namespace, service('iris', { auth, tls: { secretName: 'iris-tls' } }));
  apply(namespace, service('locked', { auth: { apiKeys: { secretName: 'not-there-yet' } } }));
  await waitForVersion(namespace, 'iris', 1);
});
after(() => dropNamespace(namespace));

interface Heard {
  readonly status: number;
  readonly body: string;
}

/** One prediction over https, as a client that trusts `ca` sends it. */
async function ask(url: string, headers: Record<string, string>, ca = pair.cert): Promise<Heard> {
  const { port } = new URL(url);
  const to = { host: '127.0.0.1', servername: names[0], port, path: '/predict', method: 'POST', agent: false, ca };
  const sent = request({ ...to, headers: { 'content-type': 'application/json', ...headers } });
  sent.end(JSON.stringify({ samples: [setosa] }));
  const [response] = await once(sent, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, body };
}

const forwarded = <T>(use: (url: string) => Promise<T>): Promise<T> => withPortForward(namespace, 'svc/iris', 443, use);
const tokenOf = (account: string, audience: string): string =>
  kubectl(['create', 'token', account, '-n', namespace, `--audience=${audience}`]).trim();
const podsNow = (): string[] =>
  kubectlJson<{ items: { metadata: { uid: string }; status: { containerStatuses: { restartCount: number }[] } }[] }>(
    ...['get', 'pods', '-n', namespace, '-l', 'slipway.dev/inference-service=iris'],
  ).items.map(({ metadata, status }) => `${metadata.uid} restarted ${status.containerStatuses[0]?.restartCount}`);

test('over https a key or the token of a listed account is let in, and nobody else', async () => {
  const { status } = get(namespace, 'infsvc/iris');
  assert.equal(status.url, `https://${names[0]}`);
  await forwarded(async (url) => {
    const none = await ask(url, {});
    assert.equal(none.status, 401);
    assert.match(none.body, /Credentials are missing/);
    const keyed = await ask(url, { 'x-api-key': KEY });
    assert.equal(keyed.status, 200, keyed.body);
    assert.equal((await ask(url, { 'x-api-key': `${KEY}x` })).status, 401);
    const bearer = async (token: string) => (await ask(url, { authorization: `Bearer ${token}` })).status;
    assert.equal(await bearer(KEY), 200);
    assert.equal(await bearer(tokenOf('shop', 'slipway-predict')), 200);
    assert.equal(await bearer(tokenOf('other', 'slipway-predict')), 403);
    assert.equal(await bearer(tokenOf('shop', 'slipway')), 401, 'made for somebody else');
  });
});

test('a Secret that is missing is named with the cure, and the service answers once it is there', async () => {
  const waiting = await waitForCondition(namespace, 'infsvc/locked', {
    type: 'Ready',
    status: 'False',
    reason: 'ConfigurationError',
  });
  assert.match(waiting.message, /there are no API keys: spec\.auth\.apiKeys\.secretName has to name a Secret/);
  apply(namespace, secret('not-there-yet', 'Opaque', { web: KEY }));
  await waitForVersion(namespace, 'locked', 1, 180_000);
});

test('a rotated key and a renewed certificate are honoured without a restart, and the old key no longer', async () => {
  const pods = podsNow();
  apply(namespace, keys(SECOND_KEY));
  apply(namespace, tlsSecret(renewed));
  await forwarded(async (url) => {
    await eventually(
      async () => assert.equal((await ask(url, { 'x-api-key': SECOND_KEY }, renewed.cert)).status, 200),
      SYNC_MS,
      1_000,
    );
    assert.equal((await ask(url, { 'x-api-key': KEY }, renewed.cert)).status, 401);
  });
  assert.deepEqual(podsNow(), pods);
});

test('what is no origin, no account and no way in is refused when it is written', () => {
  const refused = (spec: object): string => {
    try {
      apply(namespace, service('wrong', spec as Record<string, unknown>));
    } catch (error) {
      return String(error);
    }
    return assert.fail(`taken: ${JSON.stringify(spec)}`);
  };
  assert.match(refused({ cors: { origins: ['https://app.example/'] } }), /an origin is a scheme, a host/);
  assert.match(refused({ auth: {} }), /auth has to set apiKeys, tokens or both/);
  assert.match(refused({ auth: { tokens: { serviceAccounts: ['shop'] } } }), /written namespace\/name/);
  const audience = { audience: 'slipway', serviceAccounts: ['web/shop'] };
  assert.match(refused({ auth: { tokens: audience } }), /audience of tokens for the operator/);
});
