/** What the chart tells the processes is what they read: their own parsers are given its environment. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configFromEnv as operatorConfig } from '../../operator/src/config.ts';
import { UninstallSettings } from '../../operator/src/uninstall.ts';
import { configFromEnv as registryConfig } from '../../registry/src/config.ts';
import { gcOptions } from '../../registry/src/gc/command.ts';
import { environmentOf, find, type Manifest, NAMESPACE, render, type Values } from './helm.ts';
import { external, valueSets } from './value-sets.ts';

/** The environment as the kubelet would resolve it; a Secret that is not of the chart holds 40 letters under every key. */
function resolved(objects: readonly Manifest[], name: string, kind = 'Deployment'): Record<string, string> {
  const entry = ([variable, from]: [string, Manifest]): [string, string] => {
    if (typeof from === 'string') return [variable, from];
    if (from.fieldRef) return [variable, from.fieldRef.fieldPath === 'metadata.namespace' ? NAMESPACE : 'pod-1'];
    const { name: secret, key } = from.secretKeyRef;
    const own = objects.find((one) => one.kind === 'Secret' && one.metadata.name === secret);
    return [variable, own ? Buffer.from(own.data[key], 'base64').toString() : 'x'.repeat(40)];
  };
  return Object.fromEntries(Object.entries(environmentOf(objects, name, kind)).map(entry));
}

for (const [name, values] of Object.entries(valueSets)) {
  test(`${name}: operator and registry accept their environment`, () => {
    const objects = render(values);
    assert.doesNotThrow(() => operatorConfig(resolved(objects, 'slipway-operator')));
    assert.doesNotThrow(() => registryConfig(resolved(objects, 'slipway-registry')));
  });
}

const operator = (values: Values = {}) => operatorConfig(resolved(render(values), 'slipway-operator'));

test('values arrive in the operator', () => {
  const config = operator({
    operator: {
      watchNamespaces: ['a', 'b'],
      logLevel: 'debug',
      maxConcurrentReconciles: 9,
      resyncSeconds: 30,
      tenantCredentials: 'shared',
      stsDurationSeconds: 900,
    },
    image: { pullSecrets: ['x', 'y'], pullPolicy: 'Never', tag: 'v3' },
    trainer: { httpsInputHosts: ['data.example', 'mirror:8443'], httpsInputCidrs: ['10.1.0.0/16'] },
    ...external,
  });
  assert.deepEqual(config.watchNamespaces, ['a', 'b']);
  assert.equal(config.logLevel, 'debug');
  assert.equal(config.maxConcurrentReconciles, 9);
  assert.equal(config.resyncMs, 30_000);
  assert.equal(config.tenancy.mode, 'shared');
  assert.equal(config.tenancy.stsDurationSeconds, 900);
  const { runTokenKey, registryUrl, operatorUrl, converter, ...pods } = config.pods;
  assert.equal(converter?.image, 'slipway/converter:v3');
  assert.ok(runTokenKey);
  assert.equal(registryUrl, 'http://slipway-registry.slipway-system.svc:5000', 'as every namespace resolves it');
  assert.equal(operatorUrl, 'http://slipway-operator.slipway-system.svc:8080');
  assert.deepEqual(pods, {
    trainerImage: 'slipway/trainer:v3',
    servingImage: 'slipway/serving:v3',
    imagePullPolicy: 'Never',
    imagePullSecrets: ['x', 'y'],
    httpsInputHosts: ['data.example', 'mirror:8443'],
    httpsInputCidrs: ['10.1.0.0/16'],
  });
  assert.equal(config.postgres.sslMode, 'require');
  assert.equal(config.objectStorage.region, 'eu-central-1');
});

test('conversions are told their image and limits, and reach the object store of this release or at its port', () => {
  const own = operator({ converter: { timeoutSeconds: 60, image: { digest: `sha256:${'a'.repeat(64)}` } } });
  assert.equal(own.pods.converter?.image, `slipway/converter@sha256:${'a'.repeat(64)}`);
  assert.equal(own.pods.converter?.timeoutSeconds, 60);
  assert.ok(own.pods.converter.resources.limits?.['memory']);
  assert.equal(own.storeAddress.port, 9000);
  const [peer] = own.storeAddress.peers as [Manifest];
  const { labels } = find(render(), 'StatefulSet', 'slipway-minio').spec.template.metadata;
  for (const [name, value] of Object.entries(peer.podSelector.matchLabels)) assert.equal(labels[name], value);
  assert.equal(peer.namespaceSelector.matchLabels['kubernetes.io/metadata.name'], NAMESPACE);
  const outside = operator(external).storeAddress;
  assert.equal(outside.port, 443);
  assert.ok(
    outside.peers.every((one) => 'ipBlock' in one),
    JSON.stringify(outside.peers),
  );
  assert.equal(operator({ converter: { enabled: false } }).pods.converter, undefined);
});

test('serving pods are told of a Service that is there, and of the port it has', () => {
  const objects = render();
  const { hostname, port } = new URL(operator().pods.operatorUrl);
  const [name, namespace] = hostname.split('.');
  const service = find(objects, 'Service', name ?? '');
  assert.equal(namespace, service.metadata.namespace);
  assert.deepEqual(
    service.spec.ports.map((one: Manifest) => String(one.port)),
    [port],
  );
});

test('without a choice your own Postgres is asked for TLS, the bundled one is not', () => {
  const { sslMode: _, ...postgres } = external.postgres;
  assert.equal(operator({ ...external, postgres }).postgres.sslMode, 'require');
  assert.equal(operator().postgres.sslMode, 'disable');
});

const registry = (values: Values = {}) => registryConfig(resolved(render(values), 'slipway-registry'));

