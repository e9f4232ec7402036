import assert from 'node:assert/strict';
import { test } from 'node:test';
import { artifactDigest, derivedKey, MAX_TERMINATION_BYTES } from '@slipway/contract';
import { violations } from '../../../../test/chart/restricted.ts';
import { FakeKube } from '../../../../test/fake-kube.ts';
import { FakeStores, pending } from '../../../../test/fake-stores.ts';
import { Job } from '../../api/batch-job.ts';
import type { KubeObject } from '../../api/meta.ts';
import { processKey } from '../../runtime/process-key.ts';
import { WorkQueue } from '../../runtime/work-queue.ts';
import { modelVersionFor } from '../mirror.ts';
import type { Settings } from '../ports.ts';
import { ModelVersion } from './api.ts';
import { modelVersionController } from './index.ts';
import { CONVERTER_IMAGE_ANNOTATION, convertJobKey, MODEL_VERSION_LABEL } from './names.ts';

const key = { namespace: 'team-a', name: 'iris-v1' };
const START = Date.parse('2026-01-01T00:00:00Z');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const URI = 's3://slipway/team-a/1/abc/artifacts/model';
const converter = {
  image: 'slipway/converter:1',
  resources: { requests: { cpu: '100m', memory: '512Mi' }, limits: { memory: '2Gi' } },
  timeoutSeconds: 60,
  deadlineSeconds: 600,
  maxParallel: 4,
};

const files = ['conversion.json', 'examples.json', 'model.onnx', 'signature.json'].map((path, index) => ({
  path,
  sha256: String(index).repeat(64),
  size: 100,
}));
const DIGEST = artifactDigest(files);
const DERIVED = `s3://slipway/${derivedKey({ namespace: 'team-a', model: 'iris', version: 1, digest: DIGEST })}`;
const signature = { inputs: [{ name: 'x', type: 'float32' }], outputs: [{ name: 'label', type: 'int64' }] };
const deposit = {
  stage: 'deposit',
  reason: 'Deposited',
  message: 'stored',
  uri: DERIVED,
  digest: DIGEST,
  files,
  conversion: {
    flavor: 'sklearn',
    format: 'cloudpickle',
    estimator: 'LogisticRegression',
    libraries: { 'scikit-learn': '1.5.2', skl2onnx: '1.17.0' },
    opset: 17,
    parity: {
      rows: 1024,
      tolerance: 0.0001,
      worst: { output: 'probabilities', row: 3, expected: 0.1, got: 0.1, difference: 2.4e-7 },
      labelsEqual: true,
    },
    seconds: 3.5,
  },
};
const verified = { stage: 'verify', reason: 'Verified', message: 'loaded', digest: DIGEST, files, signature };
const fetched = { stage: 'fetch', reason: 'Fetched', message: '3 files', digest: 'f'.repeat(64) };

const ended = (name: string, message: unknown, exitCode = 0, more: object = {}) => ({
  name,
  state: {
    terminated: { exitCode, message: typeof message === 'string' ? message : JSON.stringify(message), ...more },
  },
});
const succeeded = (change: { deposit?: object; verified?: object } = {}) => ({
  phase: 'Succeeded',
  initContainerStatuses: [
    ended('fetch', fetched),
    ended('convert', { stage: 'convert', reason: 'Converted', message: 'done' }),
    ended('verify', { ...verified, ...change.verified }),
  ],
  containerStatuses: [ended('deposit', { ...deposit, ...change.deposit })],
});
const failing = (container: string, message: unknown, exitCode = 65, more: object = {}) => ({
  phase: 'Failed',
  ...(container === 'deposit'
    ? { containerStatuses: [ended(container, message, exitCode, more)] }
    : { initContainerStatuses: [ended(container, message, exitCode, more)] }),
});
const says = (reason: string, message = 'words of the converter') => ({ stage: 'convert', reason, message });

