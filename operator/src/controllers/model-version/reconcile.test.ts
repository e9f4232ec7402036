import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelVersionRow, VersionEdit } from '@slipway/database';
import { FakeKube } from '../../../../test/fake-kube.ts';
import { FakeStores, FILES, pending } from '../../../../test/fake-stores.ts';
import { Job } from '../../api/batch-job.ts';
import type { KubeObject } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import { processKey } from '../../runtime/process-key.ts';
import { WorkQueue } from '../../runtime/work-queue.ts';
import { InferenceService } from '../inference-service/api.ts';
import { labelsOf, modelVersionFor, NO_LABELS, syncedText } from '../mirror.ts';
import { ModelVersion, SYNCED_ANNOTATION, UNPROJECT_ANNOTATION } from './api.ts';
import { modelVersionController } from './index.ts';
import { MODEL_VERSION_LABEL, verifyJobKey } from './names.ts';

const key = { namespace: 'team-a', name: 'iris-mine' };
const bare = { ...key, uid: 'u1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
/** Object and row have met before and agreed that nothing is said of it. */
const metadata = { ...bare, annotations: { [SYNCED_ANNOTATION]: syncedText(NO_LABELS) } };
const START = Date.parse('2026-01-01T00:00:00Z');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const URI = 's3://slipway/team-a/brought/iris';

/** A cluster with one ModelVersion somebody brought; `turn` is one reconcile by a freshly started operator. */
function world(spec: object = {}, head: object = metadata) {
  const stores = new FakeStores();
  const kube = new FakeKube().put({
    apiVersion: ModelVersion.apiVersion,
    kind: 'ModelVersion',
    metadata: head,
    spec: { model: 'iris', source: { uri: URI }, ...spec },
  } as KubeObject);
  const clock = { now: START };
  const definition = modelVersionController(stores.deps);
  const turn = () => {
    const ctx = { kube, log: silent, now: () => new Date(clock.now), signal: new AbortController().signal };
    const queue = new WorkQueue();
    return processKey(definition, ctx, queue, key).finally(() => queue.close());
  };
  const read = () => kube.get(ModelVersion, key) as ModelVersion;
  const said = (type = 'Ready') => {
    const found = read().status?.conditions?.find((condition) => condition.type === type);
    return found && `${found.status}/${found.reason}`;
  };
  const message = () => read().status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
  const job = () => kube.get(Job, verifyJobKey({ metadata }));
  const setJob = (status: object) => kube.put({ ...(job() as Job), status } as KubeObject);
  const addPod = (status: object, name = 'pod-1') =>
    kube.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        namespace: 'team-a',
        name,
        labels: { [MODEL_VERSION_LABEL]: key.name },
        ownerReferences: [
          { apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: job()?.metadata.uid ?? '', controller: true },
        ],
      },
      status,
    } as KubeObject);
  const serve = (name: string, spec: object, status?: object) =>
    kube.put({
      apiVersion: InferenceService.apiVersion,
      kind: 'InferenceService',
      metadata: { namespace: 'team-a', name },
      spec,
      ...(status && { status }),
    } as KubeObject);
  const remove = () =>
    kube.put({ ...read(), metadata: { ...read().metadata, deletionTimestamp: new Date(clock.now).toISOString() } });
  return { stores, kube, clock, turn, read, said, message, job, setJob, addPod, serve, remove };
}
type World = ReturnType<typeof world>;

const finished = (type: 'Complete' | 'Failed', reason = 'BackoffLimitExceeded') => ({
  conditions: [{ type, status: 'True', reason, lastTransitionTime: '2026-01-01T00:00:10Z' }],
});
const report = {
  stage: 'verify',
  reason: 'Verified',
  message: 'loaded and tested in 0.10 s',
  digest: 'e'.repeat(64),
  files: FILES,
};
const succeededPod = {
  phase: 'Succeeded',
  containerStatuses: [{ name: 'verify', state: { terminated: { exitCode: 0, message: JSON.stringify(report) } } }],
};
const failedPod = (container: string, terminated: object) => ({
  phase: 'Failed',
  [container === 'fetch' ? 'initContainerStatuses' : 'containerStatuses']: [{ name: container, state: { terminated } }],
});
const told = (stage: string, reason: string, message = 'in words') => ({
  exitCode: 65,
  reason: 'Error',
  message: JSON.stringify({ stage, reason, message }),
});

