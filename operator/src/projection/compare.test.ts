import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MirroredRow, ModelVersionRow } from '@slipway/database';
import { FakeKube } from '../../../test/fake-kube.ts';
import { pending } from '../../../test/fake-stores.ts';
import { modelVersionFor } from '../controllers/mirror.ts';
import { ModelVersion } from '../controllers/model-version/api.ts';
import { compareNamespace } from './compare.ts';

const namespace = 'team-a';
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A version that belongs in the registry alone, and the object it still has. */
function world() {
  const row: ModelVersionRow = {
    ...pending({ namespace, model: 'iris', version: 1, uri: 's3://slipway/team-a/m' }),
    ...{ status: 'READY', stage: 'Archived' },
  };
  const kube = new FakeKube().put(modelVersionFor(row));
  const mirrored: MirroredRow = { ...row, isWanted: false };
  const looked: string[] = [];
  const compare = () =>
    compareNamespace(
      {
        feed: { page: async () => ({ rows: [] }), findVersion: async () => mirrored },
        ...{ kube, log: silent, signal: new AbortController().signal, project: () => {} },
        look: ({ name }) => looked.push(name),
      },
      namespace,
    );
  const object = () => kube.get(ModelVersion, { namespace, name: 'iris-v1' });
  return { kube, looked, compare, object };
}

test('an object whose version belongs in the registry alone is taken away', async () => {
  const w = world();
  await w.compare();
  assert.equal(w.object(), undefined);
});

test('not before the row has heard what somebody just asked for there', async () => {
  const w = world();
  await w.kube.patch(w.object() as ModelVersion, { spec: { stage: 'Production' } });
  await w.compare();
  assert.equal(w.object()?.spec.stage, 'Production');
  assert.deepEqual(w.looked, ['iris-v1']);
});
