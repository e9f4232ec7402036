/** https:// inputs from real TLS servers on this machine, which the administrator's range opens. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { sha256Hex } from '@slipway/contract';
import { mayConnectTo } from '../src/fetch/addresses.ts';
import { fetchInputs } from '../src/fetch/fetch.ts';
import type { Web } from '../src/fetch/https.ts';
import { persistence } from '../src/persist.ts';

const BYTES = 'a,b\n1,x\n';
const SHA256 = sha256Hex(BYTES);

let folder: string;
let inputDir: string;
let ca: string;
let server: Server;
let port: number;
let asked: string[];
let resolved: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-https-'));
  const file = (name: string) => join(folder, name);
  const names = 'subjectAltName=DNS:mirror.test,DNS:other.test,IP:127.0.0.1';
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...curve, '-nodes', '-days', '2', '-subj', '/CN=mirror.test', '-addext', names].concat([
      ...['-keyout', file('key.pem'), '-out', file('cert.pem')],
    ]),
    { stdio: 'pipe' },
  );
  ca = readFileSync(file('cert.pem'), 'utf8');
  server = createServer({ key: readFileSync(file('key.pem')), cert: ca }, (request, response) => {
    asked.push(`${request.headers.host?.split(':')[0]}${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server?.close();
  server?.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  [asked, resolved] = [[], []];
  inputDir = mkdtempSync(join(folder, 'input-'));
  answer = (_request, response) => void response.end(BYTES);
});
afterEach(() => server.closeAllConnections());

interface Given {
  readonly hosts?: readonly string[];
  readonly cidrs?: readonly string[];
  readonly sha256?: string | undefined;
  readonly web?: Partial<Web>;
}

/** Fetches `uri`; everything that was logged, and the time that would have passed. */
async function fetchFrom(uri: string, given: Given = {}) {
  let time = 0;
  const lines: string[] = [];
  const log = (_level: string, message: string, fields: object = {}) =>
    void lines.push(message + JSON.stringify(fields));
  const sha256 = 'sha256' in given ? given.sha256 : SHA256;
  const inputs = [{ name: 'train', uri, ...(sha256 !== undefined && { sha256 }) }];
  const httpsHosts = [...(given.hosts ?? [`mirror.test:${port}`, `other.test:${port}`])];
  const never = async (): Promise<never> => assert.fail('no store is needed');
  await fetchInputs(
    { namespace: 'team-a', parameters: {}, inputs, httpsHosts },
    {
      ...{
        inputDir,
        referencesDir: join(folder, 'r'),
        configMapsDir: folder,
        builtinDir: folder,
        openStore: never,
        log,
      },
      web: {
        mayConnect: mayConnectTo(given.cidrs ?? ['127.0.0.0/8']),
        ca,
        resolve: async (host) => {
          resolved.push(host);
          return [{ address: '127.0.0.1', family: 4 }];
        },
        ...given.web,
      },
      persist: persistence({
        ...{ log, deadline: 86_400_000, deniedGraceMs: 0, now: () => time },
        sleep: async (ms) => {
          time += ms;
        },
      }),
    },
  );
  return { lines, time, read: () => readFileSync(join(inputDir, 'train'), 'utf8') };
}
const at = (path: string, host = 'mirror.test') => `https://${host}:${port}${path}`;

test('a file from an allowed host is brought, and what stands behind its path is neither logged nor recorded', async () => {
  const { lines, read } = await fetchFrom(at('/x.csv?signature=geheim'));
  assert.equal(read(), BYTES);
  assert.deepEqual(asked, ['mirror.test/x.csv?signature=geheim']);
  const [digest] = JSON.parse(readFileSync(join(inputDir, '.slipway/inputs.json'), 'utf8'));
  assert.deepEqual(digest, { name: 'train', uri: at('/x.csv'), sha256: SHA256, size: BYTES.length });
  assert.doesNotMatch(lines.join('\n'), /geheim/);
});

const refused = (reason: string, message: RegExp) => (error: Error & { reason?: string }) => {
  assert.equal(error.reason, reason, error.message);
  assert.match(error.message, message);
  assert.doesNotMatch(error.message, /geheim/);
  return true;
};

for (const [what, uri, given, expected] of [
  ['a host that is not in the list', () => 'https://example.com/x?key=geheim', {}, /httpsInputHosts adds example\.com/],
  ['another port than the list names', () => 'https://mirror.test:1/x', {}, /a host the operator allows/],
  ['a name that only ends like one of the list', () => `https://evil-mirror.test:${port}/x`, {}, /a host the operator/],
  ['an empty list', () => at('/x'), { hosts: [] }, /none so far/],
  ['a user name and password', () => `https://me:geheim@mirror.test:${port}/x`, {}, /no user name or password/],
  ['no sha256', () => at('/x'), { sha256: undefined }, /sha256/],
  ['a host inside the cluster', () => at('/x'), { cidrs: [] }, /not at a public address.*httpsInputCidrs/],
  [
    'an address inside the cluster',
    () => at('/x', '127.0.0.1'),
    { cidrs: [], hosts: ['127.0.0.1:PORT'] },
    /not at a public/,
  ],
  [
    'the same address, written as a number',
    () => at('/x', '2130706433'),
    { cidrs: [], hosts: ['127.0.0.1:PORT'] },
    /not at a/,
  ],
] as const) {
  test(`${what} is refused before anything is asked`, async () => {
    const hosts = 'hosts' in given ? given.hosts.map((host) => host.replace('PORT', String(port))) : undefined;
    await assert.rejects(
      fetchFrom(uri(), { ...given, ...(hosts && { hosts }) }),
      refused('InputUriNotAllowed', expected),
    );
    assert.deepEqual(asked, []);
  });
}

