import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT_TERMINAL, EXIT_UNAVAILABLE, renderTerminationMessage } from '@slipway/contract';
import { DatabaseUnavailableError } from '@slipway/database';
import { ObjectStoreError } from '@slipway/object-store';
import { FakeKube } from '../../../../test/fake-kube.ts';
import { Deployment } from '../../api/deployment.ts';
import { TerminalError } from '../../api/errors.ts';
import type { DependencyHealth } from '../../api/health.ts';
import { HorizontalPodAutoscaler } from '../../api/horizontal-pod-autoscaler.ts';
import type { KubeObject } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import { PodDisruptionBudget } from '../../api/pod-disruption-budget.ts';
import { Service } from '../../api/service.ts';
import { processKey } from '../../runtime/process-key.ts';
import { WorkQueue } from '../../runtime/work-queue.ts';
import { NO_LABELS, syncedText } from '../mirror.ts';
import { ModelVersion } from '../model-version/api.ts';
import type { ControllerDeps } from '../ports.ts';
import { InferenceService } from './api.ts';
import { inferenceServiceController } from './index.ts';

const key = { namespace: 'team-a', name: 'iris' };
const apiVersion = 'slipway.dev/v1alpha1';
const digestOf = (version: number) => String(version).repeat(64);
const files = [{ path: 'model.onnx', sha256: 'a'.repeat(64), size: 1 }];

const modelVersion = (version: number, labels: { stage?: string; aliases?: string[] } = {}): KubeObject =>
  ({
    apiVersion,
    kind: 'ModelVersion',
    metadata: { namespace: 'team-a', name: `iris-v${version}` },
    spec: { model: 'iris', version, source: { uri: `s3://b/team-a/${version}`, files }, format: 'onnx', ...labels },
    status: {
      version,
      artifact: { uri: `s3://b/team-a/${version}`, files, digest: digestOf(version) },
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Verified',
          message: 'ok',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  }) as KubeObject;

const deps = (more: Partial<ControllerDeps> = {}): ControllerDeps => ({
  runs: {} as never,
  versions: {} as never,
  uses: { hold: async (_, __, versions) => versions, release: async () => {}, services: async () => [] },
  requests: {} as never,
  dataSets: {} as never,
  counters: {} as never,
  tenants: { ensure: async () => {} },
  tokenKeys: { ensure: async () => {} },
  namespaces: { isBeingDeleted: async () => false },
  conversions: {} as never,
  health: () => ({ postgres: { up: true }, objectStorage: { up: true } }),
  settings: {
    trainerImage: 'trainer',
    servingImage: 'serving',
    imagePullPolicy: 'IfNotPresent',
    imagePullSecrets: [],
    operatorUrl: 'http://operator:8080',
    bucket: 'b',
  },
  ...more,
});
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A cluster with one InferenceService, whose Deployment is brought about by `kubelet`. */
function world(spec: object = {}, more: Partial<ControllerDeps> = {}) {
  const kube = new FakeKube();
  const queue = new WorkQueue();
  const definition = inferenceServiceController(deps(more));
  kube.put({ apiVersion, kind: 'InferenceService', metadata: key, spec: { model: 'iris', ...spec } } as KubeObject);
  // A clock that stands still would hide a verdict that is written again at every look.
  let seconds = 0;
  const turn = () => {
    seconds += 1;
    const now = () => new Date(Date.parse('2026-01-01T00:00:00Z') + seconds * 1000);
    return processKey(definition, { kube, log: silent, now, signal: AbortSignal.abort() }, queue, key);
  };
  /** Turns until one writes nothing. */
  const settle = async () => {
    for (let turns = 0; turns < 20; turns++) {
      const before = kube.calls.length;
      const outcome = await turn();
      if (kube.calls.length === before && outcome !== 'error') return queue.drop('team-a/iris');
    }
    assert.fail(`does not come to rest: ${kube.calls.join(', ')}`);
  };
  const patch = (change: object) => {
    const object = kube.objects.get('InferenceService/team-a/iris') as unknown as InferenceService;
    kube.put({ ...object, spec: { ...object.spec, ...change } } as InferenceService);
  };
  const object = () => kube.get(InferenceService, key) as InferenceService;
  const condition = (type: string) => {
    const { status, reason, message } = object().status?.conditions?.find((c) => c.type === type) ?? assert.fail(type);
    return { said: `${status}/${reason}`, message };
  };
  return { kube, queue, definition, turn, settle, patch, object, condition };
}

/** The events there were, in order. */
const told = ({ kube }: ReturnType<typeof world>): string[] =>
  kube.events.map(({ type, reason }) => `${type} ${reason}`);

type Health = 'ready' | 'broken' | 'dying';

/**
 * What Kubernetes makes of the Deployment: pods that are ready, or that fetched other bytes beside the old ones, or that
 * are ready again after they had died of a request.
 */
function kubelet(kube: FakeKube, healthOf: (version: string) => Health = () => 'ready'): void {
  const deployment = kube.get(Deployment, key);
  if (!deployment) {
    for (const { metadata } of kube.list(Pod)) kube.drop(Pod, metadata);
    return;
  }
  const { replicas, template } = deployment.spec;
  const version = template.metadata.labels['slipway.dev/version'] as string;
  const health = healthOf(version);
  const isReady = health !== 'broken';
  for (const { metadata } of kube.list(Pod)) {
    const isOld = metadata.labels?.['slipway.dev/version'] !== version;
    if (isReady || !isOld) kube.drop(Pod, metadata);
  }
  const message = renderTerminationMessage({ stage: 'fetch', reason: 'DigestMismatch', message: 'other bytes' });
  const terminated = { exitCode: EXIT_TERMINAL, reason: 'Error', message, finishedAt: '2026-01-01T00:00:01Z' };
  const finishedAt = kube.get(InferenceService, key)?.status?.history?.[0]?.time;
  const lastState = health === 'dying' && {
    terminated: { exitCode: 137, reason: 'OOMKilled', startedAt: '2026-01-01T00:00:00Z', finishedAt },
  };
  const again = lastState && { containerStatuses: [{ name: 'server', started: true, restartCount: 1, lastState }] };
  for (let index = 0; index < replicas; index++) {
    kube.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'team-a', name: `iris-${version}-${index}`, ...template.metadata },
      status: isReady
        ? { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:01Z' }], ...again }
        : { initContainerStatuses: [{ name: 'fetch', state: { terminated } }] },
    } as unknown as KubeObject);
  }
  const counted = isReady ? replicas : 0;
  kube.put({
    ...(kube.objects.get('Deployment/team-a/iris') as KubeObject),
    status: {
      observedGeneration: 1,
      replicas: isReady ? replicas : replicas + 1,
      updatedReplicas: replicas,
      readyReplicas: counted,
      availableReplicas: counted,
    },
  } as KubeObject);
}

