import assert from 'node:assert/strict';
import { test } from 'node:test';
import { artifactDigest, PublishRequest, type PublishRun } from '@slipway/contract';
import { type Findings, requestFor, type Stored } from './request.ts';

const run: PublishRun = {
  ...{ namespace: 'team-a', trainingJob: 'iris', runKey: 'u/g1', runId: 'r', experimentId: '1', image: 'trainer:1' },
  ...{ model: 'iris', parameters: { C: '1' } },
  register: { stage: 'Staging', aliases: ['best'], tags: { team: 'a' }, gate: [{ metric: 'accuracy', min: 0.9 }] },
};
const sha256 = 'a'.repeat(64);
const files = [
  { path: 'model/model.onnx', sha256, size: 3 },
  { path: 'model/profile.json', sha256, size: 2 },
  { path: 'artifacts/plot.png', sha256, size: 1 },
];
const stored: Stored = { bucket: 'b', prefix: 'team-a/1/r/artifacts/x', attempt: 'x', files };
const verdict = (passed: boolean) => ({ passed, results: [{ metric: 'accuracy', passed, message: 'so' }] });
const findings: Findings = {
  ...{ hasModel: true, metrics: [], usedParameters: { C: '1.0', tol: '1e-8' }, signature: undefined },
  inputs: [{ name: 'train', uri: 'data://x', sha256, size: 9 }],
};

/** What is sent, as the other side reads it. */
const sent = (over: Partial<Findings> = {}, of: Partial<PublishRun> = {}) =>
  PublishRequest.parse(requestFor({ ...run, ...of }, stored, { ...findings, ...over }, 5));

test('a version that passes gets stage, aliases and tags; one that does not, tags alone', () => {
  const passed = sent({ gate: verdict(true) });
  assert.deepEqual(passed.register, { stage: 'Staging', aliases: ['best'] });
  const failed = sent({ gate: verdict(false) });
  assert.equal(failed.register, undefined);
  for (const request of [passed, failed]) {
    assert.deepEqual(request.versionTags, { team: 'a' });
    assert.deepEqual(request.model?.lineage.gate, request.gate);
  }
});

test('without gates there is no verdict, and the version gets what was asked for', () => {
  const request = sent({}, { register: { stage: 'Production' } });
  assert.deepEqual(
    [request.gate, request.register, request.versionTags],
    [undefined, { stage: 'Production' }, undefined],
  );
});

test('the model of a trial is a candidate with all it would get', () => {
  const request = sent({ gate: verdict(true) }, { isTrial: true });
  assert.deepEqual([request.isCandidate, request.register?.stage], [true, 'Staging']);
  assert.equal(sent().isCandidate, undefined);
});

test('what was read goes with the run, and without its size into the lineage', () => {
  const { inputs, model } = sent();
  assert.deepEqual(inputs, findings.inputs);
  assert.deepEqual(model?.lineage.inputs, [{ name: 'train', uri: 'data://x', sha256 }]);
});

test('the artifact is the model folder, and its digest covers exactly that', () => {
  const { model } = sent();
  const inside = [
    { path: 'model.onnx', sha256, size: 3 },
    { path: 'profile.json', sha256, size: 2 },
  ];
  assert.deepEqual(model?.artifact, {
    uri: 's3://b/team-a/1/r/artifacts/x/model',
    files: inside,
    digest: artifactDigest(inside),
  });
});

test('without a model file the version a script registered is the run’s, and its gates count all the same', () => {
  const request = sent({ hasModel: false, gate: verdict(false) });
  assert.deepEqual(
    [request.adopt, request.model, request.register, request.gate?.passed],
    ['iris', undefined, undefined, false],
  );
});

test('a run without a model registers nothing; parameters keep the text they were asked for with', () => {
  const { model: _, register: __, ...tracked } = run;
  const request = requestFor(tracked, stored, findings, 5);
  assert.deepEqual([request.model, request.adopt, request.register], [undefined, undefined, undefined]);
  assert.deepEqual(request.params, { C: '1', tol: '1e-8' });
});