async function verified(w: World): Promise<void> {
  await w.turn();
  w.setJob(finished('Complete'));
  w.addPod(succeededPod);
  await w.turn();
}

test('a version somebody brought is numbered once and its verification begins', async () => {
  const w = world();
  assert.equal(await w.turn(), 'requeued');
  assert.equal(w.read().status?.version, 1);
  assert.equal(w.said(), 'Unknown/Pending');
  assert.ok(w.job());
  w.kube.calls.length = 0;
  w.stores.writes.length = 0;
  await w.turn();
  assert.deepEqual([w.kube.calls, w.stores.writes], [[], []]);
});

test('a proven version is Ready, with the bytes that were found, and its Job is no longer needed', async () => {
  const w = world();
  await verified(w);
  assert.deepEqual(
    [w.said(), w.said('ArtifactVerified'), w.said('Servable')],
    ['True/Verified', 'True/Verified', 'True/Verified'],
  );
  assert.deepEqual(w.read().status?.artifact, { uri: URI, files: FILES, digest: 'e'.repeat(64) });
  assert.equal(w.read().status?.size, '2.0 KiB');
  await w.turn();
  assert.equal(w.job(), undefined);
  w.kube.calls.length = 0;
  assert.equal(await w.turn(), 'success');
  assert.deepEqual(w.kube.calls, []);
});

test('a proof in Postgres that did not reach the status is not made again', async () => {
  const w = world();
  await w.turn();
  w.setJob(finished('Complete'));
  w.addPod(succeededPod);
  w.kube.onWrite = (call) => {
    if (call.startsWith('status')) throw new Error('killed');
  };
  await w.turn();
  w.kube.onWrite = () => {};
  w.kube.drop(Job, verifyJobKey({ metadata }));
  w.kube.drop(Pod, { namespace: 'team-a', name: 'pod-1' });
  await w.turn();
  assert.equal(w.said(), 'True/Verified');
  assert.equal(w.job(), undefined);
  assert.equal(w.stores.versions.length, 1);
});

const verdicts = [
  { container: 'fetch', reason: 'DigestMismatch', artifact: 'False', servable: 'Unknown', isFinal: false },
  { container: 'fetch', reason: 'ArtifactMissing', artifact: 'False', servable: 'Unknown', isFinal: false },
  { container: 'fetch', reason: 'ObjectStorageDenied', artifact: 'Unknown', servable: 'Unknown', isFinal: false },
  { container: 'verify', reason: 'ParityFailed', artifact: 'True', servable: 'False', isFinal: true },
  { container: 'verify', reason: 'UnsupportedOperator', artifact: 'True', servable: 'False', isFinal: true },
  { container: 'verify', reason: 'InvalidModel', artifact: 'True', servable: 'False', isFinal: true },
] as const;
for (const { container, reason, artifact, servable, isFinal } of verdicts) {
  test(`${reason} found by ${container}: Ready=False, ${isFinal ? 'for good' : 'and tried again'}`, async () => {
    const w = world();
    await w.turn();
    w.setJob(finished('Failed', 'PodFailurePolicy'));
    w.addPod(failedPod(container, told(container, reason)));
    w.clock.now += 20_000;
    assert.equal(await w.turn(), isFinal ? 'success' : 'requeued');
    assert.equal(w.said(), `False/${reason}`);
    assert.match(w.message(), /^in words/);
    assert.equal(w.said('ArtifactVerified')?.split('/')[0], artifact);
    assert.equal(w.said('Servable')?.split('/')[0], servable);
    assert.equal(w.stores.versions[0]?.status, 'FAILED_REGISTRATION');
    w.clock.now += 700_000;
    await w.turn();
    assert.equal(w.job() !== undefined, isFinal);
    await w.turn();
    // While it is tried again it stays refused.
    assert.equal(w.said(), `False/${reason}`);
    assert.ok(w.job());
  });
}

test('a model that needs too much memory says so', async () => {
  const w = world();
  await w.turn();
  w.setJob(finished('Failed'));
  w.addPod(failedPod('verify', { exitCode: 137, reason: 'OOMKilled' }));
  await w.turn();
  assert.equal(w.said(), 'False/OutOfMemory');
  assert.match(w.message(), /1Gi/);
});