/** Operator and cluster take turns until neither has anything to do. */
async function converge({ kube, settle }: ReturnType<typeof world>, healthOf?: (version: string) => Health) {
  for (let round = 0; round < 8; round++) {
    await settle();
    kubelet(kube, healthOf);
  }
  await settle();
}

test('a model that is not there yet: the condition says what to do, and no pod is made', async () => {
  const here = world();
  await here.settle();
  assert.equal(here.condition('Ready').said, 'False/ModelNotFound');
  assert.match(here.condition('Ready').message, /TrainingJob/);
  assert.equal(here.condition('Available').said, 'False/ModelNotFound');
  assert.equal(here.kube.get(Deployment, key), undefined);
});

test('a version is brought in: Deployment, Service and budget are made, and Ready names the URL once it answers', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await here.settle();
  assert.equal(here.condition('Ready').said, 'False/RollingOut');
  assert.equal(here.condition('Available').said, 'False/RollingOut');
  assert.equal(here.object().status?.rollout?.version, 1);
  for (const kind of [Deployment, Service, PodDisruptionBudget]) assert.ok(here.kube.get<KubeObject>(kind, key));
  kubelet(here.kube);
  await here.settle();
  assert.equal(here.condition('Ready').said, 'True/Serving');
  assert.match(
    here.condition('Ready').message,
    /version 1 of model iris answers on 1 replica at http:\/\/iris\.team-a\.svc/,
  );
  assert.equal(here.condition('Available').said, 'True/Serving');
  assert.equal(here.condition('Progressing').said, 'False/RolloutComplete');
  const { version, digest, url, rollout, readyReplicas, selector, history } = here.object().status ?? {};
  assert.deepEqual(
    { version, digest, url, rollout, readyReplicas, selector },
    {
      version: 1,
      digest: digestOf(1),
      url: 'http://iris.team-a.svc',
      rollout: undefined,
      readyReplicas: 1,
      selector: 'slipway.dev/inference-service=iris',
    },
  );
  assert.deepEqual(
    history?.map((entry) => entry.version),
    [1],
  );
});

test('a steady state writes nothing', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await converge(here);
  const before = here.kube.calls.length;
  await here.turn();
  await here.turn();
  assert.deepEqual(here.kube.calls.slice(before), []);
});

test('looking twice before anything has happened writes no more than looking once', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await here.turn();
  const before = here.kube.calls.length;
  await here.turn();
  assert.deepEqual(here.kube.calls.slice(before), []);
});

