/** The operator killed at every step of a run: one Job, one run, one version at the end. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { get, waitForCondition, waitForVersion } from '../support/conditions.ts';
import { rows } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { RELEASE_NAMESPACE } from '../support/install.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service } from '../support/manifests.ts';

const namespace = uniqueNamespace('e2e-operator-killed');
before(() => makeNamespace(namespace));
after(() => dropNamespace(namespace));

const killOperator = () =>
  kubectl([
    ...['delete', 'pod', '-n', RELEASE_NAMESPACE, '-l', 'app.kubernetes.io/component=operator'],
    ...['--force', '--grace-period=0', '--wait=true'],
  ]);

const exists = (object: string) => () => {
  get(namespace, object);
};
const list = (kind: string) => kubectl(['get', kind, '-n', namespace, '-o', 'name']).split('\n').filter(Boolean);

/** What can be seen of a run's progress, in order; the operator is killed as soon as each is. */
const steps: readonly (readonly [name: string, seen: () => void])[] = [
  ['the Job is made', () => assert.ok(list('jobs').length > 0)],
  ['the version is an object', exists('mv/iris-v1')],
  ['its verification has begun', () => assert.ok(get(namespace, 'mv/iris-v1').status?.conditions)],
  ['the Deployment is made', exists('deployment/iris')],
];

test('killed whenever something new is seen, it still makes one Job, one run and one version', async () => {
  apply(namespace, irisTraining('iris'));
  apply(namespace, service('iris'));
  killOperator();
  for (const [name, seen] of steps) {
    await eventually(seen, 120_000, 50).catch((error) => assert.fail(`${name}: ${error.message}`));
    killOperator();
  }
  await waitForVersion(namespace, 'iris', 1, 180_000);

  const trainingJobs = kubectl([
    ...[
      'get',
      'jobs',
      '-n',
      namespace,
      '-o',
      'jsonpath={range .items[*]}{.metadata.ownerReferences[0].kind}{"\\n"}{end}',
    ],
  ]);
  assert.equal(trainingJobs.split('\n').filter((kind) => kind === 'TrainingJob').length, 1);
  assert.deepEqual(list('mv'), ['modelversion.slipway.dev/iris-v1']);
  const runs = await rows<{ status: string }>('select status from slipway.runs where namespace = $1', [namespace]);
  assert.deepEqual(runs, [{ status: 'FINISHED' }]);
  const versions = await rows<{ version: number }>(
    'select version::int from slipway.model_versions where namespace = $1',
    [namespace],
  );
  assert.deepEqual(versions, [{ version: 1 }]);
  assert.equal(get(namespace, 'tj/iris').status.runs.length, 1);
});

test('a finished run is not run again because its Job is gone', async () => {
  kubectl(['delete', 'jobs', '--all', '-n', namespace, '--wait=true']);
  killOperator();
  // A change that trains nothing: the condition for its generation can only come from the operator that is new.
  patch(namespace, 'tj/iris', { spec: { retries: 0 } });
  await waitForCondition(namespace, 'tj/iris', { type: 'Succeeded', status: 'True' });
  assert.deepEqual(list('jobs'), []);
  assert.equal(get(namespace, 'tj/iris').status.runs.length, 1);
});
