import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gate, HeldOutAnswers } from '@slipway/contract';
import { type Comparison, type Evidence, judge } from './gates.ts';
import { lastValues } from './metrics.ts';

const metrics = new Map([
  ['accuracy', 0.97],
  ['rmse', 2.5],
]);
const one = (gate: Gate, evidence: Partial<Evidence> = {}) => {
  const { passed, results } = judge([gate], { metrics, ...evidence });
  assert.equal(results[0]?.passed, passed);
  return { passed, message: results[0]?.message ?? '' };
};

test('a bound is met or not, and the words say metric, value and bound', () => {
  assert.deepEqual(one({ metric: 'accuracy', min: 0.95 }), {
    passed: true,
    message: 'accuracy is 0.97, at least 0.95',
  });
  assert.deepEqual(one({ metric: 'accuracy', min: 0.98 }), {
    passed: false,
    message: 'accuracy is 0.97, not at least 0.98',
  });
  assert.deepEqual(one({ metric: 'rmse', max: 2 }), { passed: false, message: 'rmse is 2.5, not at most 2' });
  assert.equal(one({ metric: 'rmse', max: 2.5 }).passed, true);
  assert.equal(one({ metric: 'accuracy', min: 0.97 }).passed, true);
});

test('a metric that was not written fails its gate, naming what was', () => {
  const { passed, message } = one({ metric: 'f1', min: 0.5 });
  assert.equal(passed, false);
  assert.match(message, /f1: expected at least 0\.5, .* \(it wrote accuracy, rmse\); correct register\.gate/);
});

test('all gates have to pass, and every one is told', () => {
  const gates = [
    { metric: 'accuracy', min: 0.9 },
    { metric: 'rmse', max: 1 },
  ];
  const { passed, results } = judge(gates, { metrics });
  assert.equal(passed, false);
  assert.deepEqual(
    results.map((result) => result.passed),
    [true, false],
  );
});

const gate = (metric: string, by = 0): Gate => ({
  metric,
  notWorseThan: { version: 'Production', by, resolved: 3, reference: 0 },
});

const targets = ['a', 'b', 'a', 'b'];
/** What a model said: the class, and how sure it was. */
const said = (...labels: string[]): HeldOutAnswers => ({
  labels,
  probabilities: labels.map((label) => (label === 'a' ? [0.9, 0.1] : [0.1, 0.9])),
  classes: ['a', 'b'],
});
const RIGHT = said('a', 'b', 'a', 'b');
const THREE = said('a', 'b', 'a', 'a');
const TWO = said('a', 'a', 'a', 'a');

const versus = (candidate: HeldOutAnswers, reference: HeldOutAnswers, over: Partial<Comparison> = {}) => ({
  comparison: { targets, candidate, references: [reference], ...over },
});

test('while there is no such version the gate is open, and says so', () => {
  const { passed, message } = one({ metric: 'accuracy', notWorseThan: { version: '@best', by: 0 } });
  assert.equal(passed, true);
  assert.match(message, /there was no version @best to compare with/);
});

test('both models are measured on the same rows, whatever either was measured on before', () => {
  assert.deepEqual(one(gate('accuracy'), versus(THREE, RIGHT)), {
    passed: false,
    message: 'accuracy is 0.75, version 3 (Production) has 1 on the same 4 held-out rows: worse by 0.25',
  });
  assert.deepEqual(one(gate('validation_accuracy', 0.25), versus(THREE, RIGHT)), {
    passed: true,
    message:
      'validation_accuracy is 0.75, version 3 (Production) has 1 on the same 4 held-out rows: not worse, 0.25 allowed',
  });
  assert.equal(one(gate('accuracy'), versus(RIGHT, THREE)).passed, true);
  assert.equal(one(gate('accuracy'), versus(THREE, THREE)).passed, true);
});

for (const metric of ['accuracy', 'f1_macro', 'roc_auc', 'log_loss', 'precision_macro', 'recall_macro']) {
  test(`${metric}: the better model is never worse, the worse one is`, () => {
    assert.equal(one(gate(metric), versus(RIGHT, TWO)).passed, true);
    assert.equal(one(gate(metric), versus(TWO, RIGHT)).passed, false);
  });
}

const numbers = ['1', '2', '4'];
for (const metric of ['mse', 'rmse', 'mae', 'r2']) {
  test(`${metric}: the nearer model is never worse, the other one is`, () => {
    const [near, far] = [{ values: [1, 2, 3] }, { values: [3, 3, 3] }];
    assert.equal(one(gate(metric), versus(near, far, { targets: numbers })).passed, true);
    assert.equal(one(gate(metric), versus(far, near, { targets: numbers })).passed, false);
  });
}

test('a difference of exactly what is allowed is allowed, though binary fractions say a little more', () => {
  const of = (right: number) => said(...Array.from({ length: 100 }, (_, i) => (i < right ? 'a' : 'b')));
  const rows = { targets: Array.from({ length: 100 }, () => 'a') };
  assert.equal(one(gate('accuracy', 0.01), versus(of(95), of(96), rows)).passed, true);
  assert.equal(one(gate('accuracy', 0.01), versus(of(94), of(96), rows)).passed, false);
});