test('fetch running out of memory is not the fault of the model: it is tried again', async () => {
  const w = world();
  await w.turn();
  w.setJob(finished('Failed'));
  w.addPod(failedPod('fetch', { exitCode: 137, reason: 'OOMKilled' }));
  w.clock.now += 20_000;
  assert.equal(await w.turn(), 'requeued');
  assert.match(w.said() ?? '', /\/VerifierFailed$/);
  assert.match(w.message(), /container fetch needed more memory/);
});

test('bytes restored after a mismatch make the version Ready', async () => {
  const w = world();
  await w.turn();
  w.setJob(finished('Failed', 'PodFailurePolicy'));
  w.addPod(failedPod('fetch', told('fetch', 'DigestMismatch')));
  w.clock.now += 700_000;
  await w.turn();
  await w.turn();
  // The pod of the Job before is still there: it has nothing to say about the new one.
  w.setJob(finished('Complete'));
  w.addPod(succeededPod, 'pod-2');
  await w.turn();
  assert.equal(w.said(), 'True/Verified');
});

test('the object storage away while the files are fetched: Unknown since when', async () => {
  const w = world();
  await w.turn();
  w.addPod({ phase: 'Pending', initContainerStatuses: [{ name: 'fetch', state: { running: {} } }] });
  const away = { reason: 'ObjectStorageUnavailable', message: 'no answer' };
  w.stores.health = {
    postgres: { up: true },
    objectStorage: { up: false, since: '2026-01-01T00:00:10.000Z', ...away },
  };
  await w.turn();
  assert.equal(w.said(), 'Unknown/ObjectStorageUnavailable');
  assert.match(w.message(), /since 2026-01-01T00:00:10/);
});

test('a finished Job whose pod is gone is made again', async () => {
  const w = world();
  await w.turn();
  w.setJob(finished('Complete'));
  w.clock.now += 60_000;
  await w.turn();
  assert.equal(w.job(), undefined);
  await w.turn();
  assert.ok(w.job());
});

