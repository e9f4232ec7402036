import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKeyFor, trialKeyFor } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { Job } from '../../api/batch-job.ts';
import { jobKey } from './names.ts';
import { failedJob, failedPod, firstRun, key, world } from './testing/world.ts';

const search = {
  method: 'grid',
  space: { C: { values: ['0.1', '1', '10'] } },
  maxTrials: 20,
  parallelism: 2,
  seed: 42,
  objective: { metric: 'validation_accuracy', goal: 'maximize' },
};
const trial = (n: number, parent = firstRun) => trialKeyFor(parent, n);
const start = (over: object = {}, spec: object = {}) => world({ search: { ...search, ...over }, ...spec });
type World = ReturnType<typeof world>;
const states = (w: World) =>
  [...w.stores.runs.values()].map((run) => `${run.runKey.slice('u1/'.length)} ${run.status}`);
const score = (value: number) => ({ validation_accuracy: value });
const fail = (w: World, n: number, exitCode = 1) => {
  w.setJob(trial(n), failedJob());
  w.addPod(trial(n), failedPod('trainer', { exitCode }), `pod-${n}`);
};

test('a search runs its trials, so many at a time, each with its parameters and its own Job, and none of its own', async () => {
  const w = start();
  await w.turn();
  assert.deepEqual(states(w), ['g1 RUNNING', 'g1/c0 RUNNING', 'g1/c1 RUNNING']);
  assert.deepEqual(w.jobs().sort(), [0, 1].map((n) => jobKey({ metadata: key }, trial(n)).name).sort());
  assert.deepEqual(w.stores.runs.get(trial(1))?.parameters, { C: '1' });
  assert.equal(w.stores.runs.get(trial(1))?.cause, 'Search');
  assert.equal(w.stores.runs.get(trial(1))?.parentRunKey, firstRun);
  assert.equal(w.read().status?.progress, '0% (0 of 3 trials)');
  assert.match(w.succeeded()?.message ?? '', /0 of 3 trials have ended, 0 of them failed; 2 run now/);
  await w.turn();
  assert.equal(w.stores.runs.size, 3);
});

test('the best trial concludes it: its metrics and its version, one for the whole search', async () => {
  const w = start();
  await w.turn();
  w.stores.publishTrial(trial(0), 'iris', score(0.7));
  await w.turn();
  assert.deepEqual(states(w), ['g1 RUNNING', 'g1/c0 FINISHED', 'g1/c1 RUNNING', 'g1/c2 RUNNING']);
  assert.equal(w.read().status?.progress, '33% (1 of 3 trials)');
  w.stores.publishTrial(trial(1), 'iris', score(0.9));
  fail(w, 2);
  await w.turn();
  assert.equal(w.succeeded()?.status, 'True');
  assert.match(w.succeeded()?.message ?? '', /version 1 of model iris is registered/);
  assert.equal(w.stores.versions.length, 1);
  assert.deepEqual(w.read().status?.runs, [
    {
      ...w.read().status?.runs?.[0],
      version: 1,
      metrics: { validation_accuracy: '0.9' },
      trials: { total: 3, succeeded: 2, failed: 1, best: 'trial 1: validation_accuracy 0.9 (C=1)' },
    },
  ]);
  assert.equal(w.read().status?.progress, undefined);
  w.change({ retries: 1 });
  await w.turn();
  assert.equal(w.read().status?.runs?.[0]?.trials?.succeeded, 2, 'what is told of a search stays told');
  assert.deepEqual(w.stores.counted, ['Created succeeded']);
});

test('a search none of whose trials succeeded has failed, with the last reason', async () => {
  const w = start({ parallelism: 3 });
  await w.turn();
  for (const n of [0, 1, 2]) fail(w, n, n + 1);
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', 'NoTrialSucceeded']);
  assert.match(w.succeeded()?.message ?? '', /all 3 trials failed.*the last of them: TrainerFailed: .*exit code 3/);
});