test('a switch: the previous version is remembered and the history grows', async () => {
  const here = world({ version: '1' });
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  here.patch({ version: 2 });
  await here.settle();
  assert.equal(here.condition('Available').message, 'version 1 answers on 1 replica');
  assert.match(here.condition('Ready').message, /version 2 .* 0 of 1 replica; version 1 goes on answering/);
  kubelet(here.kube);
  await here.settle();
  assert.equal(here.condition('Ready').said, 'True/Serving');
  assert.equal(here.object().status?.previousVersion, 1);
  assert.deepEqual(
    here.object().status?.history?.map(({ version }) => version),
    [2, 1],
  );
});

const brokenTwo = (version: string): Health => (version === '2' ? 'broken' : 'ready');

test('a version that cannot start is rejected, the template goes back byte for byte, and nobody tries again', async () => {
  const here = world({ version: 1 });
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  const before = here.kube.get(Deployment, key)?.spec;
  here.patch({ version: 2 });
  await converge(here, brokenTwo);
  assert.deepEqual(here.kube.get(Deployment, key)?.spec, before);
  assert.equal(here.condition('Ready').said, 'False/VersionRejected');
  assert.match(
    here.condition('Ready').message,
    /version 2 was rejected: DigestMismatch: other bytes .*slipway\.dev\/retry=2.*; version 1 goes on answering/,
  );
  assert.equal(here.condition('Available').said, 'True/Serving');
  assert.deepEqual(
    here.object().status?.rejected?.map(({ version, reason }) => ({ version, reason })),
    [{ version: 2, reason: 'DigestMismatch' }],
  );
  const applied = here.kube.calls.filter((call) => call === 'apply Deployment iris').length;
  here.patch({ replicas: 3 });
  await converge(here, brokenTwo);
  assert.equal(here.object().status?.version, 1);
  assert.equal(here.kube.calls.filter((call) => call === 'apply Deployment iris').length, applied + 1);

  here.patch({ version: 'latest' });
  await converge(here, brokenTwo);
  assert.equal(here.condition('Ready').said, 'True/Serving');
  assert.match(here.condition('Ready').message, /version 2 is passed over: rejected, DigestMismatch/);
});

const autoscaling = { minReplicas: 1, maxReplicas: 4 };
const autoscaler = (target: object, metadata: object = {}): KubeObject =>
  ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { namespace: 'team-a', name: 'by-hand', ...metadata },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', ...target } },
  }) as KubeObject;
const replicasOf = ({ kube }: ReturnType<typeof world>) => kube.get(Deployment, key)?.spec.replicas;

test('spec.autoscaling makes an autoscaler on the service itself; taking it out removes it and keeps the number', async () => {
  const here = world({ version: 1, autoscaling });
  here.kube.put(modelVersion(1));
  await converge(here);
  const { spec } = here.kube.objects.get('HorizontalPodAutoscaler/team-a/iris') as unknown as { spec: object };
  assert.deepEqual(spec, {
    scaleTargetRef: { apiVersion, kind: 'InferenceService', name: 'iris' },
    minReplicas: 1,
    maxReplicas: 4,
    metrics: [
      {
        type: 'ContainerResource',
        containerResource: {
          name: 'cpu',
          container: 'server',
          target: { type: 'Utilization', averageUtilization: 80 },
        },
      },
    ],
  });
  here.patch({ replicas: 3 });
  await converge(here);
  assert.equal(replicasOf(here), 3);
  assert.equal(here.condition('Ready').said, 'True/Serving');
  const { autoscaling: _gone, ...rest } = here.object().spec;
  here.kube.put({ ...here.object(), spec: rest } as KubeObject);
  await converge(here);
  assert.equal(here.kube.get(HorizontalPodAutoscaler, key), undefined);
  assert.equal(replicasOf(here), 3);
});

test('what the autoscaler cannot do is said on the service, with the cure, and goes with it', async () => {
  const here = world({ version: 1, autoscaling });
  here.kube.put(modelVersion(1));
  await converge(here);
  const says = async (status: string, reason: string, message: string) => {
    const made = here.kube.objects.get('HorizontalPodAutoscaler/team-a/iris') as unknown as KubeObject;
    const conditions = [{ type: 'ScalingActive', status, reason, message }];
    here.kube.put({ ...made, status: { conditions } } as KubeObject);
    await here.settle();
    return here.condition('Autoscaled');
  };
  const no = await says('False', 'FailedGetContainerResourceMetric', 'no metrics returned');
  assert.equal(no.said, 'False/MetricsUnavailable');
  assert.match(no.message, /number stays: no metrics returned .*metrics-server.*kubectl describe hpa iris -n team-a/);
  const yes = await says('True', 'ValidMetricFound', 'computed');
  assert.deepEqual(yes, {
    said: 'True/Autoscaling',
    message: 'between 1 and 4 replicas, for 80 % of the CPU request',
  });
  assert.equal(here.condition('Ready').said, 'True/Serving');
  const { autoscaling: _gone, ...rest } = here.object().spec;
  here.kube.put({ ...here.object(), spec: rest } as KubeObject);
  await here.settle();
  assert.ok(!here.object().status?.conditions?.some(({ type }) => type === 'Autoscaled'));
});