test("another bucket, another tenant's prefix and another scheme are refused with the prefix to use", async () => {
  for (const uri of [
    's3://other/team-a/m',
    's3://slipway/team-b/m',
    'file:///etc',
    's3://slipway/team-a/../team-b/m',
  ]) {
    const w = world({ source: { uri } });
    assert.equal(await w.turn(), 'stalled');
    assert.equal(w.said(), 'False/SourceNotAllowed');
    assert.match(w.message(), /s3:\/\/slipway\/team-a\//);
    assert.equal(w.stores.versions.length, 0);
  }
});

test('a number the registry does not know is refused with the cure', async () => {
  const w = world({ version: 7 });
  await w.turn();
  assert.equal(w.said(), 'False/VersionUnknown');
  assert.match(w.message(), /leave out spec\.version/);
  assert.equal(w.job(), undefined);
});

test('the operator killed after every write makes one version and one proof all the same', async () => {
  for (let allowed = 0; allowed < 8; allowed++) {
    const w = world();
    let left = allowed;
    const dieWhenSpent = () => {
      if (left-- <= 0) throw new Error('killed');
    };
    w.kube.onWrite = dieWhenSpent;
    w.stores.onWrite = dieWhenSpent;
    await w.turn();
    await w.turn();
    w.kube.onWrite = () => {};
    w.stores.onWrite = () => {};
    await verified(w);
    assert.equal(w.stores.versions.length, 1, `killed after ${allowed} writes`);
    assert.equal(w.said(), 'True/Verified', `killed after ${allowed} writes`);
  }
});

const users = [
  { name: 'answers with it', spec: { model: 'iris' }, status: { version: 1 } },
  {
    name: 'is being rolled to it',
    spec: { model: 'iris' },
    status: { rollout: { version: 1, digest: 'e'.repeat(64), startTime: 'now' } },
  },
  { name: 'asks for it by number', spec: { model: 'iris', version: 1 } },
];
for (const { name, spec, status } of users) {
  test(`a version is not deleted while a service ${name}`, async () => {
    const w = world();
    await verified(w);
    w.serve('shop', spec, status);
    await w.turn();
    assert.deepEqual(w.read().status?.servedBy, ['shop']);
    w.remove();
    assert.equal(await w.turn(), 'blocked');
    assert.equal(w.said('DeletionBlocked'), 'True/InUse');
    assert.equal(w.stores.versions[0]?.status, 'READY');
    w.kube.drop(InferenceService, { namespace: 'team-a', name: 'shop' });
    assert.equal(await w.turn(), 'finalized');
    assert.equal(w.stores.versions[0]?.status, 'DELETED');
  });
}

test('a service of another model or another version does not hold it', async () => {
  const w = world();
  await verified(w);
  w.serve('other-model', { model: 'abalone', version: 1 });
  w.serve('other-version', { model: 'iris', version: '2' });
  w.remove();
  assert.equal(await w.turn(), 'finalized');
});

test('a namespace on its way out takes the object, served or not, and leaves the row', async () => {
  const w = world();
  await verified(w);
  w.serve('shop', { model: 'iris' }, { version: 1 });
  w.stores.namespaceIsBeingDeleted = true;
  w.remove();
  assert.equal(await w.turn(), 'finalized');
  assert.equal(w.stores.versions[0]?.status, 'READY');
});

/** A row that a tracking client registered, with its object as the operator makes it. */
function registered(over: Partial<ModelVersionRow> = {}) {
  const row = { ...pending({ namespace: 'team-a', model: 'iris', version: 1, uri: URI }), ...over };
  const made = modelVersionFor(row);
  const w = world(made.spec, { ...bare, annotations: made.metadata.annotations });
  w.stores.versions.push(row);
  const edit = (spec: object) => w.kube.patch(w.read(), { spec });
  const client = (change: VersionEdit) => w.stores.change({ namespace: 'team-a', model: 'iris', version: 1 }, change);
  const stored = () => w.stores.versions[0] as ModelVersionRow;
  const settle = async () => {
    for (let turns = 0; turns < 10; turns++) {
      const before = w.kube.calls.length;
      await w.turn();
      if (w.kube.calls.length === before) return;
    }
    assert.fail(`does not come to rest: ${w.kube.calls.join(', ')}`);
  };
  return { ...w, edit, client, stored, settle };
}

test('what a client registered is verified like what somebody brought, and the client that waits is told', async () => {
  const w = registered();
  await w.turn();
  assert.equal(w.said(), 'Unknown/Pending');
  w.setJob(finished('Complete'));
  w.addPod(succeededPod);
  await w.turn();
  assert.equal(w.said(), 'True/Verified');
  assert.equal(w.stored().status, 'READY');
  assert.deepEqual(w.stored().artifact?.files, FILES);
});

test('one that fails is FAILED_REGISTRATION with the reason', async () => {
  const w = registered();
  await w.turn();
  w.setJob(finished('Failed'));
  w.addPod(failedPod('verify', told('verify', 'UnsupportedOperator', 'operator Loop is not allowed')));
  await w.turn();
  assert.equal(w.said(), 'False/UnsupportedOperator');
  const { status, statusMessage } = w.stored();
  assert.deepEqual(
    [status, statusMessage],
    ['FAILED_REGISTRATION', 'UnsupportedOperator: operator Loop is not allowed'],
  );
});

test('an object made again for a version that failed for good says so without another Job', async () => {
  const w = registered({ status: 'FAILED_REGISTRATION', statusMessage: 'InvalidModel: it is not a model' });
  await w.settle();
  assert.equal(w.said(), 'False/InvalidModel');
  assert.equal(w.message(), 'it is not a model');
  assert.equal(w.job(), undefined);
});

test('a model folder without ONNX is tracked, never verified, and says how to get one that can be served', async () => {
  const w = registered({ format: 'mlflow', status: 'READY' });
  await w.settle();
  assert.deepEqual(
    [w.said(), w.said('Servable'), w.said('ArtifactVerified')],
    ['False/FormatNotServable', 'False/FormatNotServable', 'Unknown/FormatNotServable'],
  );
  assert.match(w.message(), /mlflow\.onnx\.log_model.*skl2onnx/);
  assert.equal(w.job(), undefined);
  assert.equal(w.stored().status, 'READY');
  assert.deepEqual(w.stores.writes, []);
});

test('bytes outside of the namespace are not served; the client that waits is told', async () => {
  for (const sourceUri of ['s3://elsewhere/models/x', 's3://slipway/team-b/x', 'dbfs:/models/x']) {
    const w = registered({ sourceUri });
    await w.settle();
    assert.equal(w.said('Servable'), 'False/SourceNotAllowed');
    assert.match(w.message(), /s3:\/\/slipway\/team-a\/.*registered_model_name/);
    assert.equal(w.stored().status, 'FAILED_REGISTRATION');
    assert.equal(w.job(), undefined);
  }
});

test('an edit of the object is carried to the row, and agreed on once', async () => {
  const w = registered();
  await w.settle();
  await w.edit({ stage: 'Production', aliases: ['champion'], tags: { a: '1' }, description: 'words' });
  w.stores.writes.length = 0;
  await w.settle();
  const { stage, aliases, tags, description } = w.stored();
  assert.deepEqual([stage, aliases, tags, description], ['Production', ['champion'], { a: '1' }, 'words']);
  assert.deepEqual(w.stores.writes, ['edit version 1 as kubernetes/kubectl-edit']);
  assert.equal(w.read().metadata.annotations?.[SYNCED_ANNOTATION], syncedText(labelsOf(w.read().spec)));
  assert.deepEqual(
    w.kube.events.filter(({ reason }) => reason === 'SyncConflict'),
    [],
  );
});

test('a change in the registry arrives on the object, and what it does not say any more goes', async () => {
  const w = registered({ stage: 'Staging', aliases: ['a', 'b'], tags: { x: '1', y: '2' }, description: 'old' });
  await w.settle();
  w.client({
    stage: 'Archived',
    aliases: { set: [], delete: ['a'] },
    tags: { set: {}, delete: ['x'] },
    description: '',
  });
  await w.settle();
  const { stage, aliases, tags, description } = w.read().spec;
  assert.deepEqual([stage, aliases, tags, description], ['Archived', ['b'], { y: '2' }, undefined]);
  assert.deepEqual(
    w.stores.writes.filter((write) => write.startsWith('edit')),
    [],
  );
});

test('both changed the same: the registry wins, the object is put back, and an event says so', async () => {
  const w = registered();
  await w.settle();
  w.client({ stage: 'Archived' });
  await w.edit({ stage: 'Production', tags: { mine: 'kept' } });
  await w.settle();
  assert.deepEqual([w.read().spec.stage, w.stored().stage], ['Archived', 'Archived']);
  assert.deepEqual(w.stored().tags, { mine: 'kept' });
  const [event] = w.kube.events.filter(({ reason }) => reason === 'SyncConflict');
  assert.equal(event?.type, 'Warning');
  assert.match(event?.note ?? '', /spec\.stage: Production was asked for here.*Archived/);
});

test('killed after every write, an edit arrives once and nothing is lost', async () => {
  for (let allowed = 0; allowed < 6; allowed++) {
    const w = registered();
    await w.settle();
    await w.edit({ stage: 'Production', aliases: ['champion'] });
    w.stores.writes.length = 0;
    let left = allowed;
    const dieWhenSpent = () => {
      if (left-- <= 0) throw new Error('killed');
    };
    w.kube.onWrite = dieWhenSpent;
    w.stores.onWrite = dieWhenSpent;
    await w.turn();
    await w.turn();
    w.kube.onWrite = () => {};
    w.stores.onWrite = () => {};
    await w.settle();
    assert.deepEqual([w.stored().stage, w.stored().aliases], ['Production', ['champion']], `after ${allowed} writes`);
    assert.equal(w.stores.writes.filter((write) => write.startsWith('edit')).length, 1, `after ${allowed} writes`);
    assert.deepEqual(
      w.kube.events.filter(({ reason }) => reason === 'SyncConflict'),
      [],
    );
  }
});

test('labels that somebody brought with the object are told to the registry', async () => {
  const w = world({ stage: 'Staging', aliases: ['mine'] }, bare);
  await w.turn();
  await w.turn();
  assert.deepEqual([w.stores.versions[0]?.stage, w.stores.versions[0]?.aliases], ['Staging', ['mine']]);
});

test('an alias the registry gave to another version meanwhile is not taken from it', async () => {
  const w = registered();
  await w.settle();
  const other = { ...pending({ namespace: 'team-a', model: 'iris', version: 2, uri: URI }) };
  w.kube.put(modelVersionFor(other));
  w.stores.versions.push({ ...other, aliases: ['champion'] });
  await w.edit({ aliases: ['champion'] });
  await w.settle();
  assert.equal(w.read().spec.aliases, undefined);
  assert.deepEqual(w.stores.versions[1]?.aliases, ['champion']);
  assert.equal(w.kube.events.at(-1)?.reason, 'SyncConflict');
});

test('an edit moves an alias that the other object is known to have', async () => {
  const w = registered();
  await w.settle();
  const other = { ...pending({ namespace: 'team-a', model: 'iris', version: 2, uri: URI }), aliases: ['champion'] };
  w.kube.put(modelVersionFor(other));
  w.stores.versions.push(other);
  await w.edit({ aliases: ['champion'] });
  await w.settle();
  assert.deepEqual([w.stores.versions[0]?.aliases, w.stores.versions[1]?.aliases], [['champion'], []]);
});

test('while Postgres is away a proven version stays proven, and what was edited is carried over afterwards', async () => {
  const w = registered();
  await w.turn();
  w.setJob(finished('Complete'));
  w.addPod(succeededPod);
  await w.settle();
  await w.edit({ stage: 'Production' });
  w.stores.health = {
    ...w.stores.health,
    postgres: { up: false, since: 'now', reason: 'PostgresUnavailable', message: 'x' },
  };
  assert.equal(await w.turn(), 'requeued');
  assert.equal(w.said(), 'True/Verified');
  w.stores.health = { ...w.stores.health, postgres: { up: true } };
  await w.settle();
  assert.equal(w.stored().stage, 'Production');
});

test('an edit is about the same proof: the conditions are said of the new generation', async () => {
  const w = registered();
  await w.turn();
  w.setJob(finished('Complete'));
  w.addPod(succeededPod);
  await w.settle();
  w.kube.put({ ...w.read(), metadata: { ...w.read().metadata, generation: 5 } });
  await w.settle();
  const { conditions = [], observedGeneration } = w.read().status ?? {};
  assert.deepEqual([observedGeneration, ...conditions.map((condition) => condition.observedGeneration)], [5, 5, 5, 5]);
});

test('a version that was deleted in the registry takes its object with it, in use or not', async () => {
  const w = registered();
  await w.settle();
  w.serve('shop', { model: 'iris', version: 1 });
  w.stores.versions[0] = { ...w.stored(), status: 'DELETED' };
  await w.turn();
  assert.equal(w.kube.get(ModelVersion, key), undefined);
});

test('its finalizer does not hold it either', async () => {
  const w = registered();
  await w.settle();
  w.serve('shop', { model: 'iris', version: 1 });
  w.stores.versions[0] = { ...w.stored(), status: 'DELETED' };
  w.remove();
  assert.equal(await w.turn(), 'finalized');
});

test('an object the operator takes away leaves its version, whoever uses it', async () => {
  const w = registered();
  await w.settle();
  await w.kube.patch(w.read(), { metadata: { annotations: { [UNPROJECT_ANNOTATION]: 'true' } } });
  w.remove();
  assert.equal(await w.turn(), 'finalized');
  assert.equal(w.stored().status, 'PENDING_REGISTRATION');
});

test('a use that Postgres knows of and the cluster does not show blocks a deletion', async () => {
  const w = registered();
  await w.settle();
  w.serve('shop', { model: 'iris' });
  w.stores.uses = [{ namespace: 'team-a', service: 'shop', model: 'iris', version: 1 }];
  w.remove();
  assert.equal(await w.turn(), 'blocked');
  assert.equal(w.said('DeletionBlocked'), 'True/InUse');
  assert.equal(w.stored().status, 'PENDING_REGISTRATION');
  w.kube.drop(InferenceService, { namespace: 'team-a', name: 'shop' });
  assert.equal(await w.turn(), 'finalized');
  assert.equal(w.stored().status, 'DELETED');
});

/** Its model was renamed, and another one was made under the old name: the number is another version's now. */
const renamedAndMadeAnew = (w: Pick<World, 'stores'>) => {
  const [row] = w.stores.versions;
  assert.ok(row);
  const sourceUri = 's3://slipway/team-a/0/models/other/artifacts';
  w.stores.versions.splice(0, 1, { ...row, sourceUri, stage: 'Staging' }, { ...row, model: 'iris-before' });
};

test('a projected object of a renamed model makes way for the version that has its number now', async () => {
  const w = registered();
  await w.settle();
  renamedAndMadeAnew(w);
  w.stores.writes.length = 0;
  await w.turn();
  assert.equal(w.kube.get(ModelVersion, key), undefined);
  assert.deepEqual(w.stores.writes, []);
});

test('one that a service uses stays, and says what is the matter', async () => {
  const w = registered();
  await w.settle();
  renamedAndMadeAnew(w);
  w.serve('shop', { model: 'iris', version: 1 });
  await w.turn();
  assert.equal(w.said(), 'False/VersionUnknown');
});

test('deleting an object of a renamed model leaves the version that has its number now', async () => {
  for (const w of [registered(), world()]) {
    await w.turn();
    await w.turn();
    assert.equal(w.read().status?.version, 1);
    renamedAndMadeAnew(w);
    w.remove();
    assert.equal(await w.turn(), 'finalized');
    assert.equal(w.stores.versions[0]?.status, 'PENDING_REGISTRATION');
  }
});

test('a version somebody brought and whose model was renamed goes with its object', async () => {
  const w = world();
  await verified(w);
  renamedAndMadeAnew(w);
  w.stores.moveBrought('u1', 'iris-before');
  w.remove();
  assert.equal(await w.turn(), 'finalized');
  assert.deepEqual(
    w.stores.versions.map(({ status }) => status),
    ['READY', 'DELETED'],
  );
});

test('a version somebody brought keeps to its own row when its model is renamed', async () => {
  const w = world();
  await verified(w);
  renamedAndMadeAnew(w);
  w.stores.moveBrought('u1', 'iris-before');
  await w.kube.patch(w.read(), { spec: { stage: 'Production' } });
  await w.turn();
  assert.deepEqual(
    w.stores.versions.map(({ model, stage }) => [model, stage]),
    [
      ['iris', 'Staging'],
      ['iris-before', 'Production'],
    ],
  );
});

test('a registration with the bytes of one that was proven before is proven too', async () => {
  const w = registered();
  await w.turn();
  w.setJob(finished('Complete'));
  w.addPod(succeededPod);
  await w.settle();
  w.stores.versions[0] = { ...w.stored(), status: 'PENDING_REGISTRATION' };
  await w.turn();
  w.setJob(finished('Complete'));
  w.addPod(succeededPod, 'pod-2');
  await w.settle();
  assert.deepEqual([w.stored().status, w.said()], ['READY', 'True/Verified']);
});

test('labels of a version that was written down from another one are its own wish', async () => {
  const labels = { stage: 'Production', aliases: ['champion'], tags: { a: '1' }, description: 'words' };
  const annotations = { [SYNCED_ANNOTATION]: syncedText(labels) };
  const w = world(labels, { ...bare, annotations });
  await w.turn();
  await w.turn();
  const { stage, aliases, tags, description } = w.stores.versions[0] as ModelVersionRow;
  assert.deepEqual({ stage, aliases, tags, description }, labels);
  assert.equal(w.read().spec.stage, 'Production');
});

test('a version that was numbered goes with its object, also before the object knew its number', async () => {
  const w = world({}, bare);
  await w.turn();
  assert.deepEqual([w.stores.versions.length, w.read().status?.version], [1, undefined]);
  w.remove();
  assert.equal(await w.turn(), 'finalized');
  assert.equal(w.stores.versions[0]?.status, 'DELETED');
});

const failedGate = {
  passed: false,
  results: [{ metric: 'accuracy', passed: false, message: 'accuracy 0.5 is below min 0.9' }],
};

test('what the gates of a version came to stands in its object', () => {
  const row = {
    ...pending({ namespace: 'team-a', model: 'iris', version: 1, uri: URI }),
    lineage: { gate: failedGate },
  };
  assert.deepEqual(modelVersionFor(row).spec.lineage, { gate: failedGate });
});

test('a version that a script registered is judged when its run ends: its object says so from then on', async () => {
  const w = registered();
  await w.settle();
  w.stores.versions[0] = { ...w.stored(), lineage: { trainingJob: 'iris', gate: failedGate } };
  await w.settle();
  assert.deepEqual(w.read().spec.lineage, { gate: failedGate });
  assert.equal(w.stored().stage, 'None');
});

test('a stage that was waiting for the proof comes from the row to the object, and nothing takes it back', async () => {
  const w = registered();
  await w.turn();
  w.client({ stage: 'Production', aliases: { set: ['champion'], delete: [] } });
  w.setJob(finished('Complete'));
  w.addPod(succeededPod);
  await w.settle();
  assert.deepEqual([w.read().spec.stage, w.read().spec.aliases], ['Production', ['champion']]);
  assert.deepEqual([w.stored().stage, w.said()], ['Production', 'True/Verified']);
  assert.ok(!w.stores.writes.some((write) => write.startsWith('edit')));
});