/** A cluster with one version that only Python can load; `turn` is one reconcile by a freshly started operator. */
function world({ allowed = true, settings = {} }: { allowed?: boolean; settings?: Partial<Settings> } = {}) {
  const stores = new FakeStores();
  stores.mayConvert = allowed;
  const row = {
    ...pending({ namespace: 'team-a', model: 'iris', version: 1, uri: URI }),
    format: 'mlflow',
    status: 'READY',
  };
  stores.versions.push(row as (typeof stores.versions)[number]);
  const projected = modelVersionFor(stores.versions[0] as (typeof stores.versions)[number]);
  const born = { uid: 'u1', creationTimestamp: '2026-01-01T00:00:00Z' };
  const kube = new FakeKube().put({ ...projected, metadata: { ...projected.metadata, ...born } } as KubeObject);
  const clock = { now: START };
  const chosen = { converter, ...settings };
  const turn = (now: Partial<Settings> = {}) => {
    const deps = { ...stores.deps, settings: { ...stores.deps.settings, ...chosen, ...now } };
    const ctx = { kube, log: silent, now: () => new Date(clock.now), signal: new AbortController().signal };
    const queue = new WorkQueue();
    return processKey(modelVersionController(deps), ctx, queue, key).finally(() => queue.close());
  };
  const read = () => kube.get(ModelVersion, key) as ModelVersion;
  const condition = (type = 'Ready') => read().status?.conditions?.find((one) => one.type === type);
  const said = (type = 'Ready') => `${condition(type)?.status}/${condition(type)?.reason}`;
  const message = () => condition()?.message ?? '';
  const job = () => kube.get(Job, convertJobKey({ metadata: key }));
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
  return { stores, kube, clock, turn, read, said, message, job, setJob, addPod };
}
const over = (type: 'Complete' | 'Failed', reason = 'BackoffLimitExceeded') => ({
  conditions: [{ type, status: 'True', reason, lastTransitionTime: '2026-01-01T00:00:10Z' }],
});

async function converted() {
  const w = world();
  await w.turn();
  w.setJob(over('Complete'));
  w.addPod(succeeded());
  await w.turn();
  return w;
}

test('a namespace without the label converts nothing, and is told exactly how to switch it on and what that means', async () => {
  const w = world({ allowed: false });
  await w.turn();
  assert.deepEqual([w.said(), w.said('Servable')], ['False/FormatNotServable', 'False/FormatNotServable']);
  assert.match(w.message(), /kubectl label namespace team-a slipway\.dev\/convert=enabled/);
  assert.match(w.message(), /unpickled.*runs whatever code/);
  assert.match(w.message(), /mlflow\.onnx\.log_model/);
  assert.equal(w.job(), undefined);
  assert.deepEqual(w.stores.writes, []);
});

test('where the chart switches it off no label helps', async () => {
  const w = world({ settings: { converter: undefined as never } });
  await w.turn();
  assert.equal(w.said(), 'False/FormatNotServable');
  assert.match(w.message(), /converter\.enabled of the chart is false/);
  assert.equal(w.job(), undefined);
});

test('the label is added later: the version is converted then', async () => {
  const w = world({ allowed: false });
  await w.turn();
  w.stores.mayConvert = true;
  await w.turn();
  assert.ok(w.job());
  assert.equal(w.said(), 'Unknown/Pending');
  assert.deepEqual(w.stores.policies, [['iris-v1']], 'the network is closed before there is a pod');
});

test('who holds what: the converter nothing, deposit no key of Postgres, nobody a token; every pod is restricted', async () => {
  const w = world();
  await w.turn();
  const raw = w.kube.objects.get('Job/team-a/iris-v1-convert') as unknown as {
    spec: { activeDeadlineSeconds: number; template: { spec: Record<string, never> } };
  };
  // biome-ignore lint/suspicious/noExplicitAny: a pod spec as it goes over the wire
  const pod = raw.spec.template.spec as any;
  assert.equal(raw.spec.activeDeadlineSeconds, 600);
  assert.equal(pod.automountServiceAccountToken, false);
  assert.deepEqual(violations(pod), []);
  const containers = [...pod.initContainers, ...pod.containers];
  assert.deepEqual(
    containers.map(({ name }: { name: string }) => name),
    ['fetch', 'convert', 'verify', 'deposit'],
  );
  const mounts = Object.fromEntries(
    containers.map(({ name, volumeMounts }) => [
      name,
      volumeMounts.map((m: { name: string; readOnly?: boolean }) => `${m.name}${m.readOnly ? ':ro' : ''}`).sort(),
    ]),
  );
  assert.deepEqual(mounts, {
    fetch: ['fetch-credentials:ro', 'model', 'tmp-fetch'],
    convert: ['derived', 'model:ro', 'tmp-convert'],
    verify: ['derived:ro', 'tmp-verify'],
    deposit: ['derived:ro', 'publish-credentials:ro', 'tmp-deposit'],
  });
  for (const volume of pod.volumes) assert.ok(volume.secret || volume.emptyDir.sizeLimit, JSON.stringify(volume));
  const publish = pod.volumes.find(({ name }: { name: string }) => name === 'publish-credentials');
  assert.deepEqual(publish.secret.items, [{ key: 'object-storage.json', path: 'object-storage.json' }]);
  const [, convert] = containers;
  assert.deepEqual(
    convert.env.map(({ name, value }: { name: string; value: string }) => `${name}=${value}`),
    ['MODEL_DIR=/model', 'OUTPUT_DIR=/derived', 'CONVERT_TIMEOUT_SECONDS=60', 'HOME=/tmp'],
  );
  assert.deepEqual(convert.resources, converter.resources);
});