test('an autoscaler that somebody put on the Deployment is not fought; without it spec.replicas counts again', async () => {
  const here = world({ version: 1 });
  here.kube.put(modelVersion(1)).put(autoscaler({ name: 'iris' }));
  await converge(here);
  const deployment = here.kube.objects.get('Deployment/team-a/iris') as unknown as KubeObject & { spec: object };
  here.kube.put({ ...deployment, spec: { ...deployment.spec, replicas: 3 } } as KubeObject);
  const applied = () => here.kube.calls.filter((call) => call === 'apply Deployment iris').length;
  const before = applied();
  await converge(here);
  assert.equal(replicasOf(here), 3);
  assert.equal(applied(), before);
  assert.equal(here.condition('Ready').said, 'True/Serving');
  here.patch({ replicas: 0 });
  await converge(here);
  assert.equal(replicasOf(here), 0);
  here.patch({ replicas: 1 });
  here.kube.drop(HorizontalPodAutoscaler, { namespace: 'team-a', name: 'by-hand' });
  await converge(here);
  assert.equal(replicasOf(here), 1);
});

test('an autoscaler of that name that somebody else made is left alone, and the service answers', async () => {
  const here = world({ version: 1, autoscaling });
  here.kube.put(modelVersion(1)).put(autoscaler({ name: 'other' }, { name: 'iris' }));
  here.kube.onWrite = (call) => {
    // The fake cluster takes every apply; the real one refuses what is not ours.
    if (call === 'apply HorizontalPodAutoscaler iris') throw new TerminalError('NameTaken', 'it exists already');
  };
  for (let round = 0; round < 4; round++) {
    await here.turn();
    kubelet(here.kube);
  }
  assert.equal(here.condition('Ready').said, 'False/NameTaken');
  assert.equal(replicasOf(here), 1);
  here.queue.close();
});

const dyingTwo = (version: string): Health => (version === '2' ? 'dying' : 'ready');

test('a version that crashes once it answers is turned down, and the one before comes back, once', async () => {
  const here = world({ version: 1 });
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  const before = here.kube.get(Deployment, key)?.spec;
  here.patch({ version: 2 });
  await here.settle();
  kubelet(here.kube, dyingTwo);
  await here.settle();
  assert.equal(here.condition('Ready').said, 'True/Serving');
  kubelet(here.kube, dyingTwo);
  await here.settle();
  assert.equal(here.condition('Ready').said, 'False/VersionRejected');
  assert.match(here.condition('Ready').message, /version 2 was rejected: OutOfMemory: .*; version 1 is brought back$/);
  assert.equal(here.condition('Available').message, 'version 2 answers on 1 replica');
  await converge(here, dyingTwo);
  assert.deepEqual(here.kube.get(Deployment, key)?.spec, before);
  assert.equal(here.condition('Available').message, 'version 1 answers on 1 replica');
  const { version, previousVersion, rejected } = here.object().status ?? {};
  assert.deepEqual({ version, previousVersion }, { version: 1, previousVersion: 2 });
  assert.deepEqual(
    rejected?.map((one) => `${one.version} ${one.reason}`),
    ['2 OutOfMemory'],
  );
  const applied = here.kube.calls.length;
  await converge(here, dyingTwo);
  assert.equal(here.kube.calls.length, applied);
});

test('with spec.api.trainingJob the status says where to ask for training', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await converge(here);
  const protocols = () => here.object().status?.endpoints?.map(({ protocol }) => protocol);
  assert.deepEqual(protocols(), ['predict', 'open-inference-v2']);
  here.patch({ api: { trainingJob: 'iris' } });
  await converge(here);
  assert.deepEqual(protocols(), ['predict', 'open-inference-v2', 'train']);
  assert.equal(here.object().status?.endpoints?.at(-1)?.url, 'http://iris.team-a.svc/train');
});

test('latest serves an older version when the newer one failed its gates, and says what it did not meet', async () => {
  const here = world();
  const gate = {
    passed: false,
    results: [
      { metric: 'accuracy', passed: true, message: 'accuracy 0.9 is at least 0.8' },
      { metric: 'log_loss', passed: false, message: 'log_loss 1.2 is above 0.5' },
    ],
  };
  const failed = modelVersion(2) as ModelVersion;
  here.kube.put(modelVersion(1)).put({ ...failed, spec: { ...failed.spec, lineage: { gate } } } as KubeObject);
  await converge(here);
  assert.equal(here.object().status?.version, 1);
  assert.equal(here.condition('Ready').said, 'True/Serving');
  assert.match(
    here.condition('Ready').message,
    /version 2 is passed over: its gates failed \(log_loss 1\.2 is above 0\.5\)/,
  );
});

