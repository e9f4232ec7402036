import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayConnectTo } from './addresses.ts';

const REFUSED = [
  '127.0.0.1',
  '127.255.255.254',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '169.254.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '100.100.100.200',
  '0.0.0.0',
  '192.0.0.170',
  // Of a public range, and yet the inside of a cloud.
  '168.63.129.16',
  '198.18.0.1',
  '203.0.113.9',
  '224.0.0.1',
  '239.255.255.255',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:808:808',
  '64:ff9b::a00:1',
  'fe80::1',
  'fc00::1',
  'fd00:ec2::254',
  'ff02::1',
  '2001::1',
  '2001:db8::1',
  '2002:a00:1::',
  '3fff::1',
  'fe80::1%eth0',
  'localhost',
  '',
];
for (const address of REFUSED) {
  test(`${address} is not fetched from`, () => assert.equal(mayConnectTo([])(address), false));
}

for (const address of [
  '8.8.8.8',
  '172.15.255.255',
  '172.32.0.1',
  '100.63.255.255',
  '1.1.1.1',
  '2606:4700::1111',
  '2a00:1450::1',
]) {
  test(`${address} is public`, () => assert.equal(mayConnectTo([])(address), true));
}

test('a range the administrator names is open, and nothing beside it', () => {
  const mayConnect = mayConnectTo(['10.1.0.0/16', 'fd12::/16']);
  assert.deepEqual(['10.1.2.3', '10.2.0.1', 'fd12::1', 'fd13::1', '8.8.8.8'].map(mayConnect), [
    true,
    false,
    true,
    false,
    true,
  ]);
});

test('no range opens the metadata services, link-local addresses or IPv4 inside IPv6', () => {
  const mayConnect = mayConnectTo(['0.0.0.0/0', '::/0']);
  for (const address of [
    '169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd20:ce::254',
    '64:ff9b::a9fe:a9fe',
    'fe80::1',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    '0.0.0.0',
  ]) {
    assert.equal(mayConnect(address), false, address);
  }
  assert.equal(mayConnect('127.0.0.1'), true);
});

for (const cidr of ['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'mirror.example', '::/129', '10.0.0.0/-1', '']) {
  test(`${JSON.stringify(cidr)} is no range`, () => assert.throws(() => mayConnectTo([cidr]), RangeError));
}
