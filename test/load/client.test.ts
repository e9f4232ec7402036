import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { runLoad } from './client.ts';

async function against(listener: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
const options = { body: '{}', connections: 4, signal: new AbortController().signal, maxRequests: 40 };

for (const keepAlive of [true, false]) {
  test(`every answer is counted by its version (${keepAlive ? 'kept-alive' : 'fresh'} connections)`, async () => {
    let served = 0;
    const connections = new Set<number>();
    await against(
      (request, response) => {
        connections.add(request.socket.remotePort ?? 0);
        served += 1;
        response.setHeader('x-model-version', served <= 20 ? '1' : '2').end('{}');
      },
      async (url) => {
        const result = await runLoad({ ...options, url, keepAlive });
        assert.deepEqual(result.versions, { 1: 20, 2: 20 });
        assert.equal(result.failures, 0);
        assert.equal(result.requests, 40);
        assert.equal(connections.size, keepAlive ? 4 : 40);
      },
    );
  });
}

test('a refused, a cut and an unnamed answer are failures, each under its own name', async () => {
  let served = 0;
  await against(
    (request, response) => {
      served += 1;
      if (served % 4 === 0) response.writeHead(503).end();
      else if (served % 4 === 1) request.socket.destroy();
      else if (served % 4 === 2) response.end('{}');
      else response.setHeader('x-model-version', '1').end('{}');
    },
    async (url) => {
      const result = await runLoad({ ...options, url, keepAlive: false });
      assert.deepEqual(result.reasons, { 'status 503': 10, ECONNRESET: 10, 'no x-model-version': 10 });
      assert.equal(result.failures, 30);
    },
  );
});

test('an aborted load begins nothing new and reports what was', async () => {
  const stop = new AbortController();
  await against(
    (_, response) => response.setHeader('x-model-version', '1').end('{}'),
    async (url) => {
      const onAnswer = (answers: number) => answers >= 10 && stop.abort();
      const result = await runLoad({ url, body: '{}', connections: 2, keepAlive: true, signal: stop.signal, onAnswer });
      assert.ok(result.requests >= 10 && result.requests <= 12, `${result.requests}`);
    },
  );
});