test('the first version is rejected and there is no other: its Deployment goes', async () => {
  const here = world();
  here.kube.put(modelVersion(2));
  await converge(here, brokenTwo);
  assert.equal(here.kube.get(Deployment, key), undefined);
  assert.equal(here.condition('Ready').said, 'False/VersionRejected');
  assert.equal(here.condition('Available').said, 'False/VersionRejected');
});

test('no replicas are wanted: it says so and how to change that', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await converge(here);
  here.patch({ replicas: 0 });
  await converge(here);
  assert.equal(here.condition('Ready').said, 'False/Stopped');
  assert.match(here.condition('Ready').message, /kubectl scale infsvc iris -n team-a --replicas=1/);
  assert.equal(here.condition('Available').said, 'False/Stopped');
  assert.equal(here.object().status?.version, 1);
});

test('fewer replicas are wanted: it says how many will go, not that more are ready than there are', async () => {
  const here = world({ replicas: 3 });
  here.kube.put(modelVersion(1));
  await converge(here);
  here.patch({ replicas: 1 });
  await here.settle();
  assert.equal(here.condition('Ready').message, 'version 1 of model iris is ready on 3 replicas, of which 2 will go');
});

test('a Secret that is not as it should be: it says which ones to look at', async () => {
  const here = world({ tls: { secretName: 'shop-tls' }, auth: { apiKeys: { secretName: 'shop-keys' } } });
  here.kube.put(modelVersion(1));
  await here.settle();
  kubelet(here.kube, () => 'broken');
  const message = renderTerminationMessage({ stage: 'serve', reason: 'InvalidConfiguration', message: 'no tls.crt' });
  const terminated = { exitCode: EXIT_TERMINAL, reason: 'Error', message, finishedAt: '2026-01-01T00:00:01Z' };
  for (const pod of here.kube.list(Pod)) {
    const server = { name: 'server', restartCount: 1, state: { waiting: {} }, lastState: { terminated } };
    here.kube.put({ ...pod, status: { containerStatuses: [server] } } as unknown as KubeObject);
  }
  await here.settle();
  const { said, message: told } = here.condition('Ready');
  assert.equal(said, 'False/ConfigurationError');
  assert.match(told, /no tls\.crt \(kubectl get secrets -n team-a shop-tls shop-keys\)/);
});

for (const kind of [Deployment, Service, PodDisruptionBudget]) {
  test(`a deleted ${kind.kind} is made again`, async () => {
    const here = world();
    here.kube.put(modelVersion(1));
    await converge(here);
    here.kube.drop(kind, key);
    await here.turn();
    assert.ok(here.kube.get<KubeObject>(kind, key));
  });
}

test('an edited Service is put back', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await converge(here);
  const service = here.kube.objects.get('Service/team-a/iris') as unknown as KubeObject & { spec: object };
  here.kube.put({ ...service, spec: { ...service.spec, selector: { app: 'elsewhere' } } } as KubeObject);
  await here.turn();
  assert.deepEqual(here.kube.objects.get('Service/team-a/iris')?.['spec'], service.spec);
});

test('a verdict is written down before it is acted upon: an operator killed in between does not try the version again', async () => {
  const here = world({ version: 1 });
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  here.patch({ version: 2 });
  await here.settle();
  kubelet(here.kube, brokenTwo);
  const before = here.kube.calls.length;
  await here.settle();
  const [first, second] = here.kube.calls.slice(before);
  assert.deepEqual([first, second], ['status InferenceService iris', 'apply Deployment iris']);
});

/** A kill costs a turn, so times differ; nothing else may. */
const timeless = (status: InferenceService['status']): NonNullable<InferenceService['status']> =>
  JSON.parse(JSON.stringify(status ?? {}, (name, value) => (/[tT]ime$/.test(name) ? undefined : value)));

const brokenTwoDyingThree = (version: string): Health => (version === '3' ? 'dying' : brokenTwo(version));

/** The whole story: first version, a switch to a broken one, to one that dies once it answers, to a good one. */
async function story(interrupt: (write: number) => 'before' | undefined) {
  const here = world({ version: 1 });
  let writes = 0;
  here.kube.onWrite = () => {
    if (interrupt(++writes)) throw new Error('killed');
  };
  for (const version of [1, 2, 3, 4]) here.kube.put(modelVersion(version));
  for (const version of [1, 2, 3, 4]) {
    here.patch({ version });
    await converge(here, brokenTwoDyingThree);
  }
  here.queue.close();
  const { status } = here.object();
  return { writes, status: timeless(status), deployment: here.kube.get(Deployment, key)?.spec };
}

