/** What an operator must not change by merely being another one: every service's pods would roll, every verdict be forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceService } from './api.ts';
import { deploymentFor, templateOf } from './deployment.ts';
import { situationOf } from './observe.ts';

const digest = 'a'.repeat(64);
const artifact = { uri: 's3://slipway/team-a/1', files: [{ path: 'model.onnx', sha256: digest, size: 1 }], digest };
const settings = {
  ...{ trainerImage: 'slipway/trainer:1', servingImage: 'slipway/serving:1', bucket: 'slipway' },
  ...({ imagePullPolicy: 'IfNotPresent', imagePullSecrets: [], operatorUrl: 'http://operator:8080' } as const),
};
const service = (spec: object) =>
  InferenceService.parse({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'InferenceService',
    metadata: { namespace: 'team-a', name: 'iris', uid: 'u' },
    spec: { model: 'iris', ...spec },
  });
const templateFor = (spec: object) =>
  templateOf(deploymentFor(service(spec), { version: 1, digest, artifact }, settings));
const settingsOf = (spec: object) => {
  const observed = { owner: service(spec), versions: [], deployment: undefined, pods: [], autoscalers: [] };
  return situationOf(observed, {
    settings,
    health: { postgres: { up: true }, objectStorage: { up: true } },
    now: new Date(),
  }).wanted.settings;
};

/** What operators that are out there have written. */
const WRITTEN = {
  plain: { template: '0617d34f29116279', settings: '7bf18b73bd0fc628' },
  larger: { template: '0660a0b5289e24cc', settings: 'd7492366d4fbc250' },
};
const larger = { resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } }, api: { trainingJob: 'iris' } };

test('pods of services that use nothing new stay as they are under another operator with the same image', () => {
  assert.equal(templateFor({}), WRITTEN.plain.template);
  assert.equal(templateFor(larger), WRITTEN.larger.template);
});

test('versions that were turned down stay turned down under another operator', () => {
  assert.equal(settingsOf({}), WRITTEN.plain.settings);
  assert.equal(settingsOf(larger), WRITTEN.larger.settings);
  assert.notEqual(settingsOf({ engine: 'onnxruntime' }), settingsOf({}));
});
