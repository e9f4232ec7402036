/** The Jobs we make against the real API server: nothing in them is unknown to it, and their pods pass `restricted`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { FakeStores } from '../../../test/fake-stores.ts';
import type { Job } from '../api/batch-job.ts';
import { convertPolicy } from '../kube/convert-policy.ts';
import { loadKubeConfig } from '../kube/kubeconfig.ts';
import { openTransport, type Transport } from '../kube/transport.ts';
import { ModelVersion } from './model-version/api.ts';
import { convertJobFor } from './model-version/convert-job.ts';
import { verifyJobFor } from './model-version/job.ts';
import type { Settings } from './ports.ts';
import { TrainingJob } from './training-job/api.ts';
import { jobFor } from './training-job/job.ts';
import type { Resolved } from './training-job/resolved.ts';

const namespace = `jobs-${randomBytes(4).toString('hex')}`;
const { deps, runStore, versionStore } = new FakeStores();
const settings = { ...deps.settings, imagePullSecrets: ['pull'] };
let transport: Transport;

before(async () => {
  transport = openTransport(loadKubeConfig(), { userAgent: 'slipway-test' });
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } };
  await transport.json({ method: 'POST', path: '/api/v1/namespaces', body });
});
after(async () => {
  await transport.json({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}` });
  transport.close();
});

const metadata = { namespace, name: 'a'.repeat(52), uid: '9f0e2c1a-0000-0000-0000-000000000000', generation: 1 };
const inputs = [
  { name: 'train', uri: 'configmap://data/train.csv' },
  { name: 'more', uri: 'configmap://data/more.csv' },
];

function trainingJob(spec: object): TrainingJob {
  const { apiVersion, kind } = TrainingJob;
  return TrainingJob.parse({ apiVersion, kind, metadata, spec: { model: 'iris', inputs, ...spec } });
}

async function trainingJobs(): Promise<Record<string, Job>> {
  const run = await runStore.start({
    ...{ namespace, experiment: 'e', trainingJob: 'iris', ownerUid: metadata.uid, generation: 1 },
    ...{ runKey: `${metadata.uid}/g1`, spec: {}, isTracked: true },
    ...{ specDigest: 'd', cause: 'Created', parameters: {}, startTime: '2026-01-01T00:00:00Z' },
  });
  const container = {
    image: 'busybox',
    command: ['sh', '-c', 'train --lr={{params.lr}}'],
    env: [{ name: 'MODE', value: 'fast' }],
    resources: { limits: { cpu: 1, memory: '1Gi' } },
  };
  const builtIn = trainingJob({
    algorithm: { name: 'logistic-regression', target: 'species' },
    parameters: { C: '1' },
  });
  const everything = trainingJob({
    container,
    resources: { requests: { memory: '3Gi' } },
    nonRetriableExitCodes: [42, 3],
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }],
    register: { stage: 'Staging', gate: [{ metric: 'accuracy', notWorseThan: { version: 'Production', by: '0.01' } }] },
    tracking: { uri: 'https://mlflow.example' },
  });
  const registry = {
    registryUrl: 'http://registry:5000',
    runTokenKey: 'k'.repeat(32),
    httpsInputHosts: ['data.example'],
  };
  const artifact = {
    uri: 's3://slipway/x/m',
    files: [{ path: 'model.onnx', sha256: 'a'.repeat(64), size: 1 }],
    digest: 'd'.repeat(64),
  };
  const of = (made: TrainingJob, more: Partial<Settings> = {}, references: Resolved['references'] = {}) =>
    jobFor({
      trainingJob: made,
      run: { ...run, parameters: made.spec.parameters },
      spec: made.spec,
      settings: { ...settings, ...more },
      seconds: 60,
      resolved: { dataSets: {}, references },
    });
  return {
    'a built-in algorithm': of(builtIn),
    'a container': of(trainingJob({ container, parameters: { lr: '$(HOSTNAME) $$' } })),
    'a run that uses everything': of(everything, registry, { Production: { version: 1, artifact } }),
  };
}

const converter = {
  image: 'slipway/converter:test',
  resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { cpu: '2', memory: '1Gi' } },
  ...{ timeoutSeconds: 60, deadlineSeconds: 600, maxParallel: 2 },
};

/** What proves a version as it is, or what it is converted to. */
async function verification(how: 'verified' | 'converted' = 'verified'): Promise<Job> {
  const source = { uri: `s3://slipway/${namespace}/m` };
  const { apiVersion, kind } = ModelVersion;
  const version = ModelVersion.parse({ apiVersion, kind, metadata, spec: { model: 'iris', source } });
  const row = await versionStore.registerBrought({
    ...{
      namespace,
      model: 'iris',
      sourceUri: source.uri,
      objectUid: metadata.uid,
      creationTime: '2026-01-01T00:00:00Z',
    },
  });
  return how === 'verified'
    ? verifyJobFor(version, row, settings)
    : convertJobFor(version, { row, settings, converter });
}

const query = { dryRun: 'All', fieldValidation: 'Strict' };

for (const what of [
  'a built-in algorithm',
  'a container',
  'a run that uses everything',
  'a verification',
  'a conversion',
]) {
  test(`the Job of ${what} is taken, and its pod passes Pod Security restricted`, async () => {
    const versions = { 'a verification': await verification(), 'a conversion': await verification('converted') };
    const job = { ...(await trainingJobs()), ...versions }[what] as Job;
    await transport.json({ method: 'POST', path: `/apis/batch/v1/namespaces/${namespace}/jobs`, query, body: job });
    const template = job.spec?.template;
    assert.ok(template);
    const meta = { ...template.metadata, namespace, name: 'p' };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: meta, spec: template.spec };
    const answer = (await transport.json({
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/pods`,
      query,
      body: pod,
    })) as { spec: { automountServiceAccountToken: boolean; volumes: { name: string }[] } };
    assert.equal(answer.spec.automountServiceAccountToken, false);
    assert.deepEqual(
      answer.spec.volumes.filter(({ name }) => name.startsWith('kube-api-access')),
      [],
    );
  });
}

test('the NetworkPolicy of conversions is taken as it is', async () => {
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'x', uid: metadata.uid } };
  const peers = [{ namespaceSelector: { matchLabels: { a: 'b' } }, podSelector: { matchLabels: { c: 'd' } } }];
  const body = convertPolicy(namespace, { peers, port: 9000 }, [owner]);
  const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`;
  const answer = (await transport.json({ method: 'POST', path, query, body })) as { spec: object };
  assert.deepEqual({ ...answer.spec, egress: undefined }, { ...body.spec, egress: undefined });
});

test('a verification may be asked for twice under one name, and so may a run', async () => {
  assert.deepEqual(await verification(), await verification());
  assert.deepEqual(await trainingJobs(), await trainingJobs());
});