test('killed before any write, the operator ends where it would have ended anyway', async () => {
  const reference = await story(() => undefined);
  assert.ok(reference.writes > 10, `${reference.writes} writes`);
  assert.equal(reference.status?.version, 4);
  assert.deepEqual(
    reference.status?.rejected?.map(({ version }) => version),
    [3, 2],
  );
  for (let killedAt = 1; killedAt <= reference.writes; killedAt++) {
    const { status, deployment } = await story((write) => (write === killedAt ? 'before' : undefined));
    assert.deepEqual(
      { status, deployment },
      { status: reference.status, deployment: reference.deployment },
      `write ${killedAt}`,
    );
  }
});

test('a status that was lost comes back from what runs', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await converge(here);
  const { status: _lost, ...rest } = here.object();
  here.kube.drop(InferenceService, key);
  here.kube.put(rest as InferenceService);
  const before = here.kube.calls.length;
  await here.settle();
  assert.equal(here.object().status?.version, 1);
  assert.equal(here.condition('Ready').said, 'True/Serving');
  assert.deepEqual([...new Set(here.kube.calls.slice(before))], ['status InferenceService iris']);
});

const away: readonly [reason: string, store: string, error: Error][] = [
  ['PostgresUnavailable', 'Postgres', new DatabaseUnavailableError('connection refused')],
  ['ObjectStorageUnavailable', 'the object storage', new ObjectStoreError('Unavailable', 'no usable answer')],
  ['ObjectStorageDenied', 'the object storage', new ObjectStoreError('Denied', 'it was refused')],
  ['BucketMissing', 'the object storage', new ObjectStoreError('BucketMissing', 'the bucket does not exist')],
];
for (const [reason, store, error] of away) {
  test(`${reason} before anything runs: it says which store and since when, and goes on by itself`, async () => {
    let isAway = true;
    const ensure = async () => {
      if (isAway) throw error;
    };
    const here = world({}, { tenants: { ensure } });
    here.kube.put(modelVersion(1));
    assert.equal(await here.turn(), 'requeued');
    for (const type of ['Ready', 'Available', 'Progressing'])
      assert.equal(here.condition(type).said, `False/${reason}`);
    const since = `${store} is away since 2026-01-01T00:00:01.000Z (${error.message}); it goes on by itself when it is back`;
    assert.equal(here.condition('Ready').message, since);
    assert.equal(here.kube.get(Deployment, key), undefined);
    assert.deepEqual(told(here), [`Warning ${reason}`]);

    const before = here.kube.calls.length;
    await here.turn();
    assert.deepEqual(here.kube.calls.slice(before), [], 'what was said keeps its time');
    isAway = false;
    await converge(here);
    assert.equal(here.condition('Ready').said, 'True/Serving');
    here.queue.close();
  });
}

test('what runs is looked after while a store is away', async () => {
  let isAway = false;
  const ensure = async () => {
    if (isAway) throw new DatabaseUnavailableError('connection refused');
  };
  const here = world({}, { tenants: { ensure } });
  here.kube.put(modelVersion(1));
  await converge(here);
  isAway = true;
  here.kube.drop(Service, key);
  assert.equal(await here.turn(), 'requeued');
  assert.ok(here.kube.get(Service, key));
  assert.equal(here.condition('Ready').said, 'True/Serving');
  here.queue.close();
});

test('an error that tells of no store is an error, not an outage', async () => {
  const ensure = async () => {
    throw new Error('unforeseen');
  };
  const here = world({}, { tenants: { ensure } });
  assert.equal(await here.turn(), 'error');
  assert.equal(here.object().status, undefined);
  here.queue.close();
});

/** Version 2 is wanted beside version 1, which answers; the pod of version 2 is at `fetch`, which is as `state` says. */
async function fetchingTwo(here: ReturnType<typeof world>, state: object) {
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  here.patch({ version: 2 });
  await here.settle();
  const { metadata } = here.kube.get(Deployment, key)?.spec.template ?? assert.fail('no Deployment');
  here.kube.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'team-a', name: 'iris-2-0', ...metadata },
    status: { initContainerStatuses: [{ name: 'fetch', state }] },
  } as unknown as KubeObject);
}

