/** What a version must meet, the best of many trials, data somebody uploaded: from apply to what serves. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { rows } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { RELEASE_NAMESPACE } from '../support/install.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service } from '../support/manifests.ts';
import { withPortForward } from '../support/port-forward.ts';
import { predict } from '../support/predict.ts';
import { registryGet } from '../support/registry.ts';

const namespace = uniqueNamespace('e2e-gates');
before(() => makeNamespace(namespace));
after(() => dropNamespace(namespace));

const stageOf = (version: string) => get(namespace, `mv/${version}`).spec['stage'];

test('a version that passes its gates gets its stage; one that does not is kept and told, and what serves stays', async () => {
  const gate = [
    { metric: 'accuracy', min: '0.9' },
    { metric: 'accuracy', notWorseThan: { version: 'Production', by: '0.02' } },
  ];
  apply(namespace, irisTraining('iris', { register: { stage: 'Production', aliases: ['champion'], gate } }));
  apply(namespace, service('iris', { version: 'latest' }));
  await waitForCondition(namespace, 'tj/iris', { type: 'GatePassed', status: 'True' });
  await waitForVersion(namespace, 'iris', 1);
  await eventually(() => assert.equal(stageOf('iris-v1'), 'Production'), 60_000);

  // So strong a penalty that it can no longer tell two of the classes apart.
  patch(namespace, 'tj/iris', { spec: { parameters: { C: '0.00001' } } });
  assert.equal(await waitForTrainedVersion(namespace, 'iris', 1), 2);
  const failed = await waitForCondition(namespace, 'tj/iris', { type: 'GatePassed', status: 'False' });
  assert.match(failed.message, /accuracy/);
  const succeeded = await waitForCondition(namespace, 'tj/iris', { type: 'Succeeded', status: 'True' });
  assert.match(succeeded.message, /version 2/);
  const { gates } = get(namespace, 'tj/iris').status.runs[0];
  assert.equal(gates.length, 2);
  assert.match(gates.join('\n'), /version 1/, 'it says which version it was compared with');

  await waitForCondition(namespace, 'mv/iris-v2', { type: 'Ready', status: 'True' });
  assert.equal(stageOf('iris-v2'), 'None');
  assert.equal(stageOf('iris-v1'), 'Production');
  // The service is looked at once more, now that version 2 is ready.
  patch(namespace, 'infsvc/iris', { spec: { rollout: { progressDeadline: '3m' } } });
  await waitForCondition(namespace, 'infsvc/iris', { type: 'Ready', status: 'True' });
  assert.equal(get(namespace, 'infsvc/iris').status.version, 1, 'latest passes over a version whose gates failed');

  patch(namespace, 'tj/iris', { spec: { parameters: { C: '2' } } });
  assert.equal(await waitForTrainedVersion(namespace, 'iris', 2), 3);
  await waitForVersion(namespace, 'iris', 3);
  await eventually(() => {
    assert.equal(stageOf('iris-v3'), 'Production');
    assert.equal(stageOf('iris-v1'), 'Archived');
  }, 60_000);
});

test('a search registers the best of its trials and no other, as children of one run', async () => {
  apply(
    namespace,
    irisTraining('searched', {
      model: 'searched',
      search: {
        method: 'grid',
        space: { C: { values: ['0.00001', '1'] }, fit_intercept: { values: ['true', 'false'] } },
        maxTrials: 4,
        parallelism: 2,
        objective: { metric: 'validation_log_loss', goal: 'minimize' },
      },
    }),
  );
  await waitForCondition(namespace, 'tj/searched', { type: 'Succeeded', status: 'True' }, 240_000);
  const [run] = get(namespace, 'tj/searched').status.runs;
  assert.equal(run.version, 1);
  assert.deepEqual({ total: run.trials.total, succeeded: run.trials.succeeded }, { total: 4, succeeded: 4 });
  assert.match(run.trials.best, /C=1/);
  const children = await rows<{ run_id: string; version: number | null; loss: number }>(
    `SELECT r.run_id, r.version, m.value AS loss FROM slipway.runs r
       JOIN slipway.tags t ON t.namespace = r.namespace AND t.run_id = r.run_id AND t.key = 'mlflow.parentRunId'
       JOIN slipway.latest_metrics m ON m.namespace = r.namespace AND m.run_id = r.run_id AND m.key = 'validation_log_loss'
       WHERE r.namespace = $1 AND t.value = $2`,
    [namespace, run.runId],
  );
  assert.equal(children.length, 4);
  const best = Math.min(...children.map(({ loss }) => loss));
  assert.equal(Number(run.metrics.validation_log_loss), Number(best.toPrecision(6)));
  const versions = await rows('SELECT version FROM slipway.model_versions WHERE namespace = $1 AND model = $2', [
    namespace,
    'searched',
  ]);
  assert.equal(versions.length, 1);
  await waitForCondition(namespace, 'mv/searched-v1', { type: 'Ready', status: 'True' });
});

test('raw rows, text and all, go in and a number comes out: abalone by a random forest', async () => {
  apply(namespace, readFileSync('examples/abalone.yaml', 'utf8'));
  await waitForCondition(namespace, 'tj/abalone', { type: 'Succeeded', status: 'True' }, 180_000);
  await waitForVersion(namespace, 'abalone', 1, 180_000);
  const { inputs } = get(namespace, 'mv/abalone-v1').status.signature as {
    inputs: { name: string; type: string; categories?: string[] }[];
  };
  const sex = inputs.find(({ type }) => type === 'string');
  assert.deepEqual(sex?.categories, ['F', 'I', 'M']);
  const values = [0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15];
  const row = Object.fromEntries(
    inputs.map(({ name, type }) => [name, type === 'string' ? 'M' : (values.shift() as number)]),
  );
  const answer = await predict(namespace, 'abalone', { samples: [row] });
  assert.equal(answer.status, 200, answer.body);
  const [rings] = JSON.parse(answer.body).prediction as number[];
  assert.ok((rings as number) > 5 && (rings as number) < 18, `15 rings were counted, ${rings} predicted`);
  const unknown = await predict(namespace, 'abalone', { samples: [{ ...row, [sex?.name ?? '']: 'X' }] });
  assert.equal(unknown.status, 422);
  assert.match(unknown.body, /F, I.* M|F.*I.*M/);
  const run = get(namespace, 'tj/abalone').status.runs[0];
  assert.ok(Number(run.metrics.r2) > 0.45, `r2 ${run.metrics.r2}`);
});

/** A token of the default account of the namespace, allowed to edit there. */
function editorToken(): string {
  kubectl([
    ...['create', 'rolebinding', 'editor', '-n', namespace, '--clusterrole=slipway-edit'],
    `--serviceaccount=${namespace}:default`,
  ]);
  return kubectl(['create', 'token', 'default', '-n', namespace]).trim();
}

