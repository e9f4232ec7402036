import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Artifact } from '@slipway/contract';
import type { ModelVersionRow } from '@slipway/database';
import { pending } from '../../../../test/fake-stores.ts';
import { referenceFor } from './resolved.ts';

const bytes = (name: string): Artifact => ({ uri: `s3://slipway/team-a/${name}`, files: [], digest: 'a'.repeat(64) });
const row = (version: number, more: object): ModelVersionRow =>
  ({
    ...pending({ namespace: 'team-a', model: 'iris', version, uri: `s3://slipway/team-a/${version}` }),
    status: 'READY',
    artifact: bytes(`${version}`),
    ...more,
  }) as ModelVersionRow;

test('a gate compares with what is served: a Python model that was not converted is nothing to compare with', () => {
  const onnx = row(1, { format: 'onnx' });
  const python = row(2, { format: 'mlflow' });
  assert.deepEqual(referenceFor([python, onnx], 'iris', 'latest'), { version: 1, artifact: bytes('1') });
  assert.equal(referenceFor([python, onnx], 'iris', 2), undefined);
  const converted = { ...python, derived: { artifact: bytes('derived') } } as ModelVersionRow;
  assert.deepEqual(referenceFor([converted, onnx], 'iris', 'latest'), { version: 2, artifact: bytes('derived') });
});