test('the registry names the roles that let people read and write, as this release calls them', () => {
  const { viewRole, editRole } = registry();
  for (const role of [viewRole, editRole]) assert.ok(find(render(), 'ClusterRole', role));
});

test('values arrive in the registry', () => {
  const config = registry({
    registry: {
      auth: 'secret',
      authSecret: 'people',
      logLevel: 'debug',
      defaultNamespace: 'ml',
      allowedOrigins: ['https://console.example.com'],
    },
    operator: { watchNamespaces: ['a', 'b'] },
    ...external,
    objectStorage: { ...external.objectStorage, pathStyle: false },
  });
  assert.deepEqual(
    [config.auth, config.logLevel, config.defaultNamespace, config.namespaces, config.verified],
    ['secret', 'debug', 'ml', 'kubernetes', true],
  );
  assert.deepEqual(config.allowedOrigins, ['https://console.example.com']);
  assert.deepEqual(config.watchNamespaces, ['a', 'b'], 'it answers for the namespaces the operator works in');
  assert.equal(config.objectStorage.bucket, 'our-models');
  assert.equal(config.objectStorage.pathStyle, false);
});

test('the users of auth: secret are read from where their Secret is mounted', () => {
  const objects = render({ registry: { auth: 'secret', authSecret: 'people' } });
  const { authFile = '' } = registryConfig(resolved(objects, 'slipway-registry'));
  const { containers, volumes } = find(objects, 'Deployment', 'slipway-registry').spec.template.spec;
  const mount = containers[0].volumeMounts.find(({ mountPath }: Manifest) => authFile.startsWith(`${mountPath}/`));
  // A subPath would never see a change.
  assert.equal(mount.subPath, undefined);
  assert.deepEqual(volumes.find(({ name }: Manifest) => name === mount.name).secret, { secretName: 'people' });
  assert.equal(registry().authFile, undefined);
});

test('garbage collection is told the stores, its grace and the retention', () => {
  const told = (values: Values) => {
    const objects = render(values);
    const job = find(objects, 'CronJob', 'slipway-registry-gc').spec;
    const env = resolved(objects, 'slipway-registry-gc', 'CronJob');
    const [command, ...args] = job.jobTemplate.spec.template.spec.containers[0].args;
    assert.equal(command, 'gc');
    assert.doesNotThrow(() => registryConfig(env));
    return { schedule: job.schedule, concurrency: job.concurrencyPolicy, ...gcOptions(args, env) };
  };
  const none = { namespace: undefined, concurrency: 'Forbid' };
  const [hour, day] = [3_600_000, 86_400_000];
  assert.deepEqual(told({}), {
    ...none,
    schedule: '17 3 * * *',
    dryRun: false,
    graceMs: 7 * day,
    keepLast: undefined,
    maxAgeMs: undefined,
    keepStages: ['Staging', 'Production', 'Archived'],
    runs: { keepLast: undefined, maxAgeMs: undefined },
  });
  const registryValues = {
    gc: { schedule: '0 1 * * 0', grace: '12h', dryRun: true },
    retention: { keepLast: 10, maxAge: '90d', keepStages: ['Production'], runs: { keepLast: 100, maxAge: '30d' } },
  };
  assert.deepEqual(told({ registry: registryValues }), {
    ...none,
    schedule: '0 1 * * 0',
    dryRun: true,
    graceMs: 12 * hour,
    keepLast: 10,
    maxAgeMs: 90 * day,
    keepStages: ['Production'],
    runs: { keepLast: 100, maxAgeMs: 30 * day },
  });
  assert.deepEqual(told({ registry: { retention: { keepStages: [] } } }).keepStages, []);
  assert.ok(!render({ registry: { gc: { enabled: false } } }).some(({ kind }) => kind === 'CronJob'));
});

test('operator and registry share the key of the runs’ tokens', () => {
  const objects = render();
  const key = resolved(objects, 'slipway-registry')['RUN_TOKEN_KEY'];
  assert.ok(key && key.length >= 32);
  assert.equal(resolved(objects, 'slipway-operator')['RUN_TOKEN_KEY'], key);
});

test('a default is the same in the chart and in the program', () => {
  const told = resolved(render(), 'slipway-operator');
  const withDefaults =
    /^(LOG_LEVEL|LEASE_NAME|LEADER_ELECTION|MAX_.*|RESYNC_.*|TENANT_.*|STS_.*|IMAGE_PULL_POLICY|PORT)$/;
  const left = Object.fromEntries(Object.entries(told).filter(([name]) => !withDefaults.test(name)));
  assert.ok(Object.keys(left).length <= Object.keys(told).length - 9);
  assert.deepEqual(operatorConfig(left), operatorConfig(told));
});

test('the lease the operator takes is the one it has the right to', () => {
  const objects = render();
  const [, named] = find(objects, 'Role', 'slipway-operator-lease').rules;
  assert.deepEqual(named.resourceNames, [operatorConfig(resolved(objects, 'slipway-operator')).leaseName]);
});

test('the uninstall hook names the operator’s Deployment and selects its pods', () => {
  const objects = render({ operator: { watchNamespaces: ['a'] } });
  const { env, args } = find(objects, 'Job', 'slipway-uninstall').spec.template.spec.containers[0];
  const told = Object.fromEntries(env.map((one: Manifest) => [one.name, one.value ?? NAMESPACE]));
  const settings = UninstallSettings.parse(told);
  assert.deepEqual(args, ['uninstall']);
  assert.deepEqual(settings.namespaces, ['a']);
  const deployment = find(objects, 'Deployment', settings.deployment);
  const labels = deployment.spec.template.metadata.labels;
  for (const requirement of settings.selector.split(',')) {
    const [key, value] = requirement.split('=') as [string, string];
    assert.equal(labels[key], value);
  }
});
