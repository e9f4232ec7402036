import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalise } from './normalise.ts';

const place = { url: 'http://127.0.0.1:5001' };
const run = 'a'.repeat(32);

test('an id has the same word wherever it occurs, and another id another word', () => {
  const outcome = {
    run_id: run,
    experiment_id: '17',
    uri: `mlflow-artifacts:/17/${run}/artifacts`,
    message: `Run with id=${run} not found in experiment 17`,
    other: 'b'.repeat(32),
    model: `m-${run}`,
  };
  assert.deepEqual(normalise(outcome, place), {
    experiment_id: '<experiment-1>',
    message: 'Run with id=<run-1> not found in experiment <experiment-1>',
    model: '<model-1>',
    other: '<run-2>',
    run_id: '<run-1>',
    uri: 'mlflow-artifacts:/<experiment-1>/<run-1>/artifacts',
  });
});

test('times of now are the same, times a scenario chose are not', () => {
  assert.deepEqual(normalise({ start_time: 1_795_000_000_000, end_time: 5, step: 1_795_000_000_000 }, place), {
    end_time: 5,
    start_time: '<time>',
    step: 1_795_000_000_000,
  });
});

test('what no order is promised for is put in order; results of a search are not', () => {
  const outcome = {
    tags: [{ key: 'b' }, { key: 'a' }],
    found: ['b', 'a'],
    latest_versions: [{ version: '2' }, { version: '1' }],
  };
  assert.deepEqual(normalise(outcome, place), {
    found: ['b', 'a'],
    latest_versions: [{ version: '1' }, { version: '2' }],
    tags: [{ key: 'a' }, { key: 'b' }],
  });
});

test("a page token is there or not: what it says is the server's own", () => {
  assert.deepEqual(normalise({ next_page_token: 'abc' }, place), { next_page_token: '<token>' });
});

test('names of runs, addresses and printed sets are what they are everywhere', () => {
  assert.deepEqual(normalise(['angry-robin-83', `${place.url}/x`, "not one of '{'b', 'a'}'"], place), [
    '<run-name>',
    '<server>/x',
    "not one of '{'a', 'b'}'",
  ]);
});
