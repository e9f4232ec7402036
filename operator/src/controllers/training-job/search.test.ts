import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trialKeyFor } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { type Search, TrainingJobSpec } from './api.ts';
import { bestText, noBestText, searchProblem, standingOf, trialsOf } from './search.ts';

type Spaces = Search['space'];
const objective = { metric: 'validation_accuracy', goal: 'maximize' } as const;
const specOf = (search: object, over: object = {}) =>
  TrainingJobSpec.parse({
    algorithm: { name: 'logistic-regression', target: 'species' },
    inputs: [{ name: 'train', uri: 'builtin://iris.csv' }],
    search: { method: 'random', objective, ...search },
    ...over,
  });
const searchOf = (search: object): Search => specOf(search).search as Search;
const values = (trials: readonly Record<string, string>[], name: string) => trials.map((trial) => trial[name]);
const numbers = (trials: readonly Record<string, string>[], name: string) => values(trials, name).map(Number);

test('a grid is every combination over the other parameters, in one order however the space is written', () => {
  const expected = [
    { test_size: '0.2', C: '1', max_iter: '10' },
    { test_size: '0.2', C: '1', max_iter: '20' },
    { test_size: '0.2', C: '5', max_iter: '10' },
    { test_size: '0.2', C: '5', max_iter: '20' },
  ];
  for (const names of [
    ['C', 'max_iter'],
    ['max_iter', 'C'],
  ]) {
    const all: Spaces = { C: { values: ['1', '5', '1'] }, max_iter: { values: ['10', '20'] } };
    const space = Object.fromEntries(names.map((name) => [name, all[name]]));
    assert.deepEqual(trialsOf(searchOf({ method: 'grid', space }), { test_size: '0.2' }), expected);
  }
});

const everything = {
  C: { min: '0.001', max: '1000', scale: 'log' },
  max_iter: { min: '10', max: '99.5', integer: true },
  class_weight: { values: ['none', 'balanced'] },
};

test('a random search draws the same trials for the same seed, others for another, and more of them as a longer list', () => {
  const search = (over: object = {}) => trialsOf(searchOf({ space: everything, maxTrials: 30, ...over }), { tol: '1' });
  assert.deepEqual(search(), search());
  assert.notDeepEqual(search({ seed: 43 }), search());
  assert.deepEqual(search({ maxTrials: 40 }).slice(0, 30), search());
  assert.equal(search().length, 30);
  assert.ok(search().every((trial) => trial['tol'] === '1'));
});

test('what is drawn lies in its range, whole when asked for, and is written short', () => {
  const trials = trialsOf(searchOf({ space: everything, maxTrials: 500 }), {});
  assert.ok(numbers(trials, 'C').every((value) => value >= 0.001 && value <= 1000));
  assert.ok(numbers(trials, 'max_iter').every((value) => Number.isInteger(value) && value >= 10 && value <= 99));
  assert.deepEqual([...new Set(values(trials, 'class_weight'))].sort(), ['balanced', 'none']);
  assert.deepEqual(
    values(trials, 'C').filter((text) => text?.match(/^\d+\.?\d*(e-\d)?$/) === null || (text?.length ?? 0) > 11),
    [],
  );
  const iterations = new Set(numbers(trials, 'max_iter'));
  assert.ok(iterations.has(10) && iterations.has(99), 'both ends are drawn');
});

test('a log scale draws as many from each power of ten, a linear one as many from each stretch', () => {
  const below1 = (scale: string) => {
    const space = { C: { min: '0.01', max: '100', scale } };
    return numbers(trialsOf(searchOf({ space, maxTrials: 500 }), {}), 'C').filter((value) => value < 1).length;
  };
  assert.ok(below1('log') > 200 && below1('log') < 300, `${below1('log')} of 500`);
  assert.ok(below1('linear') < 20, `${below1('linear')} of 500`);
});

test('no combination is repeated, and a small space is exhausted', () => {
  const space = { C: { values: ['1', '2', '3'] }, max_iter: { min: '1', max: '4', integer: true, scale: 'log' } };
  const trials = trialsOf(searchOf({ space, maxTrials: 500 }), {});
  assert.equal(trials.length, 12);
  assert.equal(new Set(trials.map((trial) => JSON.stringify(trial))).size, 12);
  const one = { C: { min: '3', max: '3' } };
  assert.deepEqual(trialsOf(searchOf({ space: one, maxTrials: 10 }), {}), [{ C: '3' }]);
});

test('bounds with more digits than are written are kept', () => {
  const space = { C: { min: '0.33333339', max: '0.33333341' } };
  const [trial] = trialsOf(searchOf({ space, maxTrials: 5 }), {});
  assert.ok(Number(trial?.['C']) >= 0.33333339 && Number(trial?.['C']) <= 0.33333341, trial?.['C']);
});

