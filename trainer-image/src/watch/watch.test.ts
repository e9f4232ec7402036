import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { PROGRESS_TAG } from '@slipway/contract';
import type { Answer, Batch } from './registry.ts';
import { MOST_AT_ONCE, Watch } from './watch.ts';

const START = 1_700_000_000_000;
let folder: string;
let posted: Batch[];
let answers: Answer[];
let now: number;
let lines: string[];
let watch: Watch;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-watch-'));
  [posted, answers, lines, now] = [[], [], [], START];
  watch = new Watch({
    outputDir: folder,
    startTime: START,
    post: async (batch) => {
      const answer = answers.shift() ?? 'taken';
      if (answer === 'taken') posted.push({ ...batch, metrics: [...batch.metrics] });
      return answer;
    },
    now: () => now,
    random: () => 1,
    log: (_level, message) => void lines.push(message),
  });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
/** Looks, `seconds` after the look before. */
const look = async (seconds = 1) => {
  now += seconds * 1000;
  await watch.look(never);
};
const write = (name: string, text: string) => writeFile(join(folder, name), text);
const append = (text: string) => appendFile(join(folder, 'metrics.jsonl'), text);
const told = () => posted.flatMap(({ metrics }) => metrics.map(({ key, value, step }) => [key, value, step]));
const progressTold = () => posted.flatMap(({ tags }) => tags.map(({ key, value }) => [key, JSON.parse(value)]));

test('points are told once, as they come, with the time publish will give them', async () => {
  await append('{"key":"loss","value":1,"step":1,"ts":5}\n{"key":"loss","value":0.5,"st');
  await look();
  await append('ep":2}\n');
  await look();
  await look();
  assert.deepEqual(posted, [
    { metrics: [{ key: 'loss', value: 1, step: 1, timestamp: 5 }], tags: [] },
    { metrics: [{ key: 'loss', value: 0.5, step: 2, timestamp: START }], tags: [] },
  ]);
});

test('lines that are no points are passed over: publish says what is wrong with them', async () => {
  const lines = [
    'nonsense',
    '{"key":"a"}',
    '{"key":"a/../b;","value":1}',
    '{"key":"x","value":1e999}',
    '{"key":"ok/a b","value":3}',
  ];
  await append(`${lines.join('\n')}\n`);
  await look();
  assert.deepEqual(told(), [['ok/a b', 3, 0]]);
});

test('a registry that is away is left alone longer and longer, and then told everything', async () => {
  await append('{"key":"a","value":1}\n');
  answers = ['away', 'away', 'away'];
  await look();
  await look(0.9);
  assert.equal(answers.length, 2);
  await look(0.2);
  await look(1.9);
  assert.equal(answers.length, 1);
  await look(0.2);
  await append('{"key":"b","value":2}\n');
  await look(30);
  assert.deepEqual(told(), [
    ['a', 1, 0],
    ['b', 2, 0],
  ]);
  assert.deepEqual(lines, [
    'the registry takes no live metrics; they are kept and tried again',
    'the registry takes live metrics again',
  ]);
});

test('a trainer that writes faster than is told fills no memory here, and loses nothing', async () => {
  const count = 3 * MOST_AT_ONCE + 1;
  await append(Array.from({ length: count }, (_, i) => `{"key":"a","value":${i},"step":${i}}\n`).join(''));
  answers = ['away'];
  for (let i = 0; i < 5; i++) await look(30);
  assert.ok(posted.every(({ metrics }) => metrics.length <= MOST_AT_ONCE));
  assert.equal(told().length, count);
});

test('what the registry refuses is not sent again, and what follows is', async () => {
  await append('{"key":"a","value":1}\n');
  answers = ['refused'];
  await look();
  await append('{"key":"b","value":2}\n');
  await look();
  assert.deepEqual(told(), [['b', 2, 0]]);
});

test('progress is told when it changes, and not more often than every two seconds', async () => {
  await write('progress.json', '{"percent":10,"message":"tree 1 of 10","more":1}');
  await look();
  await look(3);
  await write('progress.json', '{"percent":20,"etaSeconds":9}');
  await look();
  await write('progress.json', '{"percent":30}');
  await look();
  assert.equal(posted.length, 2);
  await look();
  assert.deepEqual(progressTold(), [
    [PROGRESS_TAG, { percent: 10, message: 'tree 1 of 10' }],
    [PROGRESS_TAG, { percent: 20, etaSeconds: 9 }],
    [PROGRESS_TAG, { percent: 30 }],
  ]);
});

for (const text of ['{"percent":1', '{"percent":101}', '[]', '', `{"percent":1,"message":"${'x'.repeat(300)}"}`]) {
  test(`${text.slice(0, 30)} is no progress`, async () => {
    await write('progress.json', text);
    await look();
    assert.deepEqual(posted, []);
  });
}

test('a link is not followed, not even by way of progress', async () => {
  await write('secret', '{"percent":50,"message":"secret"}\n');
  await symlink(join(folder, 'secret'), join(folder, 'progress.json'));
  await look();
  assert.deepEqual(posted, []);
});

test('the last word is said at once, whatever the pauses', async () => {
  await append('{"key":"a","value":1}\n');
  answers = ['away'];
  await look();
  await write('progress.json', '{"percent":100}');
  await watch.finish(never);
  assert.deepEqual([told().length, progressTold().length], [1, 1]);
});
