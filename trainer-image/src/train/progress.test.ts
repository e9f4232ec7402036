import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MetricPoint, Progress } from '@slipway/contract';
import { metricsLinesFile, progressFile, RunProgress } from './progress.ts';
import { MetricSeries, MOST_POINTS } from './series.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-progress-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function run() {
  let now = 1000;
  const shown: Progress[] = [];
  const watcher = { show: (progress: Progress) => void shown.push(Progress.parse(progress)) };
  const progress = new RunProgress(
    () => now,
    [watcher],
    () => {},
  );
  return { progress, shown, pass: (ms: number) => (now += ms) };
}

test('progress grows through reading, fitting and writing, and ends at 100', () => {
  const { progress, shown, pass } = run();
  progress.at('reading', 0.5, 'reading');
  progress.fitting({ fraction: 0, message: 'tree 1 of 4' });
  pass(1000);
  progress.fitting({ fraction: 0.25, message: 'tree 2 of 4' });
  pass(1000);
  progress.fitting({ fraction: 0.1, message: 'a learner that goes back' });
  progress.at('writing', 0, 'writing');
  progress.done();
  assert.deepEqual(
    shown.map(({ percent }) => percent),
    [10, 20, 38.8, 38.8, 95, 100],
  );
  assert.deepEqual(shown.at(-1), { percent: 100, etaSeconds: 0, message: 'done' });
});

test('the time that is left is that of the rest of the fit at the speed so far', () => {
  const { progress, shown, pass } = run();
  progress.fitting({ fraction: 0, message: '' });
  assert.equal(shown.at(-1)?.etaSeconds, undefined);
  pass(2000);
  progress.fitting({ fraction: 0.25, message: '' });
  assert.equal(shown.at(-1)?.etaSeconds, 6);
});

test('however often a learner reports, it is shown at most twice a second', () => {
  const { progress, shown, pass } = run();
  for (let i = 0; i <= 1000; i++) {
    progress.fitting({ fraction: i / 1000, message: '' });
    pass(10);
  }
  assert.equal(shown.length, 21);
});

test('the files are whole at any time, and nothing else is left beside them', () => {
  let now = 0;
  const progress = new RunProgress(() => now, [progressFile(folder)], metricsLinesFile(folder));
  progress.fitting({ fraction: 0.5, message: 'x'.repeat(1000) });
  const first = Progress.parse(JSON.parse(readFileSync(join(folder, 'progress.json'), 'utf8')));
  assert.equal(first.percent, 57.5);
  assert.equal(existsSync(join(folder, 'metrics.jsonl')), false);
  now = 600;
  progress.fitting({ fraction: 0.6, message: '', metrics: { loss: 0.5, gone: Number.NaN }, step: 3 });
  progress.done();
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
  assert.deepEqual(
    lines.map((line) => MetricPoint.parse(JSON.parse(line))),
    [{ key: 'loss', value: 0.5, step: 3, ts: 600 }],
  );
  assert.deepEqual(readdirSync(folder).sort(), ['metrics.jsonl', 'progress.json']);
});

/** The steps that are written of so many points, reported when so much of the fit was done. */
function stepsOf(count: number, fractionAt = (step: number) => step / count): number[] {
  const series = new MetricSeries();
  let lines = '';
  for (let step = 1; step <= count; step++) {
    lines += series.add({ key: 'loss', value: 1 / step, step, ts: step }, fractionAt(step));
  }
  return `${lines}${series.last()}`
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).step as number);
}

test('a short series is written as a whole, a long one thinned: its beginning, an even rest, and its last point', () => {
  const whole = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual(stepsOf(100), whole);
  const steps = stepsOf(12_345);
  assert.ok(steps.length <= MOST_POINTS && steps.length > MOST_POINTS - 10, `${steps.length} points`);
  assert.deepEqual(steps.slice(0, 100), whole);
  assert.equal(steps.at(-1), 12_345);
  const gaps = steps.slice(101, -1).map((step, i) => step - (steps[i + 100] as number));
  assert.deepEqual([...new Set(gaps)].sort(), [126]);
});

test('a fit that ends long before its time has its first points and its last', () => {
  const steps = stepsOf(150, (step) => step / 1_000_000);
  assert.deepEqual([steps.length, steps.at(-1)], [101, 150]);
});

test('what was written of the live points stays as it was', () => {
  const dir = mkdtempSync(join(folder, 'points-'));
  let now = 0;
  const progress = new RunProgress(() => now, [], metricsLinesFile(dir));
  let before = '';
  for (let step = 1; step <= 2000; step++) {
    now += 100;
    progress.fitting({ fraction: step / 2000, message: '', metrics: { loss: 1 / step, gradient: step }, step });
    if (step % 100 !== 0) continue;
    const after = readFileSync(join(dir, 'metrics.jsonl'), 'utf8');
    assert.ok(after.startsWith(before));
    before = after;
  }
  progress.done();
  const points = readFileSync(join(dir, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const key of ['loss', 'gradient']) {
    const ofKey = points.filter((point) => point.key === key);
    assert.ok(ofKey.length <= MOST_POINTS && ofKey.at(-1).step === 2000, `${ofKey.length} points of ${key}`);
    assert.equal(new Set(ofKey.map(({ step }) => step)).size, ofKey.length);
  }
});