for (const [what, search, message, over = {}] of [
  ['nothing to try', { space: {} }, /spec\.search\.space is empty/],
  ['a list of nothing', { space: { C: { values: [] } } }, /space\.C: values is empty/],
  [
    'too large a grid',
    { method: 'grid', space: { C: { values: ['1', '2', '3'] }, max_iter: { values: ['1', '2'] } }, maxTrials: 5 },
    /the grid has 6 combinations, more than maxTrials 5/,
  ],
  ['a value out of range', { space: { C: { values: ['1', '-1'] } } }, /space\.C: .*number above 0.*got "-1"/],
  ['a bound out of range', { space: { C: { min: '0', max: '1' } } }, /space\.C: .*got "0" \(from 0 to 1\)/],
  ['fractions of iterations', { space: { max_iter: { min: '1', max: '9' } } }, /max_iter: .*a whole number from 1/],
  ['an unknown parameter', { space: { depth: { values: ['1'] } } }, /"depth" is unknown to logistic-regression/],
  ['bounds exchanged', { space: { C: { min: '2', max: '1' } } }, /space\.C: min 2 and max 1: min is above max/],
  ['a logarithm of 0', { space: { C: { min: '0', max: '1', scale: 'log' } } }, /min 0: a log scale/],
  ['no whole number', { space: { C: { min: '1.2', max: '1.8', integer: true } } }, /no whole number lies between/],
  ['numbers without end', { space: { C: { min: '1', max: '1e999' } } }, /numbers a computer can hold/],
  ['a range in a grid', { method: 'grid', space: { C: { min: '1', max: '2' } } }, /method grid needs values/],
  ['a scale of a list', { space: { C: { values: ['1'], scale: 'log' } } }, /scale and integer are for min and max/],
  ['a name that is none', { space: { 'a b': { values: ['1'] } } }, /letters, digits and underscores/],
] as const) {
  test(`refused: ${what}`, () => {
    // As an older object may have it: the schema refuses some of these today.
    const spec = { ...specOf({ space: { C: { values: ['1'] } } }), ...over };
    const asked = { ...spec, search: { ...(spec.search as Search), ...search } } as TrainingJobSpec;
    assert.match(searchProblem(asked) ?? 'nothing', message);
  });
}

test('a search that can run has no problem; a container decides itself what its parameters may be', () => {
  assert.equal(searchProblem(specOf({ space: everything })), undefined);
  const { algorithm: _, ...rest } = specOf({ space: { depth: { values: ['-1', 'x'] } } });
  assert.equal(searchProblem({ ...rest, container: { image: 'x' } }), undefined);
  const { search: __, ...without } = specOf({ space: everything });
  assert.equal(searchProblem(without), undefined);
});

const trial = (index: number, status: Run['status'], metrics: Run['metrics'] = {}): Run => ({
  ...{ namespace: 'a', runKey: trialKeyFor('u/g1', index), runId: `run-${index}`, experimentId: '1', generation: 1 },
  ...{ specDigest: 'd', status, startTime: '', metrics, cause: 'Search', parameters: { C: String(index), tol: '1' } },
});
const scored = (index: number, validation_accuracy: number) => trial(index, 'FINISHED', { validation_accuracy });
const byC = { space: { C: { values: ['1'] } } };

test('the best trial has the best metric; of equals the first, whatever order they come in', () => {
  const trials = [scored(10, 0.97), scored(2, 0.97368), scored(7, 0.97368), trial(3, 'FAILED'), trial(4, 'RUNNING')];
  const search = searchOf(byC);
  const standing = standingOf(search, trials, 12);
  assert.deepEqual([standing.total, standing.succeeded, standing.failed], [12, 3, 1]);
  assert.deepEqual([standing.best?.index, standing.best?.value, standing.best?.run.runId], [2, 0.97368, 'run-2']);
  assert.equal(bestText(search, standing), 'trial 2: validation_accuracy 0.9737 (C=2)');
  const least = searchOf({ ...byC, objective: { ...objective, goal: 'minimize' } });
  assert.equal(standingOf(least, trials, 12).best?.index, 10);
});

test('a trial without the metric, or with none that can be compared, has failed, and says what it has instead', () => {
  const search = searchOf(byC);
  const trials = [trial(0, 'FINISHED', { rmse: 1, mae: 2 }), scored(1, Number.NaN), trial(2, 'KILLED')];
  const standing = standingOf(search, trials, 3);
  assert.deepEqual([standing.succeeded, standing.failed, standing.withoutMetric], [0, 3, [0, 1]]);
  assert.equal(standing.best, undefined);
  assert.equal(bestText(search, standing), undefined);
  assert.match(noBestText(search, standing, trials), /2 of 3 ended without it, trial 0 published mae, rmse/);
  const failed = [trial(0, 'FAILED')];
  assert.match(noBestText(search, standingOf(search, failed, 1), failed), /^all 1 trials failed/);
});
