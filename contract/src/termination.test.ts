import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_FAILURE_BYTES, parseTerminationMessage, renderTerminationMessage } from './termination.ts';

const failure = (message: string) => ({ stage: 'train', reason: 'InvalidCell', message }) as const;

test('a message comes back as it was sent', () => {
  const sent = failure('row 3, column "b"');
  assert.deepEqual(parseTerminationMessage(renderTerminationMessage(sent)), sent);
});

test('five messages of one pod fit what the kubelet keeps for all of them', () =>
  assert.ok(5 * MAX_FAILURE_BYTES <= 12 * 1024));

test('a long message is cut to what the kubelet keeps, whatever its characters, and still parses', () => {
  for (const character of ['x', 'ü', '漢', '😀', '"', '\n']) {
    const rendered = renderTerminationMessage(failure(character.repeat(5000)));
    assert.ok(Buffer.byteLength(rendered) <= MAX_FAILURE_BYTES, `${character}: ${Buffer.byteLength(rendered)}`);
    const parsed = parseTerminationMessage(rendered);
    assert.ok(parsed && parsed.message.length > 500, character);
    assert.match(parsed.message, /…$/);
  }
});

for (const text of [
  undefined,
  '',
  'Killed',
  '{"stage":"train"}',
  '{"stage":"dance","reason":"InvalidCell","message":""}',
  '[]',
]) {
  test(`${JSON.stringify(text)} is not one of our messages`, () =>
    assert.equal(parseTerminationMessage(text), undefined));
}
