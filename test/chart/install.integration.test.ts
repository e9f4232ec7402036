/** The chart on a real cluster, limited to one namespace: installed, upgraded, tested, uninstalled. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace } from '../support/kubectl.ts';
import { secret } from '../support/secret.ts';
import { CHART, helm } from './helm.ts';

const release = `chart-${randomBytes(3).toString('hex')}`;
const namespace = `${release}-test`;
const name = (component: string) => `${release}-slipway-${component}`;
const secrets = ['postgres', 'object-storage', 'install-key', 'run-tokens'].map(name);

function helmOrThrow(...args: string[]): string {
  const { code, stdout, stderr } = helm(args);
  assert.equal(code, 0, `helm ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** Only this namespace is watched, so that a release beside it is not disturbed; the definitions are shared with it. */
const settings = [
  ...['-n', namespace, '-f', `${CHART}/ci/values-local.yaml`, '--set=crds.install=false'],
  ...[`--set=operator.watchNamespaces={${namespace}}`, '--wait', '--timeout=4m'],
];

/** Definitions that were not there before are taken away again: whoever installs next wants to own them. */
let broughtDefinitions = false;

before(() => {
  makeNamespace(namespace);
  broughtDefinitions = !kubectl(['get', 'crd', '-o', 'name']).includes('slipway.dev');
  if (broughtDefinitions) kubectl(['apply', '--server-side', '-f', 'crds']);
  helmOrThrow('install', release, CHART, ...settings);
});
after(() => {
  helm(['uninstall', release, '-n', namespace, '--no-hooks', '--ignore-not-found']);
  if (broughtDefinitions) kubectl(['delete', '-f', 'crds', '--ignore-not-found']);
  dropNamespace(namespace);
});

test('it comes up where Pod Security `restricted` is enforced, and its own test passes', () => {
  assert.match(helmOrThrow('test', release, '-n', namespace, '--timeout=3m'), /Phase:\s+Succeeded/);
});

/** `yes` or `no`; kubectl exits with 1 for a no. */
function mayOperator(verb: string, resource: string, where = namespace): string {
  try {
    const as = `--as=system:serviceaccount:${namespace}:${name('operator')}`;
    return kubectl(['auth', 'can-i', verb, resource, '-n', where, as]).trim();
  } catch {
    return 'no';
  }
}

test('the operator may make the three Secrets of a tenant and no other, and reads none', () => {
  assert.equal(mayOperator('create', 'secrets/slipway-tenant-fetch'), 'yes');
  assert.equal(mayOperator('patch', 'secrets/slipway-tenant-publish'), 'yes');
  assert.equal(mayOperator('patch', 'secrets/slipway-tenant-predictions'), 'yes');
  assert.equal(mayOperator('create', 'secrets/other'), 'no');
  for (const verb of ['get', 'list', 'watch']) assert.equal(mayOperator(verb, 'secrets'), 'no', verb);
});

test('the operator of a listed namespace may do nothing outside of it', () => {
  assert.equal(mayOperator('get', `namespaces/${namespace}`), 'yes');
  assert.equal(mayOperator('list', 'trainingjobs.slipway.dev'), 'yes');
  for (const [verb, resource] of [
    ['list', 'trainingjobs.slipway.dev'],
    ['create', 'jobs.batch'],
    ['create', 'secrets/slipway-tenant-fetch'],
    ['get', 'namespaces/default'],
  ] as const) {
    assert.equal(mayOperator(verb, resource, 'default'), 'no', `${verb} ${resource}`);
  }
});

test('the bucket is there before anybody asks for it', () => {
  const files = kubectl(['exec', '-n', namespace, `${name('minio')}-0`, '-c', 'minio', '--', 'ls', '/data']);
  assert.match(files, /^slipway$/m);
});

test('an upgrade keeps every generated Secret', () => {
  const before = secrets.map((one) => secret(namespace, one));
  helmOrThrow('upgrade', release, CHART, ...settings, '--set=operator.logLevel=debug');
  assert.deepEqual(
    secrets.map((one) => secret(namespace, one)),
    before,
  );
});

test('uninstalling takes our finalizers off and leaves definitions, objects, Secrets and volumes', async () => {
  const service = { apiVersion: 'slipway.dev/v1alpha1', kind: 'InferenceService', spec: { model: 'nothing' } };
  const finalizers = ['slipway.dev/held', 'example.com/theirs'];
  apply(namespace, JSON.stringify({ ...service, metadata: { name: 'held', finalizers } }));
  helmOrThrow('uninstall', release, '-n', namespace, '--wait', '--timeout=4m');

  const left = kubectlJson<{ metadata: { finalizers: string[] } }>('get', 'infsvc/held', '-n', namespace);
  assert.deepEqual(left.metadata.finalizers, ['example.com/theirs']);
  const ofRelease = `app.kubernetes.io/instance=${release}`;
  const kinds = 'deployments,statefulsets,services,jobs,serviceaccounts,roles,rolebindings';
  await eventually(() => {
    assert.equal(kubectl(['get', kinds, '-n', namespace, '-l', ofRelease, '-o', 'name']), '');
    assert.equal(kubectl(['get', 'clusterroles,clusterrolebindings', '-l', ofRelease, '-o', 'name']), '');
    assert.equal(kubectl(['get', 'pods', '-n', namespace, '-l', ofRelease, '-o', 'name']), '');
  });
  const kept = kubectl(['get', 'secrets,persistentvolumeclaims', '-n', namespace, '-l', ofRelease, '-o', 'name']);
  assert.deepEqual(kept.trim().split('\n').sort(), [
    ...['minio', 'postgres'].map((claim) => `persistentvolumeclaim/${name(claim)}`),
    ...secrets.map((one) => `secret/${one}`).sort(),
  ]);
  kubectl(['patch', 'infsvc/held', '-n', namespace, '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
});
