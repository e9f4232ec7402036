/** Children edited or deleted by hand are restored; children of somebody else are not touched. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import {
  apply,
  dropNamespace,
  kubectl,
  kubectlJson,
  makeNamespace,
  patch,
  uniqueNamespace,
} from '../support/kubectl.ts';
import { irisTraining, service } from '../support/manifests.ts';

const namespace = uniqueNamespace('e2e-drift');
before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  apply(namespace, service('iris'));
  await waitForVersion(namespace, 'iris', 1);
});
after(() => dropNamespace(namespace));

for (const child of ['service/iris', 'pdb/iris', 'deployment/iris']) {
  test(`a deleted ${child} comes back`, async () => {
    const { uid } = get(namespace, child).metadata;
    kubectl(['delete', child, '-n', namespace, '--wait=true']);
    await eventually(() => assert.notEqual(get(namespace, child).metadata.uid, uid), 30_000);
    await waitForVersion(namespace, 'iris', 1);
  });
}

test('an edited Deployment and an edited Service are put back', async () => {
  patch(namespace, 'deployment/iris', { spec: { replicas: 3 } });
  await eventually(() => assert.equal(get(namespace, 'deployment/iris').spec['replicas'], 1), 30_000);
  kubectl([
    'patch',
    'service/iris',
    '-n',
    namespace,
    '--type=json',
    '-p',
    '[{"op":"replace","path":"/spec/ports/0/port","value":81}]',
  ]);
  await eventually(() => {
    const { spec } = kubectlJson<{ spec: { ports: { port: number }[] } }>('get', 'service/iris', '-n', namespace);
    assert.deepEqual(
      spec.ports.map(({ port }) => port),
      [80],
    );
  }, 30_000);
});

test('a Deployment of that name that belongs to somebody else is left alone, and the condition says so', async () => {
  kubectl(['create', 'deployment', 'taken', '-n', namespace, '--image=slipway/serving:dev', '--replicas=0']);
  const before = get(namespace, 'deployment/taken');
  apply(namespace, service('taken'));
  const ready = await waitForCondition(namespace, 'infsvc/taken', {
    type: 'Ready',
    status: 'False',
    reason: 'NameTaken',
  });
  assert.match(ready.message, /taken/);
  assert.deepEqual(get(namespace, 'deployment/taken').spec, before.spec);
});
