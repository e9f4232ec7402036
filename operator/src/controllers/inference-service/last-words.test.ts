import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastWordsOf } from './last-words.ts';

const prediction = JSON.stringify({ level: 'info', module: 'slipway.serving', input: { age: 4711 } });
const own = JSON.stringify({ level: 'fatal', stage: 'serve', message: 'out of ideas' });

test('what a server said of itself is shown, what its clients sent is not', () => {
  const tail = [prediction, own, prediction, 'Segmentation fault', prediction].join('\n');
  assert.equal(lastWordsOf(tail, 500), `${own}\nSegmentation fault`);
  assert.equal(lastWordsOf(tail, 5), 'fault');
  assert.equal(lastWordsOf('', 500), '');
});

test('wherever the kubelet cuts, and wherever the server stopped in the middle of a line', () => {
  const log = `${prediction}\n`.repeat(40);
  for (let cut = 0; cut <= prediction.length; cut++) {
    assert.equal(lastWordsOf(log.slice(-2048 - cut), 500), '');
    assert.equal(lastWordsOf(`${own}\n${prediction.slice(0, cut)}`, 500), own);
  }
});
