import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Tracking, watchRegistry } from './tracking.ts';

async function until(tracking: () => Tracking, wanted: Tracking): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (tracking() !== wanted) {
    assert.ok(Date.now() < deadline, `still ${tracking()}, expected ${wanted}`);
    await sleep(5);
  }
}

test('a registry that answers is ok, one that is broken or gone is unavailable, and it comes back', async (t) => {
  let status = 200;
  const asked: (string | undefined)[] = [];
  const registry = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status).end('OK');
  });
  t.after(() => registry.close());
  registry.listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const { port } = registry.address() as AddressInfo;
  const tracking = watchRegistry(`http://127.0.0.1:${port}/`, 20);
  assert.equal(tracking(), 'unavailable', 'nothing has answered yet');
  await until(tracking, 'ok');
  assert.equal(asked[0], '/health');
  status = 503;
  await until(tracking, 'unavailable');
  status = 200;
  await until(tracking, 'ok');
  registry.close();
  await until(tracking, 'unavailable');
});

test('without an address nothing is asked', () => {
  assert.equal(watchRegistry(undefined)(), 'disabled');
});
