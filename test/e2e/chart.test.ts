/** The chart on a real cluster: its own test, upgrades that keep secrets, two replicas, hardened pods, uninstall. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitForTrainedVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { installSlipway, RELEASE_NAMESPACE } from '../support/install.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining } from '../support/manifests.ts';
import { run } from '../support/run.ts';
import { secret } from '../support/secret.ts';

const namespace = uniqueNamespace('e2e-chart');
before(() => makeNamespace(namespace));
after(() => {
  installSlipway();
  dropNamespace(namespace);
});

test('helm test passes', () => {
  const output = run('helm', ['test', 'slipway', '-n', RELEASE_NAMESPACE, '--timeout', '3m'], { timeoutMs: 200_000 });
  assert.match(output, /Phase:\s+Succeeded/);
});

test('every pod of the release runs where Pod Security `restricted` is enforced', () => {
  const { metadata } = kubectlJson<{ metadata: { labels: Record<string, string> } }>(
    'get',
    'namespace',
    RELEASE_NAMESPACE,
  );
  assert.equal(metadata.labels['pod-security.kubernetes.io/enforce'], 'restricted');
});

test('an upgrade keeps the generated passwords', () => {
  const names = ['slipway-postgres', 'slipway-object-storage'];
  const before = names.map((name) => secret(RELEASE_NAMESPACE, name));
  installSlipway(['operator.logLevel=debug']);
  assert.deepEqual(
    names.map((name) => secret(RELEASE_NAMESPACE, name)),
    before,
  );
  assert.ok(before.every((entries) => Object.values(entries).every((value) => value.length > 0)));
});

test('with two operators one leads; when it is killed the other takes over within 20 s', async () => {
  installSlipway(['operator.replicas=2']);
  const holder = () =>
    kubectlJson<{ spec: { holderIdentity?: string } }>('get', 'lease', 'slipway-operator', '-n', RELEASE_NAMESPACE).spec
      .holderIdentity ?? '';
  const first = await eventually(() => {
    const name = holder();
    assert.ok(name);
    return name;
  });
  const pod = first.split('_')[0] as string;
  kubectl(['delete', 'pod', pod, '-n', RELEASE_NAMESPACE, '--force', '--grace-period=0']);
  await eventually(() => assert.ok(holder() && holder() !== first, `still ${holder()}`), 21_000);
  apply(namespace, irisTraining('after-takeover', { model: 'after-takeover' }));
  assert.equal(await waitForTrainedVersion(namespace, 'after-takeover'), 1);
});

test('uninstalling leaves the definitions, the objects and the data; installing again finds them', async () => {
  run('helm', ['uninstall', 'slipway', '-n', RELEASE_NAMESPACE, '--wait', '--timeout', '3m'], { timeoutMs: 200_000 });
  assert.match(kubectl(['get', 'crd', '-o', 'name']), /trainingjobs\.slipway\.dev/);
  assert.match(kubectl(['get', 'tj', '-n', namespace, '-o', 'name']), /after-takeover/);
  kubectl(['delete', 'tj/after-takeover', '-n', namespace, '--timeout=30s']);
  installSlipway();
  apply(namespace, irisTraining('again', { model: 'after-takeover' }));
  assert.equal(await waitForTrainedVersion(namespace, 'again'), 2, 'the registry remembers version 1');
});