test('what was converted is recorded beside the original, and is what is served', async () => {
  const w = await converted();
  const { status } = w.read();
  assert.deepEqual(
    [w.said(), w.said('Servable'), w.said('ArtifactVerified')],
    ['True/Converted', 'True/Converted', 'True/Verified'],
  );
  assert.deepEqual(status?.artifact, { uri: DERIVED, digest: DIGEST, files });
  assert.deepEqual(status?.signature, signature);
  assert.deepEqual(status?.conversion?.from, { uri: URI, digest: 'f'.repeat(64) });
  assert.deepEqual(status?.conversion?.parity, {
    ...{ rows: 1024, tolerance: '0.0001', worstDifference: '2.4e-7', worstOutput: 'probabilities', labelsEqual: true },
  });
  assert.match(
    w.message(),
    /sklearn \(cloudpickle\): LogisticRegression with scikit-learn 1\.5\.2, skl2onnx 1\.17\.0; 1024 rows .*2\.4e-7/,
  );
  const [row] = w.stores.versions;
  assert.deepEqual([row?.sourceUri, row?.artifact, row?.derived?.artifact.uri], [URI, undefined, DERIVED]);
  await w.turn();
  assert.equal(w.job(), undefined, 'the Job is no longer needed');
  assert.equal(w.read().spec.source.uri, URI);
});

test('nothing that is proven is converted again: another image, no label, no converter, a new object', async () => {
  const w = await converted();
  w.stores.mayConvert = false;
  await w.turn({ converter: { ...converter, image: 'slipway/converter:2' } });
  await w.turn({ converter: undefined as never });
  assert.equal(w.said(), 'True/Converted');
  const projected = modelVersionFor(w.stores.versions[0] as (typeof w.stores.versions)[number]);
  w.kube.drop(ModelVersion, key);
  w.kube.put({ ...projected, metadata: { ...projected.metadata, uid: 'u2', generation: 1 } } as KubeObject);
  await w.turn();
  assert.equal(w.said(), 'True/Converted');
  assert.equal(w.read().status?.artifact?.uri, DERIVED);
  assert.deepEqual(w.stores.writes.filter((write) => write === 'record conversion').length, 1);
  assert.equal(w.job(), undefined);
});

test('recorded but not reported, because the operator was killed between: the next turn reports it', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Complete'));
  w.addPod(succeeded());
  w.kube.onWrite = (call) => {
    if (call.startsWith('status')) throw new Error('killed');
  };
  await w.turn();
  assert.notEqual(w.said(), 'True/Converted');
  w.kube.onWrite = () => {};
  await w.turn();
  assert.equal(w.said(), 'True/Converted');
});

for (const [reason, message] of [
  ['FormatNotServable', 'step 2 of the pipeline is a TfidfVectorizer'],
  ['ParityFailed', 'row 17: expected 1, got 0'],
  ['InvalidModel', 'model.pkl cannot be unpickled'],
  ['ConversionTimeout', 'it was not ready after 60 s'],
] as const)
  test(`${reason} of the converter is said in its words and not tried again by the same image`, async () => {
    const w = world();
    await w.turn();
    w.setJob(over('Failed', 'PodFailurePolicy'));
    w.addPod(failing('convert', says(reason, message)));
    await w.turn();
    assert.deepEqual([w.said(), w.said('Servable')], [`False/${reason}`, `False/${reason}`]);
    assert.ok(w.message().includes(message));
    w.kube.drop(Job, convertJobKey({ metadata: key }));
    w.clock.now += 86_400_000;
    await w.turn();
    assert.equal(w.job(), undefined);
    await w.turn({ converter: { ...converter, image: 'slipway/converter:2' } });
    assert.ok(w.job(), 'a newer image may be able to');
  });

