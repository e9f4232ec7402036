/** Parents deleted: everything goes but the history. What is in use stays. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { rows } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service } from '../support/manifests.ts';
import { registryGet } from '../support/registry.ts';

const namespace = uniqueNamespace('e2e-deletion');
before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  apply(namespace, service('iris'));
  await waitForVersion(namespace, 'iris', 1);
});
after(() => dropNamespace(namespace));

const names = (kinds: string) =>
  kubectl(['get', kinds, '-n', namespace, '-o', 'name']).split('\n').filter(Boolean).sort();

test('deleting the TrainingJob takes its Jobs and leaves the version and the run', async () => {
  kubectl(['delete', 'tj/iris', '-n', namespace, '--timeout=60s']);
  await eventually(
    () =>
      assert.deepEqual(
        names('jobs,tj').filter((name) => /iris/.test(name) && !/iris-v1/.test(name)),
        [],
      ),
    60_000,
  );
  assert.equal(get(namespace, 'mv/iris-v1').metadata.name, 'iris-v1');
  const { status, body } = await registryGet(`/api/v1/namespaces/${namespace}/models/iris/versions`);
  assert.equal(status, 200);
  assert.match(body, /"version":\s*"?1/);
});

test('a version that is served cannot be deleted, and says by whom it is held', async () => {
  kubectl(['delete', 'mv/iris-v1', '-n', namespace, '--wait=false']);
  const blocked = await waitForCondition(namespace, 'mv/iris-v1', { type: 'DeletionBlocked', status: 'True' });
  assert.match(blocked.message, /iris/);
  assert.equal(get(namespace, 'infsvc/iris').status.version, 1);
});

test('deleting the service takes its children and lets the version go', async () => {
  kubectl(['delete', 'infsvc/iris', '-n', namespace, '--timeout=60s']);
  await eventually(() => assert.deepEqual(names('deployments,services,pdb'), []), 60_000);
  await eventually(() => assert.deepEqual(names('mv'), []), 60_000);
  const history = await registryGet(`/api/v1/namespaces/${namespace}/models/iris/history`);
  assert.equal(history.status, 200, history.body);
  assert.ok(JSON.parse(history.body).events.length >= 2, history.body);
});

test('a namespace deleted while runs go on is gone in time, and none of its runs goes on', async () => {
  const doomed = uniqueNamespace('e2e-doomed');
  makeNamespace(doomed);
  const container = { image: 'slipway/trainer:dev', command: ['sh', '-c', 'exec sleep 3600'] };
  const sleeping = { model: undefined, algorithm: undefined, inputs: [], container };
  apply(doomed, irisTraining('sleeps', sleeping));
  const objective = { metric: 'x', goal: 'maximize' };
  const search = { method: 'grid', space: { C: { values: ['1', '2'] } }, parallelism: 2, objective };
  apply(doomed, irisTraining('searches', { ...sleeping, search }));
  await eventually(() => {
    const running = kubectl(['get', 'pods', '-n', doomed, '-o', 'name']).split('\n').filter(Boolean);
    assert.equal(running.length, 3, 'one run and two trials have pods');
  });
  kubectl(['delete', 'namespace', doomed, '--timeout=120s']);
  const open = await rows("SELECT run_key FROM slipway.runs WHERE namespace = $1 AND status = 'RUNNING'", [doomed]);
  assert.deepEqual(open, []);
});
