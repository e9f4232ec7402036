import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandFrom, help, UsageError } from './command-line.ts';
import { duration, metricsTable, progressBar, progressLines } from './terminal.ts';

const needed = ['--algorithm', 'ridge', '--target', 'y', '--input', 'a.csv', '--output', 'out'];

test('the words of a command become what is to be trained', () => {
  const more = ['--features', 'a, b', '--features', 'c', '--feature-type', 'x=y=category', '--task', 'regression'];
  assert.deepEqual(commandFrom([...needed, ...more, '--param', 'alpha=2', '--param', 'cv=5']), {
    algorithm: {
      ...{ name: 'ridge', target: 'y', task: 'regression' },
      features: ['a', 'b', 'c'],
      featureTypes: { 'x=y': 'category' },
    },
    parameters: { alpha: '2', cv: '5' },
    input: 'a.csv',
    output: 'out',
  });
  assert.deepEqual(commandFrom(needed), {
    ...{ algorithm: { name: 'ridge', target: 'y' }, parameters: {}, input: 'a.csv', output: 'out' },
  });
});

for (const [words, message] of [
  [[], /^--algorithm is missing$/],
  [needed.slice(0, 6), /^--output is missing$/],
  [[...needed, '--param', 'alpha'], /^--param: expected NAME=VALUE, got "alpha"$/],
  [[...needed, '--feature-type', 'a=text'], /^--feature-type a: expected number or category, got "text"$/],
  [[...needed, '--task', 'ranking'], /^--task: expected classification or regression/],
  [[...needed, '--alpha', '2'], /'--alpha'/],
  [[...needed, 'b.csv'], /b\.csv/],
] as const) {
  test(`${words.slice(8).join(' ') || 'too little'} is refused in one line`, () => {
    assert.throws(
      () => commandFrom(words),
      (error: Error) => error instanceof UsageError && message.test(error.message) && !error.message.includes('\n'),
    );
  });
}

test('help names every option and every parameter with its default', () => {
  assert.equal(commandFrom(['--help']), undefined);
  for (const told of ['--feature-type', '--param', 'n_estimators=100', 'learning_rate=0.1', 'alpha=1']) {
    assert.ok(help().includes(told), told);
  }
});

test('a terminal sees one line that fits, redrawn and wiped at the end', () => {
  const written: string[] = [];
  const bar = progressBar(
    (text) => written.push(text),
    () => 60,
  );
  bar.show({ percent: 50, etaSeconds: 65, message: 'tree 40 of 100 and a long story that does not fit the line' });
  bar.show({ percent: 100, message: 'done' });
  assert.ok(
    written[0]?.startsWith(`\r\u001b[K[${'#'.repeat(12)}${'.'.repeat(12)}]  50%  1m 5s left  tree 40`),
    written[0],
  );
  assert.ok((written[0] ?? '').length <= 60 + '\r\u001b[K'.length);
  assert.equal(written[1], '\r\u001b[K');
});

test('what is no terminal gets a line for each tenth', () => {
  const written: string[] = [];
  const lines = progressLines((text) => written.push(text));
  for (const percent of [0, 9, 10, 12, 35, 39, 40, 100]) lines.show({ percent, message: 'm' });
  assert.deepEqual(written, [' 10%  m\n', ' 30%  m\n', ' 40%  m\n']);
});

test('durations are read at a glance', () => {
  assert.deepEqual([4.4, 61, 3661].map(duration), ['4s', '1m 1s', '1h 1m']);
});

test('the table shows each measure on training and validation rows, and across folds', () => {
  const metrics = {
    train_mse: 1,
    validation_mse: 1.5,
    train_r2: 0.123456789,
    cv_mse_mean: 2,
    cv_mse_std: 0.25,
    r2: 0.1,
  };
  assert.equal(
    metricsTable(metrics),
    '       train  validation        folds\nmse        1      1.5000  2 ± 0.25000\nr2   0.12346\n',
  );
});
