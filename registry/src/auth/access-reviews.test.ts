import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { accessReviews } from './access-reviews.ts';
import { withSharedConnections } from './cluster.ts';

test('many questions share their connections', async (t) => {
  let connections = 0;
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ status: { authenticated: true, user: { username: 'ada' } } }));
  });
  server.on('connection', () => {
    connections++;
  });
  server.listen(0, '127.0.0.1');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  const config = new KubeConfig();
  const port = (server.address() as AddressInfo).port;
  config.loadFromClusterAndUser(
    { name: 'test', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'test', token: 'own' },
  );
  const reviews = accessReviews(withSharedConnections(config));
  for (let n = 0; n < 12; n++) assert.equal((await reviews.authenticate('token'))?.username, 'ada');
  assert.ok(connections <= 2, `${connections} connections for 12 questions`);
});