test('a Job that was begun by an earlier image speaks for that one: what it did is told of it, and the newer one tries', async () => {
  const newer = { converter: { ...converter, image: 'slipway/converter:2' } };
  const good = world();
  await good.turn();
  good.addPod(succeeded());
  await good.turn(newer);
  assert.equal(good.said(), 'True/Converted');
  assert.equal(good.read().status?.conversion?.image, 'slipway/converter:1');
  const bad = world();
  await bad.turn();
  bad.addPod(failing('convert', says('FormatNotServable')));
  await bad.turn(newer);
  assert.equal(bad.read().status?.conversion?.image, 'slipway/converter:1');
  await bad.turn(newer);
  assert.equal(bad.job()?.metadata.annotations?.[CONVERTER_IMAGE_ANNOTATION], 'slipway/converter:2');
});

test('a result that is not believed is tried again after ten minutes, though its Job has not yet been counted as over', async () => {
  const w = world();
  await w.turn();
  w.addPod(succeeded({ deposit: { uri: 's3://slipway/team-b/elsewhere' } }));
  await w.turn();
  assert.equal(w.said(), 'False/ConversionFailed');
  assert.ok(w.job(), 'it is not made again at once');
});

test('a pod whose last words were cut has not converted anything: that is said, and tried again in ten minutes', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Complete'));
  const pod = succeeded();
  w.addPod({ ...pod, containerStatuses: [ended('deposit', JSON.stringify(deposit).slice(0, 300))] });
  await w.turn();
  assert.equal(w.said(), 'False/ConversionFailed');
  assert.match(w.message(), /cannot be read.*every 10 minutes/);
  w.clock.now += 60_000;
  await w.turn();
  assert.ok(w.job());
});

test('memory: its Job is ended with attempts left, and the limit and its cure are said', async () => {
  const w = world();
  await w.turn();
  w.addPod(failing('convert', '', 137, { reason: 'OOMKilled' }));
  await w.turn();
  assert.equal(w.said(), 'False/OutOfMemory');
  assert.match(
    w.message(),
    /\(2Gi\): raise converter\.resources\.limits\.memory.*label slipway\.dev\/convert.*give it back/,
  );
  assert.equal(w.job(), undefined);
});

test('a pod that wrote too much was evicted: that is said, and is the end of it', async () => {
  const w = world();
  await w.turn();
  w.addPod({
    phase: 'Failed',
    reason: 'Evicted',
    message: 'Usage of EmptyDir volume "derived" exceeds the limit "3Gi". ',
  });
  await w.turn();
  assert.equal(w.said(), 'False/ConversionFailed');
  assert.match(w.message(), /wrote more than it may.*exceeds the limit/);
  assert.equal(w.job(), undefined);
});

test('a converter that dies, or says what is not its to say, is tried again every ten minutes', async () => {
  for (const last of ['Segmentation fault', says('PostgresUnavailable'), { ...verified }, says('InternalError')]) {
    const w = world();
    await w.turn();
    w.setJob(over('Failed'));
    w.addPod(failing('convert', last, 1));
    await w.turn();
    assert.equal(w.said(), 'False/ConversionFailed', JSON.stringify(last));
    assert.match(w.message(), /every 10 minutes/);
    const first = w.job();
    w.clock.now += 700_000;
    await w.turn();
    assert.equal(w.job(), undefined);
    await w.turn();
    assert.ok(w.job() && w.job()?.metadata.uid !== first?.metadata.uid);
    assert.equal(w.said(), 'False/ConversionFailed', 'what was said holds until another try has said otherwise');
  }
});

test('what does not hold in our own server is refused, whatever the converter says', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Failed', 'PodFailurePolicy'));
  w.addPod(failing('verify', { stage: 'verify', reason: 'ParityFailed', message: 'the worst is row 3' }));
  await w.turn();
  assert.equal(w.said(), 'False/ParityFailed');
  assert.match(w.message(), /the result does not hold: the worst is row 3/);
});

for (const [what, change] of [
  ['stored other bytes than were verified', { verified: { digest: 'e'.repeat(64) } }],
  ['stored them elsewhere', { deposit: { uri: 's3://slipway/team-b/derived/x' } }],
  ['lists files that are not its own', { deposit: { files: files.slice(1) } }],
] as const)
  test(`a deposit that ${what} is not believed`, async () => {
    const w = world();
    await w.turn();
    w.setJob(over('Complete'));
    w.addPod(succeeded(change));
    await w.turn();
    assert.equal(w.said(), 'False/ConversionFailed');
    assert.equal(w.stores.versions[0]?.derived, undefined);
  });

