import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../errors.ts';
import { checkArtifactLocation } from './artifact-location.ts';
import {
  checkBatchSize,
  checkLength,
  checkMetric,
  checkName,
  checkParamsOnce,
  checkRunId,
  cut,
  experimentIdFrom,
  lastOfEach,
  paramFrom,
  tagFrom,
} from './limits.ts';
import { randomRunName } from './run-names.ts';

/** The message a check refuses with; undefined when it does not. */
function refusal(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ApiError, `an ApiError, got ${error}`);
    assert.equal(error.status, 400);
    return error.message;
  }
}

const names: readonly (readonly [name: string, refusedFor?: RegExp])[] = [
  ['loss'],
  ['train/loss:0 a-b_c.d'],
  ['größe 日本語'],
  ['..a', /would resolve to '\.\.a'/],
  ['a..b'],
  ['a$b', /Names may only contain/],
  ['a\n', /Names may only contain/],
  ['a/../b', /would resolve to 'b'/],
  ['..', /would resolve to '\.\.'/],
  ['.', /would resolve to '\.'/],
  ['a/', /would resolve to 'a'/],
  ['a//b', /would resolve to 'a\/b'/],
  ['./a', /would resolve to 'a'/],
  ['/a', /would resolve to '\/a'/],
  ['//a', /would resolve to '\/\/a'/],
  ['///a', /would resolve to '\/a'/],
  ['../../a', /would resolve to '\.\.\/\.\.\/a'/],
];
for (const [name, refusedFor] of names)
  test(`a key ${JSON.stringify(name)} is ${refusedFor ? 'refused' : 'taken'}`, () => {
    const message = refusal(() => checkName(name, 'key'));
    if (refusedFor) assert.match(message ?? 'taken', refusedFor);
    else assert.equal(message, undefined);
  });

test('lengths count characters, not halves of surrogate pairs', () => {
  assert.equal(
    refusal(() => checkLength('name', 3, '😀😀😀')),
    undefined,
  );
  assert.equal(
    refusal(() => checkLength('name', 3, 'abcd')),
    "'name' exceeds the maximum length of 3 characters",
  );
  assert.equal(cut('😀😀😀', 2), '😀😀');
});

test('values that are too long are cut, keys are refused', () => {
  assert.equal(paramFrom({ key: 'a', value: 'x'.repeat(6001) }).value.length, 6000);
  assert.equal(tagFrom({ key: 'a', value: 'x'.repeat(8001) }).value.length, 8000);
  const long = 'k'.repeat(251);
  assert.equal(
    refusal(() => paramFrom({ key: long, value: '' })),
    "'Param key' exceeds the maximum length of 250 characters",
  );
  assert.equal(
    refusal(() => tagFrom({ key: long, value: '' }, 'tags[3]')),
    "'tags[3].key' exceeds the maximum length of 250 characters",
  );
  const metric = { value: 1, timestamp: 1 };
  assert.equal(
    refusal(() => checkMetric({ key: long, ...metric })),
    "'Metric name' exceeds the maximum length of 250 characters",
  );
});

test('a time before 1970 is none that a metric has', () => {
  assert.equal(
    refusal(() => checkMetric({ key: 'm', value: 1, timestamp: -5 }, 'metrics[2]')),
    "Invalid value -5 for parameter 'metrics[2].timestamp' supplied: metric 'm' (value=1.0). Timestamp must be a nonnegative long (64-bit integer) ",
  );
});

test('ids of runs and experiments', () => {
  assert.equal(
    refusal(() => checkRunId('no/pe')),
    `Invalid value "no/pe" for parameter 'run_id' supplied.`,
  );
  assert.deepEqual([' 01 ', '+7', '-3', '0', '-0'].map(experimentIdFrom), ['1', '7', '-3', '0', '0']);
  for (const id of ['x', '1.5', '', '1e3'])
    assert.equal(
      refusal(() => experimentIdFrom(id)),
      `Invalid experiment ID '${id}'. Experiment ID must be a valid integer.`,
    );
});

test('a batch has its limits', () => {
  assert.equal(
    refusal(() => checkBatchSize(800, 100, 100)),
    undefined,
  );
  for (const [metrics, params, tags, what] of [
    [1001, 0, 0, '1000 metrics. Got 1001'],
    [0, 101, 0, '100 params. Got 101'],
    [0, 0, 101, '100 tags. Got 101'],
    [950, 51, 0, '1000 metrics, params, and tags. Got 1001'],
  ] as const)
    assert.ok(refusal(() => checkBatchSize(metrics, params, tags))?.includes(`at most ${what}`), what);
  const pairs = ['a', 'b', 'a'].map((key, index) => ({ key, value: String(index) }));
  assert.match(refusal(() => checkParamsOnce(pairs)) ?? '', /^Duplicate parameter keys have been submitted: \['a'\]\./);
  assert.deepEqual(lastOfEach(pairs), [
    { key: 'a', value: '2' },
    { key: 'b', value: '1' },
  ]);
});

const places: readonly (readonly [uri: string, refusedFor?: RegExp])[] = [
  ['s3://elsewhere/x'],
  ['gs://elsewhere/x'],
  ['dbfs:/x'],
  ['file:///home/ada/mlruns'],
  ['/home/ada/mlruns'],
  ['mlflow-artifacts:/mine'],
  ['s3://slipway/team-a/mine/'],
  ['s3://slipway/team-b/mine', /must lie below s3:\/\/slipway\/team-a\//],
  ['s3://slipway/team-a/../team-b', /must lie below/],
  ['mlflow-artifacts:/a/../../b', /plain path/],
  ['mlflow-artifacts:/a/%2e%2e/b', /plain path/],
  ['mlflow-artifacts://host/a', /'mlflow-artifacts' scheme/],
  ['http://host/a', /cannot use the 'http' scheme/],
  ['HTTPS://host/a', /cannot use the 'https' scheme/],
  ['runs:/x', /cannot be a runs:\/ URI/],
  ['relative/path', /absolute path/],
  ['s3://b/a#b', /fragments/],
  [`s3://b/${'a'.repeat(2048)}`, /Invalid artifact path length/],
];
for (const [uri, refusedFor] of places)
  test(`an experiment ${refusedFor ? 'cannot' : 'can'} keep its artifacts at ${uri.slice(0, 40)}`, () => {
    const message = refusal(() => checkArtifactLocation(uri, { bucket: 'slipway', namespace: 'team-a' }));
    if (refusedFor) assert.match(message ?? 'taken', refusedFor);
    else assert.equal(message, undefined);
  });

test('a random name is two words and a number', () => {
  const made = Array.from({ length: 200 }, randomRunName);
  for (const name of made) assert.match(name, /^[a-z]+-[a-z]+-\d{1,3}$/);
  assert.ok(new Set(made).size > 190, 'hardly ever the same');
});
