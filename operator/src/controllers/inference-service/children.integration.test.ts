/** A real API server takes the children as they are, and their pods pass Pod Security `restricted`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dropNamespace, kubectl, makeNamespace, uniqueNamespace } from '../../../../test/support/kubectl.ts';
import type { KubeObject } from '../../api/meta.ts';
import type { Settings } from '../ports.ts';
import { InferenceService } from './api.ts';
import { autoscalerFor } from './autoscaling.ts';
import { deploymentFor, templateOf } from './deployment.ts';
import { budgetFor } from './pod-disruption-budget.ts';
import { serviceFor } from './service.ts';

const namespace = uniqueNamespace('infsvc-children');
before(() => makeNamespace(namespace));
after(() => dropNamespace(namespace));

const serviceWith = (spec: object) =>
  InferenceService.parse({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'InferenceService',
    metadata: { namespace, name: 'iris', uid: '0b0e0a3e-0000-4000-8000-000000000000' },
    spec: { model: `Iris_${'x'.repeat(80)}.v1`, ...spec },
  });
const sha256 = 'a'.repeat(64);
const artifact = {
  uri: `s3://slipway/${namespace}/1`,
  files: [{ path: 'model.onnx', sha256, size: 1 }],
  digest: sha256,
};
const settings: Settings = {
  ...{ trainerImage: 'slipway/trainer:dev', servingImage: 'slipway/serving:dev', bucket: 'slipway' },
  ...{ imagePullPolicy: 'IfNotPresent', imagePullSecrets: ['registry'], operatorUrl: 'http://operator:8080' },
};
const deploymentOf = (service: InferenceService) =>
  deploymentFor(service, { version: 1, digest: sha256, artifact }, settings);
const owner = serviceWith({ autoscaling: { maxReplicas: 3 } });
const deployment = deploymentOf(owner);
const pod = { apiVersion: 'v1', kind: 'Pod', ...deployment.spec.template };
const training = deploymentOf(serviceWith({ api: { trainingJob: 'iris' } }));
const trainingPod = { apiVersion: 'v1', kind: 'Pod', ...training.spec.template };

const serverTakes = (object: object): string =>
  kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-n', namespace, '-f', '-'], {
    input: JSON.stringify(object),
  });

const children = [deployment, serviceFor(owner), budgetFor(owner), autoscalerFor(owner)];
for (const child of children as readonly KubeObject[]) {
  test(`the ${child.kind} is taken under strict validation`, () => {
    assert.match(serverTakes(child), /serverside-applied/);
  });
}

test('its pod passes Pod Security restricted, which this namespace enforces', () => {
  assert.match(serverTakes({ ...pod, metadata: { ...pod.metadata, namespace, name: 'iris' } }), /serverside-applied/);
  const [server] = pod.spec.containers;
  const relaxed = { ...pod.spec, containers: [{ ...server, securityContext: {} }] };
  const refused = { ...pod, metadata: { namespace, name: 'iris' }, spec: relaxed };
  assert.throws(() => serverTakes(refused), /violates PodSecurity/);
});

const mountsOf = ({ spec }: typeof pod) =>
  [...(spec.initContainers ?? []), ...spec.containers].map(({ name, volumeMounts = [] }) => [
    name,
    volumeMounts.map(({ mountPath }) => mountPath),
  ]);

test('only fetch may read the credential, and nothing carries a token', () => {
  assert.equal(pod.spec['automountServiceAccountToken'], false);
  assert.deepEqual(mountsOf(pod), [
    ['fetch', ['/model', '/tmp', '/credentials']],
    ['server', ['/model', '/tmp']],
  ]);
  assert.ok(!JSON.stringify(pod).includes('serviceAccountToken'));
});

test('with spec.api.trainingJob the server, and nothing else, may read a token that is good for the operator alone', () => {
  assert.equal(trainingPod.spec['automountServiceAccountToken'], false);
  assert.deepEqual(mountsOf(trainingPod), [
    ['fetch', ['/model', '/tmp', '/credentials']],
    ['server', ['/model', '/tmp', '/operator-token']],
  ]);
  const token = trainingPod.spec.volumes?.find(({ name }) => name === 'operator-token')?.projected?.sources;
  assert.deepEqual(token, [{ serviceAccountToken: { audience: 'slipway', expirationSeconds: 3600, path: 'token' } }]);
  const [server] = trainingPod.spec.containers;
  assert.equal(server?.volumeMounts?.at(-1)?.readOnly, true);
  assert.ok(
    server?.env?.some((one) => one.name === 'OPERATOR_URL' && 'value' in one && one.value === settings.operatorUrl),
  );
  assert.match(
    serverTakes({ ...trainingPod, metadata: { ...trainingPod.metadata, namespace, name: 'iris' } }),
    /serverside-applied/,
  );
});

test('setting spec.api.trainingJob rolls the pods; another TrainingJob does not', () => {
  assert.notEqual(templateOf(training), templateOf(deployment));
  assert.equal(templateOf(deploymentOf(serviceWith({ api: { trainingJob: 'other' } }))), templateOf(training));
  assert.equal(templateOf(deploymentOf(serviceWith({ api: {} }))), templateOf(deployment));
});
