import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as plainConnect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect } from 'node:tls';
import { eventually } from '../../../test/support/eventually.ts';
import { type AccessServer, accessServer, EVERY_MS } from '../../test/access.ts';
import { certificate, type TestPair } from '../../test/certificate.ts';
import { mounted } from '../../test/mounted.ts';

const first = certificate('first');
const second = certificate('second');
const soon = <T>(look: () => T | Promise<T>): Promise<T> => eventually(look, 5_000, EVERY_MS);
const secretOf = ({ cert, key }: TestPair) => ({ 'tls.crt': cert, 'tls.key': key });

async function secureServer(t: TestContext, files: Readonly<Record<string, string>> = secretOf(first)) {
  const secret = await mounted(t, files);
  const server = await accessServer(t, { tls: true }, { tlsDir: secret.dir });
  return { secret, server };
}

/** Connects, and says whose certificate is shown. */
async function shown({ port }: AccessServer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

test('https is spoken with the certificate of the Secret, and nothing else', async (t) => {
  const { server } = await secureServer(t);
  const heard = await server.ask('/predict', { ca: first.cert });
  assert.equal(heard.status, 200);
  assert.equal(heard.headers['x-model-version'], '1');
  await assert.rejects(server.ask('/predict', { ca: second.cert }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  const plain = await server.ask('/predict');
  assert.equal(plain.status, 400);
  assert.match(plain.body, /^This port speaks https; /);
  const old = { ca: first.cert, maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await assert.rejects(server.ask('/predict', old), /alert|protocol/i);
  assert.equal((await server.ask('/predict', { ca: first.cert, maxVersion: 'TLSv1.2' })).status, 200);
  assert.equal((await server.ask('/livez', { method: 'GET', ca: first.cert })).status, 200);
});

test('a new certificate is shown without a restart, and a connection that stands goes on', async (t) => {
  const { server, secret } = await secureServer(t);
  const standing = connect({ port: server.port, host: '127.0.0.1', ca: first.cert });
  await once(standing, 'secureConnect');
  const ask = async (): Promise<string> => {
    standing.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
    const [bytes] = await once(standing, 'data');
    return String(bytes).split('\r\n')[0] as string;
  };
  assert.equal(await ask(), 'HTTP/1.1 200 OK');
  secret.swap(secretOf(second));
  await soon(async () => assert.equal(await shown(server), 'second'));
  assert.equal(await ask(), 'HTTP/1.1 200 OK');
  standing.destroy();
  assert.equal((await server.ask('/predict', { ca: second.cert })).status, 200);
  const old = { ca: second.cert, maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await assert.rejects(server.ask('/predict', old), /alert|protocol/i, 'the least version holds after a change too');
});

test('a pair that cannot be used changes nothing, is counted, and says what is wrong with it but not the key', async (t) => {
  const { server, secret } = await secureServer(t);
  const secretLine = second.key.split('\n')[1] as string;
  const broken: readonly [Record<string, string>, RegExp][] = [
    [{ 'tls.crt': second.cert, 'tls.key': first.key }, /tls\.key is not the key of tls\.crt/],
    [{ 'tls.crt': 'nonsense', 'tls.key': second.key }, /tls\.crt is no PEM certificate/],
    [{ 'tls.crt': second.cert, 'tls.key': second.key.slice(0, 80) }, /tls\.key is no PEM private key/],
    [{ 'tls.crt': second.cert }, /tls\.key is missing/],
    [{}, /tls\.crt is missing/],
  ];
  for (const [index, [files, problem]] of broken.entries()) {
    secret.swap(files);
    await soon(() => assert.match(server.log(), problem));
    assert.equal(await shown(server), 'first');
    const count = new RegExp(`slipway_tls_reload_failures_total\\{[^}]*\\} ${index + 1}\\n`);
    assert.match(await server.metrics(), count);
  }
  assert.match(server.log(), /the old one is still shown: the Secret of spec\.tls\.secretName/);
  assert.ok(!server.log().includes(secretLine));
  secret.swap(secretOf(second));
  await soon(async () => assert.equal(await shown(server), 'second'));
});

test('when the certificate expires can be seen before it does', async (t) => {
  const expires = new Date('2031-02-03T04:05:06Z');
  const { server, secret } = await secureServer(t, secretOf(certificate('dated', { expires })));
  const told = (date: Date) =>
    new RegExp(`slipway_tls_certificate_expiry_timestamp_seconds\\{[^}]*\\} ${date.getTime() / 1000}\\n`);
  assert.match(await server.metrics(), told(expires));
  const later = new Date('2033-02-03T04:05:06Z');
  secret.swap(secretOf(certificate('later', { expires: later })));
  await soon(async () => assert.match(await server.metrics(), told(later)));
});

test('a server does not begin without a certificate, and says what to do', async (t) => {
  for (const [files, problem] of [
    [{}, /^tls\.crt is missing: the Secret of spec\.tls\.secretName has to be of type kubernetes\.io\/tls/],
    [{ 'tls.crt': first.cert, 'tls.key': second.key }, /^tls\.key is not the key of tls\.crt: /],
  ] as const) {
    await assert.rejects(secureServer(t, files), { reason: 'InvalidConfiguration', message: problem });
  }
});

test('a client that does not finish its handshake is let go, and disturbs nobody', async (t) => {
  const { server } = await secureServer(t);
  const silent = plainConnect({ port: server.port, host: '127.0.0.1' });
  t.after(() => silent.destroy());
  silent.on('error', () => {});
  const gone = once(silent, 'close');
  await once(silent, 'connect');
  // The first bytes of a handshake, and then nothing.
  silent.write(Buffer.from([0x16, 0x03, 0x01]));
  assert.equal((await server.ask('/predict', { ca: first.cert })).status, 200);
  await gone;
});

test('a client that speaks http and does not go away is let go too', async (t) => {
  const { server } = await secureServer(t);
  const plain = plainConnect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => plain.destroy());
  plain.on('error', () => {});
  let heard = '';
  plain.on('data', (chunk) => {
    heard += chunk;
  });
  await once(plain, 'connect');
  plain.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await soon(() => assert.match(heard, /^HTTP\/1\.1 400 Bad Request\r\n/));
  await soon(() => {
    plain.write('more');
    assert.ok(plain.destroyed, 'nobody takes it any more');
  });
});
