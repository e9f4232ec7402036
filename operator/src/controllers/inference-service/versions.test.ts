import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelVersion } from '../model-version/api.ts';
import { versionFacts } from './versions.ts';

const withGate = (gate?: object): readonly ModelVersion[] => [
  {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'ModelVersion',
    metadata: { namespace: 'team-a', name: 'iris-v1' },
    spec: { model: 'iris', version: 1, source: { uri: 's3://b/1' }, stage: 'None', format: 'onnx', lineage: { gate } },
  } as unknown as ModelVersion,
];
const failureOf = (gate?: object): string | undefined => versionFacts(withGate(gate), {})[0]?.gateFailure;

test('a version whose gates failed says which, and one that passed or was asked nothing says nothing', () => {
  const results = [
    { metric: 'accuracy', passed: true, message: 'accuracy 0.9 is at least 0.8' },
    { metric: 'log_loss', passed: false, message: 'log_loss 1.2 is above 0.5' },
  ];
  assert.equal(failureOf({ passed: false, results }), 'its gates failed (log_loss 1.2 is above 0.5)');
  assert.equal(failureOf({ passed: true, results: results.slice(0, 1) }), undefined);
  assert.equal(failureOf(), undefined);
});