test('what was uploaded by curl -T is trained on by name, and its digest is kept with run and version', async () => {
  const token = editorToken();
  const sha256 = await withPortForward(RELEASE_NAMESPACE, 'svc/slipway-registry', 5000, async (url) => {
    const answer = await fetch(`${url}/n/${namespace}/data/flowers.csv`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body: readFileSync('trainer-image/data/iris.csv'),
    });
    assert.ok(answer.ok, await answer.clone().text());
    return ((await answer.json()) as { sha256: string }).sha256;
  });
  apply(
    namespace,
    irisTraining('flowers', { model: 'flowers', inputs: [{ name: 'train', uri: 'data://flowers.csv' }] }),
  );
  await waitForCondition(namespace, 'tj/flowers', { type: 'Succeeded', status: 'True' });
  await eventually(() => get(namespace, 'mv/flowers-v1'));
  const lineage = get(namespace, 'mv/flowers-v1').spec['lineage'] as { inputs: unknown };
  assert.deepEqual(lineage.inputs, [{ name: 'train', uri: 'data://flowers.csv', sha256 }]);
  const { runId } = get(namespace, 'tj/flowers').status.runs[0];
  const run = await registryGet(`/n/${namespace}/api/2.0/mlflow/runs/get?run_id=${runId}`);
  const { inputs } = JSON.parse(run.body).run;
  assert.match(JSON.stringify(inputs.dataset_inputs), new RegExp(sha256), 'mlflow shows the data set of the run');

  apply(namespace, irisTraining('nowhere', { inputs: [{ name: 'train', uri: 'data://nowhere.csv' }] }));
  const missing = await waitForCondition(namespace, 'tj/nowhere', { type: 'Succeeded', status: 'False' });
  assert.equal(missing.reason, 'InputNotFound');
  assert.match(missing.message, /nowhere\.csv.*curl -T/);
});

test('tracking switched off: the version is registered, and mlflow has no run to show', async () => {
  apply(namespace, irisTraining('untracked', { model: 'untracked', tracking: { enabled: false } }));
  await waitForCondition(namespace, 'tj/untracked', { type: 'Succeeded', status: 'True' });
  const { runId, version, metrics } = get(namespace, 'tj/untracked').status.runs[0];
  assert.equal(version, 1);
  assert.ok(Number(metrics.accuracy) > 0.9, 'the status still says how good it is');
  const run = await registryGet(`/n/${namespace}/api/2.0/mlflow/runs/get?run_id=${runId}`);
  assert.equal(run.status, 404, run.body);
});
