import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Probes, startServer } from './server.ts';

async function serving(t: TestContext, probes: Partial<Probes> = {}) {
  const server = await startServer(0, {
    dead: () => [],
    missing: () => [],
    details: () => ({ leading: true }),
    metrics: async () => ({ contentType: 'text/plain', text: 'slipway_leader 1\n' }),
    ...probes,
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    return { status: response.status, text: await response.text() };
  };
  return Object.assign(get, { port });
}

test('ready and alive when nothing is missing', async (t) => {
  const get = await serving(t);
  assert.equal((await get('/livez')).status, 200);
  const ready = await get('/readyz?verbose');
  assert.equal(ready.status, 200);
  assert.deepEqual(JSON.parse(ready.text), { ready: true, missing: [], leading: true });
});

test('not ready names what is missing and stays alive', async (t) => {
  const get = await serving(t, { missing: () => ['TrainingJob: install the CRDs'] });
  const ready = await get('/readyz');
  assert.equal(ready.status, 503);
  assert.deepEqual(JSON.parse(ready.text).missing, ['TrainingJob: install the CRDs']);
  assert.equal((await get('/livez')).status, 200);
});

test('not alive when an informer has ended', async (t) => {
  const get = await serving(t, { dead: () => ['the informer of Job has ended'] });
  const live = await get('/livez');
  assert.equal(live.status, 500);
  assert.match(live.text, /the informer of Job has ended/);
});

test('metrics are text; a failure says nothing of its cause', async (t) => {
  assert.deepEqual(await (await serving(t))('/metrics'), { status: 200, text: 'slipway_leader 1\n' });
  const failing = await serving(t, { metrics: () => Promise.reject(new Error('secret path /app')) });
  assert.deepEqual(await failing('/metrics'), { status: 500, text: '{"error":"internal error"}\n' });
});

test('anything else is refused', async (t) => {
  const get = await serving(t);
  assert.equal((await get('/')).status, 404);
  assert.equal((await get('/readyz', { method: 'POST' })).status, 405);
});

test('whoever opens connections and asks nothing keeps no probe out', async (t) => {
  const get = await serving(t);
  const hoard = Array.from({ length: 1200 }, () => connect(get.port, '127.0.0.1').on('error', () => {}));
  t.after(() => {
    for (const socket of hoard) socket.destroy();
  });
  await Promise.all(hoard.map((socket) => once(socket, 'connect')));
  assert.equal((await get('/livez')).status, 200);
  assert.equal((await get('/readyz')).status, 200);
});