test('the store is away: it waits, says since when, and is no fault of the model', async () => {
  const w = world();
  await w.turn();
  w.stores.health = {
    ...w.stores.health,
    objectStorage: { up: false, since: '2026-01-01T00:00:00Z', reason: 'ObjectStorageUnavailable', message: 'refused' },
  };
  const running = { phase: 'Running', containerStatuses: [{ name: 'deposit', state: { running: {} } }] };
  w.addPod(running);
  await w.turn();
  assert.equal(w.said(), 'Unknown/ObjectStorageUnavailable');
  assert.ok(w.job());
});

test('stages are told as they go', async () => {
  const w = world();
  await w.turn();
  for (const [name, words] of [
    ['fetch', /fetched/],
    ['convert', /converted to ONNX/],
    ['verify', /loaded and tested/],
  ] as const) {
    w.addPod({ phase: 'Pending', initContainerStatuses: [{ name, state: { running: {} } }] });
    await w.turn();
    assert.equal(w.said(), 'Unknown/Converting');
    assert.match(w.message(), words);
  }
});

test('the label is taken away while it runs: the Job is deleted, and how to switch it on is said', async () => {
  const w = world();
  await w.turn();
  w.addPod({ phase: 'Running', initContainerStatuses: [{ name: 'convert', state: { running: {} } }] });
  await w.turn();
  w.stores.mayConvert = false;
  await w.turn();
  assert.equal(w.job(), undefined);
  assert.equal(w.said(), 'False/FormatNotServable');
});

test('a failure is forgotten when the label is taken away and given again', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Failed', 'PodFailurePolicy'));
  w.addPod(failing('convert', says('ConversionTimeout')));
  await w.turn();
  w.stores.mayConvert = false;
  await w.turn();
  assert.equal(w.read().status?.conversion, undefined);
  w.stores.mayConvert = true;
  await w.turn();
  assert.ok(w.job());
  assert.equal(w.said(), 'Unknown/Pending');
});

test('a version that is deleted in the registry while it is converted takes object and Job along; nothing is recorded', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Complete'));
  w.addPod(succeeded());
  const [row] = w.stores.versions;
  w.stores.versions[0] = { ...(row as NonNullable<typeof row>), status: 'DELETED' };
  await w.turn();
  assert.equal(w.kube.get(ModelVersion, key)?.metadata.name, undefined);
  assert.equal(w.stores.versions[0]?.derived, undefined);
});

test('Job and pods are gone before they were heard: it is made again', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Complete'));
  await w.turn();
  assert.ok(w.job(), 'the watch of the pods gets some time');
  w.clock.now += 60_000;
  await w.turn();
  assert.equal(w.job(), undefined);
  await w.turn();
  assert.ok(w.job());
});

test('a Job of another object of this name is waited for', async () => {
  const w = world();
  await w.turn();
  const before = w.job() as Job;
  const owner = {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'ModelVersion',
    name: key.name,
    uid: 'earlier',
    controller: true,
  };
  w.kube.put({ ...before, metadata: { ...before.metadata, ownerReferences: [owner] } } as KubeObject);
  await w.turn();
  assert.equal(w.said(), 'Unknown/Pending');
  assert.equal(w.job()?.metadata.ownerReferences?.[0]?.uid, 'earlier');
});

test('a Job that is stopped by its deadline is said to have been', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Failed', 'DeadlineExceeded'));
  await w.turn();
  assert.equal(w.said(), 'False/ConversionFailed');
  assert.match(w.message(), /within 600 s \(converter\.deadlineSeconds of the chart\)/);
});

test('no more go on at once than the chart allows; the next begins when one has ended', async () => {
  const w = world({ settings: { converter: { ...converter, maxParallel: 1 } } });
  const labels = { 'app.kubernetes.io/component': 'conversion', 'app.kubernetes.io/managed-by': 'slipway' };
  const other = { apiVersion: 'batch/v1', kind: 'Job', metadata: { namespace: 'team-b', name: 'x-convert', labels } };
  w.kube.put(other as KubeObject);
  assert.equal(await w.turn(), 'requeued');
  assert.equal(w.job(), undefined);
  assert.equal(w.said(), 'Unknown/Pending');
  assert.match(w.message(), /1 other conversions go on \(converter\.maxParallel/);
  w.kube.put({ ...other, status: over('Complete') } as KubeObject);
  await w.turn();
  assert.ok(w.job());
});

test('a message is cut before it breaks an object', async () => {
  const w = world();
  await w.turn();
  w.setJob(over('Failed', 'PodFailurePolicy'));
  w.addPod(failing('convert', says('InvalidModel', 'x'.repeat(MAX_TERMINATION_BYTES - 100))));
  await w.turn();
  assert.ok(w.message().length < 5000);
});
