import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { exportJWK, SignJWT } from 'jose';
import { eventually } from '../../../test/support/eventually.ts';
import { type AccessServer, accessServer, EVERY_MS, type Folders } from '../../test/access.ts';
import { mounted } from '../../test/mounted.ts';

const KEY = 'a-key-of-the-billing-team';
const OTHER = 'another-key-of-the-web-team';
const ISSUER = 'https://kubernetes.default.svc';
const AUDIENCE = 'slipway-predict';

const soon = <T>(look: () => T | Promise<T>): Promise<T> => eventually(look, 5_000, EVERY_MS);

/** A server that asks for API keys only. */
async function withKeys(t: TestContext, files: Readonly<Record<string, string>> = { billing: KEY, web: OTHER }) {
  const secret = await mounted(t, files);
  const server = await accessServer(t, { auth: { apiKeys: true } }, { apiKeysDir: secret.dir });
  const status = async (headers: Readonly<Record<string, string | string[]>>, path = '/predict') =>
    (await server.ask(path, { headers })).status;
  return { secret, server, status };
}

describe('API keys', () => {
  test('a client with one is let in, whichever header it uses; without, with a wrong one or half of one it is not', async (t) => {
    const { status } = await withKeys(t);
    assert.equal(await status({ 'x-api-key': KEY }), 200);
    assert.equal(await status({ 'x-api-key': OTHER }), 200);
    assert.equal(await status({ authorization: `Bearer ${KEY}` }), 200);
    assert.equal(await status({ authorization: `bearer  ${KEY}` }), 200);
    assert.equal(await status({ 'x-api-key': 'wrong', authorization: `Bearer ${KEY}` }), 200);
    for (const headers of [
      {},
      { 'x-api-key': '' },
      { 'x-api-key': KEY.slice(0, -1) },
      { 'x-api-key': `${KEY}x` },
      { 'x-api-key': 'billing' },
      { 'x-api-key': KEY.toUpperCase() },
      { 'x-api-key': [KEY, KEY] },
      { authorization: KEY },
      { authorization: `Basic ${Buffer.from(`billing:${KEY}`).toString('base64')}` },
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${KEY} ${KEY}` },
      { cookie: `x-api-key=${KEY}` },
    ]) {
      assert.equal(await status(headers as Record<string, string>), 401, JSON.stringify(headers));
    }
    assert.equal(await status({}, `/predict?x-api-key=${KEY}`), 401, 'nothing is taken from a URL, which others log');
  });

  test('everything needs it but health, metrics, pings, the links and the page of the documentation, however a path is written', async (t) => {
    const { server } = await withKeys(t);
    const get = async (path: string) => (await server.ask(path, { method: 'GET' })).status;
    for (const path of [
      '/',
      '/livez',
      '/readyz',
      '/health',
      '/metrics',
      '/ping',
      '/v2/health/live',
      '/v2/health/ready',
      '/docs',
    ]) {
      assert.equal(await get(path), 200, path);
    }
    for (const path of [
      ...['/openapi.json', '/train', '/train/x', '/model/version', '/version', '/v2', '/v1/models'],
      ...['/v2/models/iris', '/v2/models/iris/ready', '/v2/models/iris/infer', '/predict', '/invocations'],
      ...['/LIVEZ/../predict', '/livez/', '//livez', '/livez%2f..%2fpredict', '/PREDICT', '/predict/'],
    ]) {
      assert.equal(await get(path), 401, path);
    }
  });

  test('who is refused hears it in the words of the protocol, what to send, and nothing of any key', async (t) => {
    const { server } = await withKeys(t);
    const said = async (path: string, headers: Record<string, string> = {}) => {
      const heard = await server.ask(path, { headers });
      assert.equal(heard.status, 401);
      assert.ok(heard.body.length < 1024 && !heard.body.includes(KEY));
      assert.equal(heard.headers['content-type'], 'application/json');
      return { ...heard, json: JSON.parse(heard.body) };
    };
    const none = await said('/predict');
    assert.match(none.json.detail, /Credentials are missing; send an API key as x-api-key/);
    assert.equal(none.headers['www-authenticate'], 'Bearer realm="slipway"');
    const wrong = await said('/predict', { 'x-api-key': 'not-a-key-of-anybody' });
    assert.match(wrong.json.detail, /not known here/);
    assert.ok(!wrong.body.includes('not-a-key'));
    assert.match((await said('/v2/models/iris/infer')).json.error, /Credentials are missing/);
    assert.match((await said('/v2/models/iris')).json.error, /Credentials are missing/);
    assert.match((await said('/v1/models/iris:predict')).json.error, /Credentials are missing/);
    assert.match(JSON.stringify((await said('/train')).json.detail), /Credentials are missing/);
  });

  test('refusals are counted by reason, and a key is never logged', async (t) => {
    const { server, secret, status } = await withKeys(t);
    await status({});
    await status({ 'x-api-key': 'not-a-key-of-anybody' });
    await status({ 'x-api-key': 'not-a-key-of-anybody' });
    secret.swap({ billing: 'a-third-key-of-billing' });
    await soon(async () => assert.equal(await status({ 'x-api-key': 'a-third-key-of-billing' }), 200));
    const text = await server.metrics();
    assert.match(text, /slipway_requests_refused_total\{reason="no_credentials"[^}]*\} 1/);
    assert.match(text, /slipway_requests_refused_total\{reason="unknown_credentials"[^}]*\} [2-9]/);
    for (const key of [KEY, OTHER, 'not-a-key', 'a-third-key']) assert.ok(!server.log().includes(key));
    assert.match(server.log(), /API keys read/);
  });

  test('the line end an editor leaves does not count; a key that is too short or cannot be sent is told by its name only', async (t) => {
    const { server, status } = await withKeys(t, {
      billing: `${KEY}\n`,
      web: `${OTHER}\r\n`,
      short: 'short-key',
      spaced: 'a key with spaces in it',
    });
    assert.equal(await status({ 'x-api-key': KEY }), 200);
    assert.equal(await status({ 'x-api-key': OTHER }), 200);
    assert.equal(await status({ 'x-api-key': 'short-key' }), 401);
    assert.equal(await status({ 'x-api-key': 'a key with spaces in it' }), 401);
    assert.match(server.log(), /"client":"short","problem":"shorter than 16 characters"/);
    assert.match(server.log(), /"client":"spaced"/);
    assert.ok(!server.log().includes('short-key') && !server.log().includes('a key with'));
  });

  test('a rotated key is honoured without a restart and the old one no longer; with none left everybody is refused until there is one', async (t) => {
    const { server, secret, status } = await withKeys(t);
    secret.swap({ billing: 'the-new-key-of-billing', web: OTHER });
    await soon(async () => assert.equal(await status({ 'x-api-key': 'the-new-key-of-billing' }), 200));
    assert.equal(await status({ 'x-api-key': KEY }), 401);
    assert.equal(await status({ 'x-api-key': OTHER }), 200);
    secret.swap({});
    await soon(async () => assert.equal(await status({ 'x-api-key': OTHER }), 503));
    assert.equal(await status({}), 503);
    assert.match((await server.ask('/predict')).body, /put one into the Secret of spec\.auth\.apiKeys\.secretName/);
    assert.match(server.log(), /no API keys are left.*spec\.auth\.apiKeys\.secretName/);
    assert.equal((await server.ask('/livez', { method: 'GET' })).status, 200);
    secret.swap({ web: OTHER });
    await soon(async () => assert.equal(await status({ 'x-api-key': OTHER }), 200));
  });

  test('a server does not begin without keys, and says what to do', async (t) => {
    const empty = await mounted(t, {});
    for (const apiKeysDir of [empty.dir, '/nonexistent']) {
      await assert.rejects(accessServer(t, { auth: { apiKeys: true } }, { apiKeysDir }), {
        reason: 'InvalidConfiguration',
        message: /there are no API keys: spec\.auth\.apiKeys\.secretName has to name a Secret/,
      });
    }
  });

  test('an answer is refused before its body is read, and the connection does not go on with the rest of it', async (t) => {
    const { server } = await withKeys(t);
    const heard = await server.ask('/predict', { headers: { 'content-length': '1000000', expect: '100-continue' } });
    assert.equal(heard.status, 401);
    assert.equal(heard.headers['connection'], 'close');
  });

  test('a header of 15 kB is refused like any other', async (t) => {
    const { status } = await withKeys(t);
    assert.equal(await status({ 'x-api-key': 'x'.repeat(15_000) }), 401);
    assert.equal(await status({ authorization: `Bearer ${'x'.repeat(15_000)}` }), 401);
  });
});

interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

async function signer(kid: string, alg = 'RS256'): Promise<Signer> {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

const first = await signer('first');
const second = await signer('second', 'ES256');
const stranger = await signer('first');

interface Claims {
  readonly sub?: string;
  readonly iss?: string;
  readonly aud?: string | string[];
  /** Seconds from now. */
  readonly expires?: number | null;
  readonly notBefore?: number;
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

function token(by: Signer, claims: Claims = {}, header: object = {}): Promise<string> {
  const {
    sub = 'system:serviceaccount:web:shop',
    iss = ISSUER,
    aud = [AUDIENCE],
    expires = 600,
    notBefore = 0,
  } = claims;
  const jwt = new SignJWT({ sub }).setIssuer(iss).setAudience(aud).setNotBefore(inSeconds(notBefore));
  if (expires !== null) jwt.setExpirationTime(inSeconds(expires));
  return jwt.setProtectedHeader({ alg: by.alg, kid: by.kid, ...header }).sign(by.privateKey);
}

const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url');
const jwks = (...signers: readonly Signer[]): Record<string, string> => ({
  'jwks.json': JSON.stringify({ issuer: ISSUER, keys: signers.map(({ jwk }) => jwk) }),
});

const TOKENS = { audience: AUDIENCE, serviceAccounts: ['web/shop', 'batch/*'] };

/** A server that takes tokens of the cluster. */
async function withTokens(t: TestContext, more: { apiKeys?: boolean } & Folders = {}) {
  const { apiKeys = false, ...folders } = more;
  const keys = await mounted(t, jwks(first));
  const server = await accessServer(t, { auth: { apiKeys, tokens: TOKENS } }, { ...folders, tokenKeysDir: keys.dir });
  return { keys, server, show: showing(server) };
}
const showing = (server: AccessServer) => (text: string) =>
  server.ask('/predict', { headers: { authorization: `Bearer ${text}` } });

describe('tokens of the cluster', () => {
  test('a listed account is let in, an account of a listed namespace too; another is known but may not', async (t) => {
    const { server, show } = await withTokens(t);
    const as = async (namespace: string, name: string) => {
      const text = await token(first, { sub: `system:serviceaccount:${namespace}:${name}` });
      // The second time from memory.
      const statuses = [(await show(text)).status, (await show(text)).status];
      assert.equal(statuses[0], statuses[1]);
      return statuses[0];
    };
    assert.equal(await as('web', 'shop'), 200);
    assert.equal(await as('batch', 'nightly'), 200);
    for (const [namespace, name] of [
      ['web', 'other'],
      ['web', 'shop2'],
      ['web', '*'],
      ['web2', 'shop'],
      ['batch2', 'nightly'],
      ['default', 'default'],
    ] as const) {
      assert.equal(await as(namespace, name), 403, `${namespace}/${name}`);
    }
    const refused = await show(await token(first, { sub: 'system:serviceaccount:web:other' }));
    assert.match(JSON.parse(refused.body).detail, /may not call this service.*spec\.auth\.tokens\.serviceAccounts/);
    assert.ok(!refused.body.includes('other'));
    assert.match(await server.metrics(), /slipway_requests_refused_total\{reason="account_not_listed"[^}]*\} [1-9]/);
  });

  test('a user, a node or an account of no namespace is nobody who is listed', async (t) => {
    const { show } = await withTokens(t);
    for (const sub of [
      ...[
        'shop',
        'web/shop',
        'system:node:web:shop',
        'system:serviceaccount:web:shop:x',
        'system:serviceaccount:undefined',
      ],
      ...['system:serviceaccount::', 'system:serviceaccount:batch:', 'xsystem:serviceaccount:web:shop'],
    ]) {
      assert.equal((await show(await token(first, { sub }))).status, 403, sub);
    }
  });

  test('forged, foreign, early and late tokens are not known', async (t) => {
    const { server, show } = await withTokens(t);
    const good = await token(first);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const listed = { sub: 'system:serviceaccount:web:shop', iss: ISSUER, aud: [AUDIENCE], exp: inSeconds(600) };
    // The public key as everybody can read it, taken for the secret of a symmetric algorithm.
    const publicPem = Buffer.from(JSON.stringify(first.jwk));
    const confused = (alg: string) =>
      new SignJWT(listed).setProtectedHeader({ alg, kid: 'first' }).sign(publicPem.subarray(0, 64));
    const bad: Record<string, string> = {
      'no algorithm': `${part({ alg: 'none', kid: 'first' })}.${part(listed)}.${signature}`,
      'no algorithm, other case': `${part({ alg: 'NonE', kid: 'first' })}.${part(listed)}.${signature}`,
      'no signature': `${part({ alg: 'none' })}.${part(listed)}.`,
      'HS256 with the public key': await confused('HS256'),
      'HS512 with the public key': await confused('HS512'),
      'another signer under a known name': await token(stranger),
      'an unknown key': await token(second),
      'a key of its own': await token(stranger, {}, { jwk: stranger.jwk, kid: 'own' }),
      'a key from elsewhere': await token(stranger, {}, { jku: 'http://127.0.0.1:1/jwks', kid: 'own' }),
      'another payload': `${header}.${part({ ...listed, sub: 'system:serviceaccount:batch:x' })}.${signature}`,
      'another issuer': await token(first, { iss: 'https://elsewhere' }),
      'another audience': await token(first, { aud: ['https://kubernetes.default.svc'] }),
      'part of the audience': await token(first, { aud: 'slipway' }),
      'no end': await token(first, { expires: null }),
      ended: await token(first, { expires: -60 }),
      'not yet': await token(first, { notBefore: 300 }),
      'a critical extension': `${part({ alg: 'RS256', kid: 'first', crit: ['x'], x: 1 })}.${payload}.${signature}`,
      'more parts': `${good}.x`,
      'no JSON': 'aaaa.bbbb.cccc',
      huge: `${header}.${part({ ...listed, filling: 'x'.repeat(9_000) })}.${signature}`,
    };
    for (const [what, text] of Object.entries(bad)) {
      const heard = await show(text);
      assert.equal(heard.status, 401, what);
      assert.ok(heard.body.length < 1024, what);
      assert.match(String(heard.headers['www-authenticate']), /^Bearer realm="slipway", error="invalid_token"$/);
    }
    assert.equal((await show(good)).status, 200);
    assert.equal(
      (await server.ask('/predict', { headers: { 'x-api-key': good } })).status,
      401,
      'a token is no API key',
    );
    assert.match((await show(bad['ended'] as string)).body, /The token has expired/);
    assert.match((await show(bad['another audience'] as string)).body, /for another audience; .* slipway-predict/);
  });

  test('only what API servers sign with is taken, whatever the key set would allow', async (t) => {
    const secret = Buffer.from('a secret that lies in the key set');
    const symmetric = { kty: 'oct', kid: 'shared', k: secret.toString('base64url') };
    const { alg: _, ...anyAlgorithm } = first.jwk as { alg: string };
    const set = JSON.stringify({ issuer: ISSUER, keys: [anyAlgorithm, symmetric] });
    const { dir } = await mounted(t, { 'jwks.json': set });
    const show = showing(await accessServer(t, { auth: { tokens: TOKENS } }, { tokenKeysDir: dir }));
    assert.equal((await show(await token(first))).status, 200);
    for (const alg of ['RS512', 'PS256']) assert.equal((await show(await token(first, {}, { alg }))).status, 401, alg);
    const listed = { sub: 'system:serviceaccount:web:shop', iss: ISSUER, aud: AUDIENCE, exp: inSeconds(600) };
    const shared = new SignJWT(listed).setProtectedHeader({ alg: 'HS256', kid: 'shared' }).sign(secret);
    assert.equal((await show(await shared)).status, 401);
  });

  test('a token that was good is not once it has ended, though it is remembered', async (t) => {
    const dir = (await mounted(t, jwks(first))).dir;
    const { openTokens } = await import('./auth-tokens.ts');
    let now = Date.now();
    const silent = { info: () => {}, error: () => {} } as never;
    const tokens = openTokens({ ...TOKENS, dir, log: silent, now: () => now });
    t.after(tokens.stop);
    const text = await token(first, { expires: 60 });
    assert.equal(await tokens.check(text), 'listed');
    assert.equal(tokens.check(text), 'listed', 'at once');
    now += 120_000;
    assert.equal(await tokens.check(text), 'expired');
  });

  test('what is remembered is bounded, and so is what is checked at once', async (t) => {
    const dir = (await mounted(t, jwks(first))).dir;
    const { openTokens } = await import('./auth-tokens.ts');
    const tokens = openTokens({ ...TOKENS, dir, log: { info: () => {}, error: () => {} } as never });
    t.after(tokens.stop);
    const bad = await token(stranger);
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => tokens.check(bad)));
    assert.equal(verdicts.filter((verdict) => verdict === 'unknown').length, 64);
    assert.equal(verdicts.filter((verdict) => verdict === 'busy').length, 36);
    assert.equal(await tokens.check(bad), 'unknown', 'room again');
  });

  test('new keys of the cluster count without a restart; what a withdrawn key vouched for no longer does, remembered or not', async (t) => {
    const { keys, server, show } = await withTokens(t);
    const old = await token(first);
    const young = await token(second);
    assert.deepEqual([(await show(old)).status, (await show(young)).status], [200, 401]);
    keys.swap(jwks(first, second));
    await soon(async () => assert.equal((await show(young)).status, 200));
    assert.equal((await show(old)).status, 200);
    keys.swap(jwks(second));
    await soon(async () => assert.equal((await show(old)).status, 401));
    assert.equal((await show(young)).status, 200);
    keys.swap({ 'jwks.json': '{"keys": "broken"' });
    await soon(() => assert.match(server.log(), /cannot be read; those read before stay good/));
    assert.equal((await show(young)).status, 200);
  });

  test('with keys and tokens set, either is enough', async (t) => {
    const secret = await mounted(t, { billing: KEY });
    const { server, show } = await withTokens(t, { apiKeys: true, apiKeysDir: secret.dir });
    assert.equal((await show(await token(first))).status, 200);
    assert.equal((await show(KEY)).status, 200);
    assert.equal((await show('something-else-entirely')).status, 401);
    assert.match((await server.ask('/predict')).body, /an API key .*, or a service account's token for the audience/);
    secret.swap({});
    await soon(async () => assert.equal((await show(KEY)).status, 401));
    assert.equal((await show(await token(first))).status, 200, 'tokens are still taken');
  });

  test('a server does not begin without keys to check with', async (t) => {
    const broken = await mounted(t, { 'jwks.json': '{"issuer": "x", "keys": []}' });
    for (const tokenKeysDir of [broken.dir, '/nonexistent']) {
      await assert.rejects(accessServer(t, { auth: { tokens: TOKENS } }, { tokenKeysDir }), {
        reason: 'InvalidConfiguration',
        message: /there are no keys to check tokens with/,
      });
    }
  });
});

test('without the setting nobody is asked', async (t) => {
  const server = await accessServer(t, {}, {});
  assert.equal((await server.ask('/predict')).status, 200);
  assert.equal((await server.ask('/docs', { method: 'GET' })).status, 200);
});
