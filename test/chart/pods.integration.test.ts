/** Every pod the chart makes, for every way of installing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHART, environmentOf, find, helm, podSpecs, render } from './helm.ts';
import { violations } from './restricted.ts';
import { external, valueSets } from './value-sets.ts';

test('helm lint has nothing to say', () => {
  const { code, stdout, stderr } = helm(['lint', '--strict', CHART, '--kube-version=1.34.0']);
  assert.equal(code, 0, stdout + stderr);
});

for (const [name, values] of Object.entries(valueSets)) {
  test(`${name}: every pod is restricted, with requests, limits and a read-only root`, () => {
    const pods = podSpecs(render(values));
    assert.ok(pods.length >= 4, 'operator, registry, uninstall and test at least');
    for (const [pod, spec] of pods) assert.deepEqual(violations(spec), [], pod);
  });

  test(`${name}: every object carries the labels, and its namespace when it has one`, () => {
    for (const { kind, metadata } of render(values)) {
      const what = `${kind}/${metadata.name}`;
      assert.equal(metadata.labels['app.kubernetes.io/part-of'], 'slipway', what);
      const clusterWide = kind.startsWith('ClusterRole') || kind === 'CustomResourceDefinition';
      assert.equal(typeof metadata.namespace, clusterWide ? 'undefined' : 'string', what);
    }
  });

  test(`${name}: what a Service, a budget or a controller selects are the pods it is about`, () => {
    const objects = render(values);
    const podLabels = objects
      .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
      .map((object) => [object, object.spec.template.metadata.labels] as const);
    for (const object of objects.filter(({ kind }) => /Service$|Budget$|Deployment|StatefulSet/.test(kind))) {
      const wanted: Record<string, string> = object.spec.selector.matchLabels ?? object.spec.selector;
      const selected = podLabels.filter(([, labels]) => Object.entries(wanted).every(([k, v]) => labels[k] === v));
      assert.deepEqual(
        selected.map(([owner]) => owner.metadata.name),
        [object.metadata.name],
        `${object.kind}/${object.metadata.name}`,
      );
    }
  });
}

test('a token is mounted only where the API server is called', () => {
  const withToken = (values = {}) =>
    podSpecs(render(values))
      .filter(([, spec]) => spec.automountServiceAccountToken)
      .map(([pod]) => pod)
      .sort();
  assert.deepEqual(withToken(), [
    'Deployment/slipway-operator',
    'Deployment/slipway-registry',
    'Job/slipway-uninstall',
  ]);
  assert.deepEqual(withToken({ registry: { auth: 'none' } }), withToken(), 'namespaces are asked about in any case');
});

test('operator and registry answer probes on the ports of their Services', () => {
  const objects = render();
  for (const [name, port] of [
    ['slipway-operator', 8080],
    ['slipway-registry', 5000],
  ] as const) {
    const container = find(objects, 'Deployment', name).spec.template.spec.containers[0];
    assert.equal(find(objects, 'Service', name).spec.ports[0].port, port);
    assert.deepEqual(container.ports, [{ name: 'http', containerPort: port }]);
    assert.equal(environmentOf(objects, name)['PORT'], String(port));
    assert.equal(container.livenessProbe.httpGet.path, '/livez');
    assert.equal(container.readinessProbe.httpGet.path, '/readyz');
  }
});

test('the addresses of the bundled stores work from every namespace, because tenants are handed the same ones', () => {
  const env = environmentOf(render(), 'slipway-operator');
  assert.equal(env['POSTGRES_HOST'], 'slipway-postgres.slipway-system.svc');
  assert.equal(env['OBJECT_STORAGE_ENDPOINT'], 'http://slipway-minio.slipway-system.svc:9000');
});

test('stores of your own: their addresses and Secrets are used, and nothing is bundled', () => {
  const objects = render(external);
  const env = environmentOf(objects, 'slipway-operator');
  assert.equal(env['POSTGRES_HOST'], 'postgres.databases.svc');
  assert.equal(env['POSTGRES_PORT'], '6432');
  assert.equal(env['POSTGRES_DATABASE'], 'models');
  assert.equal(env['POSTGRES_SSL_MODE'], 'require');
  assert.deepEqual(env['POSTGRES_USERNAME'], { secretKeyRef: { name: 'our-postgres', key: 'user' } });
  assert.deepEqual(env['POSTGRES_PASSWORD'], { secretKeyRef: { name: 'our-postgres', key: 'pass' } });
  assert.equal(env['OBJECT_STORAGE_ENDPOINT'], 'https://s3.eu-central-1.amazonaws.com');
  assert.equal(env['OBJECT_STORAGE_REGION'], 'eu-central-1');
  assert.equal(env['OBJECT_STORAGE_BUCKET'], 'our-models');
  assert.deepEqual(env['OBJECT_STORAGE_ACCESS_KEY'], { secretKeyRef: { name: 'our-s3', key: 'id' } });
  assert.deepEqual(env['OBJECT_STORAGE_SECRET_KEY'], { secretKeyRef: { name: 'our-s3', key: 'key' } });
  const registry = environmentOf(objects, 'slipway-registry');
  for (const name of Object.keys(env).filter((name) => /^(POSTGRES|OBJECT_STORAGE)_/.test(name)))
    assert.deepEqual(registry[name], env[name], name);
  const kinds = objects.map(({ kind }) => kind);
  assert.ok(!kinds.includes('StatefulSet') && !kinds.includes('PersistentVolumeClaim'));
});

test('images follow registry, tag and digest, in the pods of the chart and in those the operator makes', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const objects = render({
    image: { registry: 'registry.example.com/ml/', tag: 'v9', pullSecrets: ['one', 'two'], pullPolicy: 'Always' },
    serving: { image: { digest } },
    trainer: { image: { tag: 'v8' } },
  });
  const operator = find(objects, 'Deployment', 'slipway-operator').spec.template.spec;
  assert.equal(operator.containers[0].image, 'registry.example.com/ml/slipway/operator:v9');
  assert.equal(operator.containers[0].imagePullPolicy, 'Always');
  assert.deepEqual(operator.imagePullSecrets, [{ name: 'one' }, { name: 'two' }]);
  const env = environmentOf(objects, 'slipway-operator');
  assert.equal(env['TRAINER_IMAGE'], 'registry.example.com/ml/slipway/trainer:v8');
  assert.equal(env['SERVING_IMAGE'], `registry.example.com/ml/slipway/serving@${digest}`);
  assert.equal(env['IMAGE_PULL_SECRETS'], 'one,two');
  assert.equal(env['IMAGE_PULL_POLICY'], 'Always');
});

test('a release of another name keeps to names of its own', () => {
  const names = (release: string) => {
    const { stdout } = helm([
      'template',
      release,
      CHART,
      '-n',
      'x',
      '--kube-version=1.34.0',
      '--set=crds.install=false',
    ]);
    return [...stdout.matchAll(/^ {2}name: (\S+)$/gm)].map(([, name]) => name as string);
  };
  assert.ok(names('ml').length > 10);
  assert.deepEqual(
    names('ml').filter((name) => !name.startsWith('ml-slipway-')),
    [],
  );
});

test('data and passwords outlive the release; hooks and the operator do not', () => {
  const kept = render()
    .filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep')
    .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    .filter((name) => !name.startsWith('CustomResourceDefinition/'))
    .sort();
  assert.deepEqual(kept, [
    'PersistentVolumeClaim/slipway-minio',
    'PersistentVolumeClaim/slipway-postgres',
    'Secret/slipway-install-key',
    'Secret/slipway-object-storage',
    'Secret/slipway-postgres',
    'Secret/slipway-run-tokens',
  ]);
});
