import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseWrk, requestFile } from './wrk.ts';

const printed = (errors: object): string =>
  'Running 3s test @ http://127.0.0.1:18080/predict\n  1 threads and 64 connections\nRequests/sec:  20000.00\n\n' +
  `RESULT ${JSON.stringify({ requests: 60_000, durationUs: 3_000_000, p50Us: 2500, p99Us: 9100, connect: 0, read: 0, write: 0, status: 0, timeout: 0, ...errors })}\n`;

test('what wrk printed is read: a rate over the time it really took, and latencies in milliseconds', () => {
  const load = parseWrk(printed({ durationUs: 4_000_000 }));
  assert.deepEqual(load, { requests: 60_000, perSecond: 15_000, p50Ms: 2.5, p99Ms: 9.1, failed: 0 });
});

test('every way to fail counts, so that a server that refuses quickly is not the fastest', () => {
  assert.equal(parseWrk(printed({ connect: 1, read: 2, write: 3, status: 4, timeout: 5 })).failed, 15);
});

test('a wrk that could not start says why', () => {
  assert.throws(() => parseWrk('unable to connect to 127.0.0.1:1 Connection refused\n'), /Connection refused/);
});

test('bodies are told apart by their lengths, whatever bytes they hold', () => {
  const file = requestFile([Buffer.from('{"a":1}'), Buffer.from([10, 0, 255])]);
  assert.equal(file.toString('latin1'), '7\n{"a":1}3\n\n\u0000\u00ff');
});