test('a search that cannot be is a run that failed by field, without any trial', async () => {
  const w = start({ maxTrials: 2 });
  await w.turn();
  assert.deepEqual([w.succeeded()?.reason, states(w)], ['ConfigurationError', ['g1 FAILED']]);
  assert.match(w.succeeded()?.message ?? '', /grid has 3 combinations, more than maxTrials 2/);
});

test('the deadline is that of the whole search: what is left of it goes to a later trial, and it ends all', async () => {
  const w = start({ parallelism: 1 }, { deadline: '10m' });
  await w.turn();
  w.clock.now += 4 * 60_000;
  w.stores.publishTrial(trial(0), 'iris', score(0.7));
  await w.turn();
  const made = w.kube.objects.get(`Job/team-a/${jobKey({ metadata: key }, trial(1)).name}`) as unknown as {
    spec: { activeDeadlineSeconds: number };
  };
  assert.equal(made.spec.activeDeadlineSeconds, 360);
  w.clock.now += 6 * 60_000;
  await w.turn();
  assert.deepEqual(states(w), ['g1 FAILED', 'g1/c0 FINISHED', 'g1/c1 KILLED']);
  assert.equal(w.succeeded()?.reason, 'DeadlineExceeded');
  assert.equal(w.jobOf(trial(1)), undefined);
});

test('trials that were all done in time conclude a search, also when the operator was away until after the deadline', async () => {
  const w = start({ parallelism: 3 }, { deadline: '10m' });
  await w.turn();
  for (const n of [0, 1, 2]) w.stores.publishTrial(trial(n), 'iris', score(n / 10));
  w.clock.now += 60 * 60_000;
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.read().status?.runs?.[0]?.version], ['True', 1]);
});

test('a search that an operator of a later release refuses leaves no trial open', async () => {
  const w = start();
  await w.turn();
  const run = w.stores.runs.get(firstRun) as Run;
  w.stores.runs.set(firstRun, { ...run, spec: { ...(run.spec as object), search: { ...search, maxTrials: 1 } } });
  await w.turn();
  assert.deepEqual(states(w), ['g1 FAILED', 'g1/c0 KILLED', 'g1/c1 KILLED']);
  assert.deepEqual(w.jobs(), []);
});

test('a change of the search replaces it: its trials are ended and their Jobs stopped', async () => {
  const w = start();
  await w.turn();
  w.change({ search: { ...search, space: { C: { values: ['5'] } } } });
  await w.turn();
  const second = runKeyFor('u1', { kind: 'spec', generation: 2 });
  assert.deepEqual(states(w), ['g1 KILLED', 'g1/c0 KILLED', 'g1/c1 KILLED', 'g2 RUNNING', 'g2/c0 RUNNING']);
  assert.deepEqual(w.jobs(), [jobKey({ metadata: key }, trial(0, second)).name]);
});

test('a deleted job leaves no trial open', async () => {
  const w = start();
  await w.turn();
  w.change({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  assert.equal(await w.turn(), 'finalized');
  assert.deepEqual(states(w), ['g1 KILLED', 'g1/c0 KILLED', 'g1/c1 KILLED']);
  assert.deepEqual(w.jobs(), []);
});

test("a trial's Job that was deleted by hand is made again; of trials that have ended as many Jobs stay as history says", async () => {
  const w = start(
    { space: { C: { values: ['1', '2', '3', '4'] } }, parallelism: 1 },
    { history: { successful: 1, failed: 0 } },
  );
  await w.turn();
  w.kube.drop(Job, jobKey({ metadata: key }, trial(0)));
  await w.turn();
  assert.equal(w.jobs().length, 1);
  for (const n of [0, 1, 2]) {
    w.stores.publishTrial(trial(n), 'iris', score(n));
    await w.turn();
  }
  const names = w.jobs();
  assert.equal(names.length, 2);
  assert.ok(names.includes(jobKey({ metadata: key }, trial(3)).name));
});

test('a manual run of a search may not give what is searched', async () => {
  const w = start({}, { schedule: '0 3 * * *' });
  w.annotate('{"token":"x","parameters":{"C":"7"}}');
  await w.turn();
  assert.equal(w.succeeded()?.reason, 'ConfigurationError');
  assert.match(w.succeeded()?.message ?? '', /parameter C is searched/);
});
