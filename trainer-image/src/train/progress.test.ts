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

test('a long series is thinned evenly and keeps its first and last point; a short one keeps all', () => {
  const stepsOf = (count: number) => {
    const series = new MetricSeries();
    for (let step = 1; step <= count; step++) series.add({ key: 'loss', value: 1 / step, step, ts: step });
    return series
      .lines()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).step as number);
  };
  assert.deepEqual(
    stepsOf(150),
    Array.from({ length: 150 }, (_, i) => i + 1),
  );
  const steps = stepsOf(12_345);
  assert.ok(steps.length <= MOST_POINTS && steps.length >= MOST_POINTS / 2, `${steps.length} points`);
  assert.deepEqual([steps[0], steps.at(-1)], [1, 12_345]);
  const gaps = new Set(steps.slice(1, -1).map((step, i) => step - (steps[i] as number)));
  assert.equal(gaps.size, 1);
});