for (const reason of ['ObjectStorageUnavailable', 'ObjectStorageDenied', 'BucketMissing']) {
  test(`${reason} during a switch: Ready says so and since when, and what answers goes on`, async () => {
    const down = { up: false, since: '2026-01-01T00:00:00.000Z', reason, message: 'no answer' } as const;
    let objectStorage: DependencyHealth['objectStorage'] = { up: true };
    const here = world({ version: 1 }, { health: () => ({ postgres: { up: true }, objectStorage }) });
    await fetchingTwo(here, { running: { startedAt: '2026-01-01T00:00:01Z' } });
    await here.settle();
    assert.equal(here.condition('Ready').said, 'False/RollingOut');

    objectStorage = down;
    assert.equal(await here.turn(), 'requeued');
    assert.equal(here.condition('Ready').said, `False/${reason}`);
    assert.match(
      here.condition('Ready').message,
      /version 2 .* 0 of 1 replica: the object storage is away since 2026-01-01T00:00:00\.000Z \(no answer\); .*; version 1 goes on answering$/,
    );
    assert.equal(here.condition('Available').said, 'True/Serving');
    assert.equal(told(here).at(-1), `Warning ${reason}`);
    assert.equal(here.object().status?.rejected, undefined);

    objectStorage = { up: true };
    await here.turn();
    assert.equal(here.condition('Ready').said, 'False/RollingOut');
    here.queue.close();
  });
}

test('a store that turns only this pod away, unseen by the monitor, is named by what the pod says', async () => {
  const here = world({ version: 1 });
  const message = renderTerminationMessage({
    stage: 'fetch',
    reason: 'ObjectStorageDenied',
    message: 'it was refused',
  });
  await fetchingTwo(here, { terminated: { exitCode: EXIT_UNAVAILABLE, reason: 'Error', message } });
  await here.turn();
  assert.equal(here.condition('Ready').said, 'False/ObjectStorageDenied');
  assert.match(here.condition('Ready').message, /the model cannot be fetched: it was refused; version 1 goes on/);
  here.queue.close();
});

test('a service that comes up as it should warns of nothing, the first time and after a stop', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await converge(here);
  here.patch({ replicas: 0 });
  await converge(here);
  here.patch({ replicas: 1 });
  await here.settle();
  assert.equal(here.condition('Available').said, 'False/RollingOut');
  await converge(here);
  assert.equal(here.condition('Available').said, 'True/Serving');
  assert.deepEqual(
    told(here).filter((line) => line.startsWith('Warning')),
    [],
  );
});

test('a service that answered and does not any more warns of it', async () => {
  const here = world();
  here.kube.put(modelVersion(1));
  await converge(here);
  const [pod] = here.kube.list(Pod);
  here.kube.put({ ...pod, status: { conditions: [{ type: 'Ready', status: 'False' }] } } as unknown as KubeObject);
  await here.settle();
  assert.equal(here.condition('Available').said, 'False/NoReplicaAnswers');
  assert.equal(here.condition('Ready').said, 'False/NoReplicaAnswers');
  assert.ok(told(here).includes('Warning NoReplicaAnswers'));
});

test('a namespace that stands for the data of another one stops at that, with the reason', async () => {
  const ensure = async () => {
    throw new TerminalError('NamespaceDataConflict', 'the data belongs to an earlier namespace');
  };
  const here = world({}, { tenants: { ensure } });
  assert.equal(await here.turn(), 'stalled');
  assert.equal(here.condition('Ready').said, 'False/NamespaceDataConflict');
});

test('a version concerns the services of its model, a pod the service it was made for', () => {
  const { definition, kube } = world();
  const keysOf = (kind: string, changed: KubeObject) =>
    definition.watches
      ?.find((watch) => watch.kind.kind === kind)
      ?.keys(changed, kube)
      .map(({ name }) => name);
  assert.deepEqual(keysOf('ModelVersion', modelVersion(1)), ['iris']);
  const other = ModelVersion.parse({
    ...modelVersion(1),
    spec: { ...(modelVersion(1) as ModelVersion).spec, model: 'wine' },
  });
  assert.deepEqual(keysOf('ModelVersion', other), []);
  const metadata = { namespace: 'team-a', name: 'p', labels: { 'slipway.dev/inference-service': 'wine' } };
  assert.deepEqual(keysOf('Pod', { apiVersion: 'v1', kind: 'Pod', metadata }), ['wine']);
});

test('a service follows its stage: when another version is moved there, it switches', async () => {
  const here = world({ version: 'Production' });
  here.kube.put(modelVersion(1, { stage: 'Production' })).put(modelVersion(2));
  await converge(here);
  assert.equal(here.object().status?.version, 1);
  here.kube.put(modelVersion(2, { stage: 'Production' }));
  await converge(here);
  assert.equal(here.object().status?.version, 2);
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  assert.equal(here.condition('Ready').said, 'False/VersionNotFound');
  assert.match(here.condition('Ready').message, /stage Production .*kubectl patch mv .*; version 2 goes on answering/);
  assert.equal(here.condition('Available').said, 'True/Serving');
});

