import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PredictionLog as Settings } from '@slipway/contract';
import { Registry } from 'prom-client';
import type { Logger } from '../log.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import type { ServerState } from '../request/state.ts';
import type { Chunk, Sink } from './chunks.ts';
import { openPredictionLog } from './open.ts';
import { createPredictionLog } from './prediction-log.ts';

const model = {
  signature: { inputs: [{ name: 'x', type: 'float32' }], outputs: [{ name: 'y', type: 'float32' }] },
  inputs: [{ name: 'x', type: 'float32', dims: [-1, 1] }],
  outputs: [{ name: 'y', type: 'float32', dims: [-1, 1] }],
} as unknown as ServedModel;
const state: ServerState = {
  identity: { name: 'm', version: '1', digest: 'd' },
  uptime: () => 0,
  model,
  isDraining: false,
};
const one = { type: 'float32', dims: [1, 1], data: Float32Array.of(1) } as const;
const asked = { endpoint: 'predict', startedAt: 0, latencyMs: 1, requestId: 'r', traceId: 't' };
const predicted: AnsweredEvent = {
  ...asked,
  status: 200,
  answer: { body: '', scored: { inputs: [one], outputs: [one] } },
};
const refused: AnsweredEvent = { ...asked, status: 422 };

function logWith(settings: object, random = Math.random) {
  const chunks: Chunk[] = [];
  const offer = ({ bytes, lines }: Chunk): void => void chunks.push({ bytes: Buffer.from(bytes), lines });
  const sink = { offer, close: async () => {} };
  const log = createPredictionLog({ settings: Settings.parse(settings), hashKey: '', state, sinks: [sink], random });
  return { log, chunks, lines: () => chunks.reduce((sum, { lines }) => sum + lines, 0) };
}

test('whoever is refused a thousand times in a second fills no log, and is counted', async () => {
  const sink: Sink = { offer: () => {}, close: async () => {} };
  let [time, dropped] = [5_000, 0];
  const log = createPredictionLog({
    ...{ settings: Settings.parse({}), hashKey: '', state, sinks: [sink], now: () => time },
    onRefusalDropped: () => dropped++,
  });
  for (let i = 0; i < 1000; i++) log.onAnswered(refused);
  log.onAnswered(predicted);
  assert.deepEqual([log.lines(), dropped], [101, 900], 'predictions get theirs all the same');
  time += 1_000;
  for (let i = 0; i < 5; i++) log.onAnswered(refused);
  assert.deepEqual([log.lines(), dropped], [106, 900]);
  await log.close(0);
});

test('a sample is that share of the predictions, and every error', async () => {
  let next = 0;
  const { log, lines } = logWith({ sample: 0.25 }, () => (next++ % 100) / 100);
  for (let i = 0; i < 1000; i++) log.onAnswered(predicted);
  for (let i = 0; i < 10; i++) log.onAnswered(refused);
  await log.close(0);
  assert.equal(lines(), 260);
  assert.equal(log.lines(), 260);
});

test('lines are handed on together, whole, a short time after the first; an answer without a prediction has none', async () => {
  const { log, chunks } = logWith({});
  for (let i = 0; i < 10; i++) log.onAnswered(predicted);
  log.onAnswered({ ...asked, status: 200, answer: { body: '' } });
  assert.equal(chunks.length, 0);
  while (chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(chunks.length, 1);
  assert.equal(chunks[0]?.lines, 10);
  const text = String(chunks[0]?.bytes);
  assert.equal(text.split('\n').filter((line) => line !== '' && JSON.parse(line)).length, 10);
});

test('many lines do not wait for the time', () => {
  const { log, chunks } = logWith({});
  for (let i = 0; i < 1000; i++) log.onAnswered(predicted);
  assert.ok(chunks.length >= 3, `${chunks.length}`);
  for (const { bytes } of chunks) assert.ok(bytes.length < 70_000);
});

test('switched off, the server is told of nothing and nothing is counted', async () => {
  const registry = new Registry();
  const log = { warn() {} } as unknown as Logger;
  const settings = Settings.parse({ enabled: false });
  const opened = openPredictionLog({
    settings,
    dir: '/nowhere',
    keysDir: '/nowhere',
    state,
    metrics: { registry },
    log,
  });
  assert.deepEqual(opened.options, {});
  opened.fits(model);
  await opened.close();
  assert.equal(await registry.metrics(), '\n');
});
