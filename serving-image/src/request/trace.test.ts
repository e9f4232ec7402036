import assert from 'node:assert/strict';
import { test } from 'node:test';
import { traceOf } from './trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('the caller’s trace is carried on with another span and its decision to record', () => {
  for (const flags of ['01', '00']) {
    const { traceId, traceparent } = traceOf({ traceparent: `00-${TRACE}-${SPAN}-${flags}` });
    assert.equal(traceId, TRACE);
    assert.match(traceparent, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-${flags}$`));
    assert.ok(!traceparent.includes(SPAN));
  }
});

test('flags nobody knows yet are not sent on, and a later version is read as this one', () => {
  assert.match(traceOf({ traceparent: `00-${TRACE}-${SPAN}-ff` }).traceparent, /-01$/);
  const later = traceOf({ traceparent: `cc-${TRACE}-${SPAN}-00-what-comes` });
  assert.equal(later.traceId, TRACE);
  assert.match(later.traceparent, /^00-/);
});

test('what cannot be read is another trace, and no two are the same', () => {
  const wrong = [
    undefined,
    '',
    'nonsense',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    `x00-${TRACE}-${SPAN}-01`,
  ];
  for (const traceparent of wrong) {
    const trace = traceOf(traceparent === undefined ? {} : { traceparent });
    assert.notEqual(trace.traceId, TRACE, traceparent);
    assert.match(trace.traceparent, new RegExp(`^00-${trace.traceId}-[0-9a-f]{16}-00$`));
  }
  const ids = Array.from({ length: 2000 }, () => traceOf({}).traceId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});