test('a host is refused when any of its addresses is inside, and is not resolved twice for one connection', async () => {
  const both = async () => [
    { address: '8.8.8.8', family: 4 },
    { address: '10.0.0.1', family: 4 },
  ];
  await assert.rejects(fetchFrom(at('/x'), { cidrs: [], web: { resolve: both } }), { reason: 'InputUriNotAllowed' });
  await fetchFrom(at('/x'));
  assert.deepEqual(resolved, ['mirror.test']);
});

/** Answers by path: a status with a location, or the bytes. */
const redirecting = (to: Readonly<Record<string, string>>) => (request: IncomingMessage, response: ServerResponse) => {
  const location = to[request.url ?? ''];
  if (location === undefined) return void response.end(BYTES);
  response.writeHead(302, { location }).end('moved');
};

test('redirects are followed from allowed host to allowed host', async () => {
  answer = redirecting({ '/1': '/2', '/2': at('/3', 'other.test') });
  assert.equal((await fetchFrom(at('/1'))).read(), BYTES);
  assert.deepEqual(asked, ['mirror.test/1', 'mirror.test/2', 'other.test/3']);
});

for (const [what, location, reason] of [
  ['a host that is not allowed', () => 'https://example.com/x?geheim', 'InputUriNotAllowed'],
  ['an address of this host', () => at('/x', '127.0.0.1'), 'InputUriNotAllowed'],
  ['the metadata service', () => 'http://169.254.169.254/latest', 'InputUriNotAllowed'],
  ['http', () => `http://mirror.test:${port}/x`, 'InputUriNotAllowed'],
  ['a password', () => `https://a:geheim@mirror.test:${port}/x`, 'InputUriNotAllowed'],
  ['itself, for ever', () => at('/1'), 'InputNotFound'],
  ['nowhere', () => 'https://', 'InputNotFound'],
] as const) {
  test(`a redirect to ${what} is not followed`, async () => {
    answer = redirecting({ '/1': location() });
    await assert.rejects(fetchFrom(at('/1')), refused(reason, /./));
    assert.ok(asked.length <= 4);
    assert.ok(asked.every((one) => one === 'mirror.test/1'));
  });
}

test('other bytes than promised are refused, and leave nothing under the name', async () => {
  await assert.rejects(
    fetchFrom(at('/x?geheim'), { sha256: 'f'.repeat(64) }),
    refused('DigestMismatch', /expected sha256/),
  );
  assert.throws(() => readFileSync(join(inputDir, 'train')), { code: 'ENOENT' });
});

test('what is not there, or not readable, is not asked for again', async () => {
  for (const status of [404, 403, 204]) {
    asked = [];
    answer = (_request, response) => void response.writeHead(status).end();
    await assert.rejects(fetchFrom(at('/x?geheim')), refused('InputNotFound', new RegExp(`status ${status}`)));
    assert.equal(asked.length, 1);
  }
});

test('a server that fails, breaks off or says nothing is asked again', async () => {
  const failures = [
    (_: IncomingMessage, response: ServerResponse) => void response.writeHead(503).end(),
    (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': '100' }).write('a,b');
      setImmediate(() => response.destroy());
    },
    (request: IncomingMessage) => void request.socket.destroy(),
    () => {},
    (_: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(200, { 'content-length': '8' }).write('a'),
  ];
  answer = (request, response) => {
    const fail = failures.shift();
    if (fail) fail(request, response);
    else response.end(BYTES);
  };
  const { read } = await fetchFrom(at('/x'), { web: { silenceMs: 200 } });
  assert.equal(read(), BYTES);
  assert.equal(asked.length, 6);
});

test('a server that stays away is waited for ten minutes, with a reason that may be tried again', async () => {
  answer = (_request, response) => void response.writeHead(503).end();
  await assert.rejects(fetchFrom(at('/x?geheim')), refused('InputUnavailable', /status 503/));
  assert.ok(asked.length > 10);
});

test('more than a volume holds is refused before it is taken', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-length': String(11 * 1024 ** 3) }).write('a');
  };
  await assert.rejects(fetchFrom(at('/x')), refused('InputNotFound', /at most 10737418240/));
});

test('a certificate nobody vouches for is refused', async () => {
  const { ca: _, ...web } = { ca };
  await assert.rejects(
    fetchFrom(at('/x'), { web: { ...web, ca: undefined as unknown as string } }),
    refused('InputUriNotAllowed', /no certificate that is trusted/),
  );
});

test('a start over does not fetch again what is there', async () => {
  await fetchFrom(at('/x'));
  await fetchFrom(at('/x'));
  assert.equal(asked.length, 1);
});