test('a service follows its alias back and forth', async () => {
  const here = world({ version: '@champion' });
  here.kube.put(modelVersion(1)).put(modelVersion(2, { aliases: ['champion'] }));
  await converge(here);
  assert.equal(here.object().status?.version, 2);
  here.kube.put(modelVersion(1, { aliases: ['champion'] })).put(modelVersion(2));
  await converge(here);
  assert.equal(here.object().status?.version, 1);
});

test('an edit the registry has not agreed to yet moves nothing', async () => {
  const here = world({ version: 'Production' });
  const edited = modelVersion(2, { stage: 'Production' });
  const annotations = { 'slipway.dev/synced': syncedText(NO_LABELS) };
  here.kube.put(modelVersion(1, { stage: 'Production' }));
  here.kube.put({ ...edited, metadata: { ...edited.metadata, annotations } });
  await converge(here);
  assert.equal(here.object().status?.version, 1);
});

/** Uses as Postgres keeps them, with a version that was deleted first. */
function useBook(deleted: readonly number[] = []) {
  const held: string[] = [];
  const book = {
    away: false,
    held,
    uses: {
      hold: async (_: unknown, __: string, versions: readonly number[]) => {
        if (book.away) throw new DatabaseUnavailableError('Postgres is unavailable: ECONNREFUSED');
        held.push(versions.join('+'));
        return versions.filter((version) => !deleted.includes(version));
      },
      release: async () => {},
      services: async () => [],
    },
  };
  return book;
}

test('what is used is written down before the Deployment is touched, and let go when the rollout is over', async () => {
  const book = useBook();
  let wanted = '1';
  const here = world({ version: 1 }, { uses: book.uses });
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  here.kube.onWrite = (call) => {
    if (call === 'apply Deployment iris') assert.equal(book.held.at(-1)?.split('+').at(-1), wanted);
  };
  await converge(here);
  wanted = '2';
  here.patch({ version: 2 });
  await here.settle();
  assert.equal(book.held.at(-1), '1+2');
  await converge(here);
  assert.equal(book.held.at(-1), '2');
});

test('a version that was deleted first is not rolled out, and what answers goes on', async () => {
  const book = useBook([2]);
  const here = world({ version: 1 }, { uses: book.uses });
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  here.patch({ version: 2 });
  await converge(here);
  assert.equal(here.condition('Ready').said, 'False/VersionNotFound');
  assert.equal(here.condition('Available').said, 'True/Serving');
  assert.equal(here.object().status?.version, 1);
});

test('while Postgres is away nothing new is begun, what answers is looked after, and it goes on by itself', async () => {
  const book = useBook();
  const here = world({ version: 1 }, { uses: book.uses });
  here.kube.put(modelVersion(1)).put(modelVersion(2));
  await converge(here);
  book.away = true;
  await here.turn();
  assert.equal(here.condition('Ready').said, 'True/Serving');
  here.kube.drop(Service, key);
  await here.turn();
  assert.ok(here.kube.get<KubeObject>(Service, key));
  here.patch({ version: 2 });
  assert.equal(await here.turn(), 'requeued');
  assert.equal(here.condition('Ready').said, 'False/PostgresUnavailable');
  assert.equal(here.condition('Available').said, 'True/Serving');
  assert.equal(here.object().status?.version, 1);
  book.away = false;
  await converge(here);
  assert.equal(here.object().status?.version, 2);
});

test('a lost right to the keys of the cluster is said, and a switch goes on all the same', async () => {
  let isAllowed = true;
  const ensure = async () => {
    if (!isAllowed) throw new TerminalError('TokenKeysUnavailable', 'let the operator read /openid/v1/jwks');
  };
  const auth = { tokens: { audience: 'slipway-predict', serviceAccounts: ['web/shop'] } };
  const here = world({ auth, version: 1 }, { tokenKeys: { ensure } });
  here.kube.put(modelVersion(1));
  here.kube.put(modelVersion(2));
  await converge(here);
  const keysCondition = () => here.object().status?.conditions?.find(({ type }) => type === 'TokenKeysRenewed');
  assert.equal(keysCondition(), undefined);
  isAllowed = false;
  here.patch({ version: 2 });
  await converge(here);
  assert.equal(here.condition('Ready').said, 'True/Serving');
  assert.equal(here.object().status?.version, 2);
  assert.equal(here.condition('TokenKeysRenewed').said, 'False/TokenKeysUnavailable');
  assert.match(here.condition('TokenKeysRenewed').message, /let the operator read .* The pods go on with the keys/);
  isAllowed = true;
  await converge(here);
  assert.equal(keysCondition(), undefined);
});