test('a negative allowance asks to be better', () => {
  assert.equal(one(gate('accuracy', -0.1), versus(RIGHT, RIGHT)).passed, false);
  assert.equal(one(gate('accuracy', -0.1), versus(RIGHT, THREE)).passed, true);
});

test('classes are the same however their numbers are written, and a class one model does not know is a miss', () => {
  const ids: HeldOutAnswers = {
    labels: ['0', '1'],
    probabilities: [
      [1, 0],
      [0, 1],
    ],
    classes: ['0', '1'],
  };
  const other: HeldOutAnswers = { labels: ['0', '0'], probabilities: [[1], [1]], classes: ['0'] };
  const rows = { targets: ['0.0', ' 1'] };
  assert.equal(one(gate('accuracy'), versus(ids, other, rows)).passed, true);
  assert.match(one(gate('accuracy'), versus(other, ids, rows)).message, /is 0\.5, version 3 .* has 1 /);
  assert.equal(one(gate('log_loss'), versus(other, ids, rows)).passed, false);
});

for (const [what, asked, evidence, expected] of [
  [
    'no held-out rows',
    gate('accuracy'),
    versus(RIGHT, RIGHT, { targets: undefined }),
    /left no \/output\/held-out\.csv; write/,
  ],
  ['no answers at all', gate('accuracy'), {}, /left no \/output\/held-out\.csv/],
  [
    'held-out rows that are none',
    gate('accuracy'),
    versus(RIGHT, RIGHT, { targets: { problem: 'it is empty' } }),
    /it is empty; correct/,
  ],
  [
    'a new model that cannot be asked',
    gate('accuracy'),
    versus({ problem: 'it takes x' }, RIGHT),
    /the new model: it takes x; correct/,
  ],
  [
    'an old model that cannot be asked',
    gate('accuracy'),
    versus(RIGHT, { problem: 'it takes y' }),
    /version 3 \(Production\): it takes y; let the gate/,
  ],
  [
    'an old model that was not asked',
    gate('accuracy'),
    versus(RIGHT, RIGHT, { references: [] }),
    /version 3 \(Production\): it was not asked/,
  ],
  ['other rows', gate('accuracy'), versus(said('a'), RIGHT), /answered 1 rows, and the trainer held out 4/],
  ['no rows', gate('accuracy'), versus(said(), said(), { targets: [] }), /held out no row/],
  [
    'a measure nobody knows',
    gate('profit'),
    versus(RIGHT, RIGHT),
    /"profit" cannot be compared .* accuracy, log_loss, f1_macro/,
  ],
  [
    'a measure of the training rows',
    gate('train_accuracy'),
    versus(RIGHT, RIGHT),
    /"train_accuracy" cannot be compared/,
  ],
  [
    'a measure of quantities for classes',
    gate('rmse'),
    versus(RIGHT, RIGHT),
    /answers with classes, and rmse is a measure of quantities/,
  ],
  [
    'a measure of classes for quantities',
    gate('accuracy'),
    versus({ values: [1, 2, 3, 4] }, RIGHT),
    /answers with quantities, and accuracy/,
  ],
  [
    'targets that are no numbers',
    gate('mse'),
    versus({ values: [1, 2, 3, 4] }, RIGHT),
    /the target of held-out row 1 is none/,
  ],
  [
    'no probabilities',
    gate('log_loss'),
    versus({ labels: targets, probabilities: [], classes: [] }, RIGHT),
    /gives no probabilities, which log_loss needs/,
  ],
  [
    'rows of one class only',
    gate('roc_auc'),
    versus(TWO, TWO, { targets: ['a', 'a', 'a', 'a'] }),
    /every held-out row is of one class/,
  ],
] as const) {
  test(`${what}: the gate fails, and says what to do`, () => {
    const { passed, message } = one(asked, evidence);
    assert.equal(passed, false);
    assert.match(message, expected);
  });
}

test('what a foreign model says of itself can be stored: cut, without control characters or halves of characters', () => {
  const problem = `\u0000\n\ud800${'😀'.repeat(2000)}`;
  const { message } = one(gate('accuracy'), versus({ problem }, RIGHT));
  assert.ok(message.length <= 1024 && message.isWellFormed());
  assert.doesNotMatch(message, /\p{Cc}/u);
});

test('the last value of a metric is that of the highest step, as the registry has it', () => {
  const point = (key: string, value: number, step: number, timestamp: number) => ({ key, value, step, timestamp });
  const last = lastValues([
    point('a', 1, 5, 0),
    point('a', 9, 4, 9),
    point('b', 1, 0, 1),
    point('b', 2, 0, 0),
    point('c', 1, 0, 0),
    point('c', 3, 0, 0),
  ]);
  assert.deepEqual(Object.fromEntries(last), { a: 1, b: 1, c: 3 });
});
