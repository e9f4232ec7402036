/** A real API server takes the children as they are, and their pods pass Pod Security `restricted`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dropNamespace, kubectl, makeNamespace, uniqueNamespace } from '../../../../test/support/kubectl.ts';
import type { KubeObject } from '../../api/meta.ts';
import { InferenceService } from './api.ts';
import { deploymentFor } from './deployment.ts';
import { budgetFor } from './pod-disruption-budget.ts';
import { serviceFor } from './service.ts';

const namespace = uniqueNamespace('infsvc-children');
before(() => makeNamespace(namespace));
after(() => dropNamespace(namespace));

const owner = InferenceService.parse({
  apiVersion: 'slipway.dev/v1alpha1',
  kind: 'InferenceService',
  metadata: { namespace, name: 'iris', uid: '0b0e0a3e-0000-4000-8000-000000000000' },
  spec: { model: `Iris_${'x'.repeat(80)}.v1` },
});
const sha256 = 'a'.repeat(64);
const artifact = {
  uri: `s3://slipway/${namespace}/1`,
  files: [{ path: 'model.onnx', sha256, size: 1 }],
  digest: sha256,
};
const deployment = deploymentFor(
  owner,
  { version: 1, digest: sha256, artifact },
  {
    ...{ trainerImage: 'slipway/trainer:dev', servingImage: 'slipway/serving:dev', bucket: 'slipway' },
    ...{ imagePullPolicy: 'IfNotPresent', imagePullSecrets: ['registry'] },
  },
);
const pod = { apiVersion: 'v1', kind: 'Pod', ...deployment.spec.template };

const serverTakes = (object: object): string =>
  kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-n', namespace, '-f', '-'], {
    input: JSON.stringify(object),
  });

for (const child of [deployment, serviceFor(owner), budgetFor(owner)] as readonly KubeObject[]) {
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

test('only fetch may read the credential, and nothing carries a token', () => {
  assert.equal(pod.spec['automountServiceAccountToken'], false);
  const mounts = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name, volumeMounts = [] }) => [
    name,
    volumeMounts.map((mount) => mount.mountPath),
  ]);
  assert.deepEqual(mounts, [
    ['fetch', ['/model', '/tmp', '/credentials']],
    ['server', ['/model', '/tmp']],
  ]);
});
