import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { closed, httpServer, lettingGo, listening } from './server.ts';

test('a request may take as long as it takes: only headers and silence are limited', () => {
  const server = httpServer(() => {});
  assert.equal(server.requestTimeout, 0);
  assert.ok(server.headersTimeout > 0);
  assert.ok(server.timeout >= 60_000);
});

test('closing lets an upload that is under way finish, and takes no other', async () => {
  const server = httpServer(async (request, response) => {
    let size = 0;
    for await (const chunk of request) size += (chunk as Buffer).length;
    response.end(String(size));
  });
  await listening(server, 0, '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  const upload = connect(port, '127.0.0.1');
  let answer = '';
  upload.on('data', (chunk) => {
    answer += chunk;
  });
  upload.write('PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc');
  await once(server, 'request');
  const ended = closed(server);
  const late = connect(port, '127.0.0.1');
  await once(late, 'error');
  upload.write('def');
  await ended;
  assert.match(answer, /^HTTP\/1\.1 200 .*\r\n\r\n6$/s);
  upload.destroy();
});

test('while it drains, every answer asks its client to come back on another connection', async () => {
  const server = httpServer((_request, response) => void response.end('OK'));
  await listening(server, 0, '127.0.0.1');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.equal((await fetch(url)).headers.get('connection'), 'keep-alive');
  lettingGo(server);
  assert.equal((await fetch(url)).headers.get('connection'), 'close');
  await closed(server);
});
