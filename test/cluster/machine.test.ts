import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStat } from './daemon.ts';
import { isDebian } from './packages.ts';
import { pathsFor } from './paths.ts';
import { mirrorIn, reachSettings } from './root-file-system.ts';

test('the cache can be put elsewhere, sockets keep short paths', () => {
  assert.equal(pathsFor({ HOME: '/home/a' }).cache, '/home/a/.cache/slipway');
  const far = pathsFor({ SLIPWAY_CACHE: `/${'deep/'.repeat(30)}cache` });
  assert.ok(far.containerdSocket.length < 100 && far.dockerSocket.length < 100);
});

test('Debian and its children are told by os-release', () => {
  assert.equal(isDebian('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n'), true);
  assert.equal(isDebian('ID=linuxmint\nID_LIKE="ubuntu debian"\n'), true);
  assert.equal(isDebian('ID=fedora\n'), false);
});

test('the Debian mirror is read from both formats of sources', () => {
  assert.equal(
    mirrorIn('deb [signed-by=/k.gpg] https://mirror.example/debian/ bookworm main'),
    'https://mirror.example/debian',
  );
  const blocks =
    'Types: deb\nURIs: http://security.example/debian-security\n\nTypes: deb\nURIs: http://a.example/debian\n';
  assert.equal(mirrorIn(blocks), 'http://a.example/debian');
  assert.equal(mirrorIn('deb https://packages.example/apt other main'), undefined);
});

test('only settings that say how a mirror is reached are taken along', () => {
  const dump = [
    'APT::Architecture "amd64";',
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::https::CaInfo "/etc/ssl/ca.crt";',
    'Acquire::http::Proxy::direct.example "";',
  ].join('\n');
  assert.deepEqual(reachSettings(dump), dump.split('\n').slice(1, 3));
});

test('a process whose name holds brackets and spaces is read right', () => {
  const fields = ['S', '1', ...Array.from({ length: 17 }, (_, index) => String(index)), '987654', '0'];
  assert.deepEqual(parseStat(`42 (a) b) ${fields.join(' ')}`), { state: 'S', startTime: '987654' });
});
