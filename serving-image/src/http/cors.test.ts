import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { accessServer } from '../../test/access.ts';
import { mounted } from '../../test/mounted.ts';

const APP = 'https://app.example';
const PREFLIGHT = {
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'content-type,x-api-key',
};

async function asker(t: TestContext, origins?: readonly string[]) {
  const server = await accessServer(t, origins ? { cors: { origins: [...origins] } } : {}, {});
  return (origin: string | undefined, method = 'POST', path = '/predict') => {
    const headers = { ...(origin !== undefined && { origin }), ...(method === 'OPTIONS' && PREFLIGHT) };
    return server.ask(path, { method, headers });
  };
}

const corsHeaders = (headers: object): string[] =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-') || name === 'vary');

test('without the setting no page of another origin is told anything, and OPTIONS is no method', async (t) => {
  const ask = await asker(t);
  const preflight = await ask(APP, 'OPTIONS');
  assert.equal(preflight.status, 405);
  assert.deepEqual(corsHeaders(preflight.headers), []);
  assert.deepEqual(corsHeaders((await ask(APP)).headers), []);
});

test('a page of a listed origin may call and read what an answer is marked with, whatever is asked', async (t) => {
  const ask = await asker(t, [APP, 'http://localhost:3000']);
  for (const [origin, path] of [
    [APP, '/predict'],
    ['http://localhost:3000', '/docs'],
    [APP, '/v2/models/iris/infer'],
  ] as const) {
    const preflight = await ask(origin, 'OPTIONS', path);
    assert.equal(preflight.status, 204);
    assert.equal(preflight.body, '');
    assert.equal(preflight.headers['access-control-allow-origin'], origin);
    assert.match(String(preflight.headers['access-control-allow-methods']), /POST/);
    const allowed = String(preflight.headers['access-control-allow-headers']).split(', ');
    const needed = ['content-type', 'authorization', 'x-api-key', 'x-request-id', 'traceparent'];
    for (const header of [...needed, 'inference-header-content-length']) assert.ok(allowed.includes(header), header);
    assert.equal(preflight.headers['vary'], 'Origin');
    assert.equal(preflight.headers['access-control-allow-credentials'], undefined);
    const answer = await ask(origin, 'POST', path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], origin);
    assert.match(String(answer.headers['access-control-expose-headers']), /x-model-version/);
    assert.equal(answer.headers['vary'], 'Origin');
  }
});

test('another origin gets its answer without a word a browser would take for leave', async (t) => {
  const ask = await asker(t, [APP]);
  for (const origin of [
    'https://evil.example',
    'https://app.example.evil',
    'http://app.example',
    `${APP}:8443`,
    'null',
  ]) {
    const preflight = await ask(origin, 'OPTIONS');
    assert.deepEqual([preflight.status, corsHeaders(preflight.headers)], [204, ['vary']], origin);
    const answer = await ask(origin);
    assert.equal(answer.status, 200);
    assert.deepEqual(corsHeaders(answer.headers), ['vary'], origin);
  }
  assert.deepEqual(corsHeaders((await ask(undefined)).headers), ['vary'], 'a cache learns that it depends');
  assert.equal((await ask(undefined, 'OPTIONS')).status, 405);
});

test('all origins: the same answer for everybody, and never with cookies', async (t) => {
  const ask = await asker(t, ['*']);
  for (const method of ['OPTIONS', 'POST']) {
    const { status, headers } = await ask('https://anybody.example', method);
    assert.equal(status, method === 'POST' ? 200 : 204);
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(headers['access-control-allow-credentials'], undefined);
    assert.equal(headers['vary'], undefined);
  }
});

test('a preflight needs no key; what follows does, and its refusal can be read by the page', async (t) => {
  const { dir } = await mounted(t, { web: 'a-key-of-the-web-team' });
  const server = await accessServer(t, { auth: { apiKeys: true }, cors: { origins: [APP] } }, { apiKeysDir: dir });
  const ask = (method: string, headers: Record<string, string>) =>
    server.ask('/predict', { method, headers: { origin: APP, ...headers } });
  assert.equal((await ask('OPTIONS', PREFLIGHT)).status, 204);
  const refused = await ask('POST', {});
  assert.equal(refused.status, 401);
  assert.equal(refused.headers['access-control-allow-origin'], APP);
  assert.equal((await ask('POST', { 'x-api-key': 'a-key-of-the-web-team' })).status, 200);
  assert.equal((await ask('OPTIONS', {})).status, 405, 'an OPTIONS that is no preflight is no way in');
  const stranger = await ask('OPTIONS', { ...PREFLIGHT, origin: 'https://evil.example' });
  assert.deepEqual(
    [stranger.status, corsHeaders(stranger.headers)],
    [204, ['vary']],
    'a no, and no word of credentials',
  );
});
