/** An unmodified mlflow client beside kubectl: what one registers the other serves, and either may change. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { conditionOf, get, waitForCondition, waitForVersion } from '../support/conditions.ts';
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
import { service } from '../support/manifests.ts';
import { mlflowTrainerImage } from '../support/mlflow-trainer.ts';
import { type Notebook, openNotebook } from '../support/notebook.ts';
import { predict } from '../support/predict.ts';
import { registryGet } from '../support/registry.ts';
import { CommandError } from '../support/run.ts';

const namespace = uniqueNamespace('e2e-mlflow');
let notebook: Notebook;

before(async () => {
  makeNamespace(namespace);
  notebook = await openNotebook(namespace);
});
after(() => dropNamespace(namespace));

/** Python that prints one JSON value made with a MlflowClient `c`. */
const ask = <T>(expression: string): T =>
  JSON.parse(notebook.python(`import json, mlflow\nc = mlflow.MlflowClient()\nprint(json.dumps(${expression}))`)) as T;
const tell = (statements: string): string => notebook.python(`import mlflow\nc = mlflow.MlflowClient()\n${statements}`);

/** What a script that fails says last. */
function failureOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof CommandError);
    return error.stderr;
  }
  throw new assert.AssertionError({ message: 'it did not fail' });
}

/** A flower in the words of the version's signature. */
function flower(version: string): Record<string, number> {
  const { inputs } = get(namespace, `mv/${version}`).status.signature as { inputs: { name: string }[] };
  return Object.fromEntries(inputs.map(({ name }, index) => [name, [5.1, 3.5, 1.4, 0.2][index] as number]));
}

test('a script that logs an ONNX model and moves it to Production is served by its stage, default ZipMap and all', async () => {
  const printed = notebook.python(readFileSync('examples/mlflow/iris_onnx.py', 'utf8'));
  assert.match(printed, /Production/);
  await waitForCondition(namespace, 'mv/iris-onnx-v1', { type: 'Ready', status: 'True' });
  apply(namespace, service('iris', { model: 'iris-onnx', version: 'Production' }));
  await waitForVersion(namespace, 'iris', 1);
  const answer = await predict(namespace, 'iris', { samples: [flower('iris-onnx-v1')] });
  assert.equal(answer.status, 200, answer.body);
  assert.deepEqual(JSON.parse(answer.body).class_id, [0], answer.body);
});

test('the classic script registers a pickle: it is tracked, and says what would make it servable', async () => {
  notebook.python(readFileSync('examples/mlflow/iris.py', 'utf8'));
  const servable = await waitForCondition(namespace, 'mv/iris-classifier-v1', {
    type: 'Servable',
    status: 'False',
    reason: 'FormatNotServable',
  });
  assert.match(servable.message, /mlflow\.onnx\.log_model/);
  assert.equal(ask('c.get_model_version("iris-classifier", "1").status'), 'READY');
  assert.equal(get(namespace, 'mv/iris-classifier-v1').spec['stage'], 'Production');
});

test('the objects follow the client, and the client follows kubectl', async () => {
  tell(
    'c.set_registered_model_alias("iris-onnx", "champion", "1")\nc.set_model_version_tag("iris-onnx", "1", "team", "flowers")',
  );
  await eventually(() => {
    const { spec } = get(namespace, 'mv/iris-onnx-v1');
    assert.deepEqual(spec['aliases'], ['champion']);
    assert.equal((spec['tags'] as Record<string, string>)['team'], 'flowers');
  }, 20_000);
  patch(namespace, 'mv/iris-onnx-v1', {
    spec: { stage: 'Staging', description: 'first of its kind', aliases: ['best'] },
  });
  await eventually(() => {
    const seen = ask<string[]>(
      '(lambda v: [v.current_stage, v.description, *v.aliases])(c.get_model_version("iris-onnx", "1"))',
    );
    assert.deepEqual(seen, ['Staging', 'first of its kind', 'best']);
  }, 30_000);
  patch(namespace, 'mv/iris-onnx-v1', { spec: { stage: 'Production' } });
  await eventually(
    () => assert.equal(ask('c.get_model_version("iris-onnx", "1").current_stage'), 'Production'),
    30_000,
  );
});

test('what is served can be deleted from neither side', async () => {
  const refusal = failureOf(() => tell('c.delete_model_version("iris-onnx", "1")'));
  assert.match(refusal, /RESOURCE_CONFLICT/);
  assert.match(refusal, /InferenceService/);
  kubectl(['delete', 'mv', 'iris-onnx-v1', '-n', namespace, '--wait=false']);
  await waitForCondition(namespace, 'mv/iris-onnx-v1', { type: 'DeletionBlocked', status: 'True', reason: 'InUse' });
  assert.equal(ask('c.get_model_version("iris-onnx", "1").status'), 'READY');
});

test('which version was Production is answered for any time', async () => {
  const path = `/api/v1/namespaces/${namespace}/models/iris-onnx/history`;
  const now = JSON.parse((await registryGet(`${path}?at=${new Date().toISOString()}`)).body);
  assert.deepEqual(now.stages.Production, [1]);
  const before = JSON.parse((await registryGet(`${path}?at=2020-01-01T00:00:00Z`)).body);
  assert.deepEqual(before.stages, {});
});

test('a reader reads and does not write', async () => {
  const reader = await openNotebook(namespace, 'slipway-view');
  assert.match(
    reader.python('import mlflow\nprint(mlflow.MlflowClient().get_model_version("iris-onnx", "1").status)'),
    /READY/,
  );
  const refusal = failureOf(() => reader.python('import mlflow\nmlflow.set_experiment("mine")'));
  assert.match(refusal, /PERMISSION_DENIED/);
  assert.match(refusal, /kubectl create rolebinding/);
});

const mlflowJob = (name: string, script: string, spec: Record<string, unknown> = {}) => ({
  apiVersion: 'slipway.dev/v1alpha1',
  kind: 'TrainingJob',
  metadata: { name },
  spec: {
    container: { image: 'slipway/test-mlflow-trainer:dev', command: ['python3', '-c'], args: [script] },
    retries: 0,
    deadline: '5m',
    ...spec,
  },
});

/** The run a TrainingJob is at, as the MLflow client sees it. */
const runOf = (job: string) => {
  const id = get(namespace, `tj/${job}`).status.runs[0].runId as string;
  return ask<{ status: string; metrics: Record<string, number>; params: Record<string, string> }>(
    `(lambda r: {"status": r.info.status, "metrics": r.data.metrics, "params": r.data.params})(c.get_run("${id}"))`,
  );
};

test('an unmodified mlflow script in a TrainingJob logs into the run the operator made, and what it registers is adopted', async () => {
  await mlflowTrainerImage();
  const script = readFileSync('examples/mlflow/iris_onnx.py', 'utf8');
  apply(namespace, JSON.stringify(mlflowJob('notebook', script, { model: 'iris-onnx', experiment: 'iris' })));
  await waitForCondition(namespace, 'tj/notebook', { type: 'Succeeded', status: 'True' }, 240_000);
  assert.equal(get(namespace, 'tj/notebook').status.runs[0].version, 2);
  const run = runOf('notebook');
  assert.equal(run.status, 'FINISHED');
  assert.ok((run.metrics['accuracy'] ?? 0) > 0.9, JSON.stringify(run));
  assert.equal(run.params['C'], '1.0');
});

test('a run whose pod dies is closed', async () => {
  const script = 'import mlflow, os\nmlflow.start_run()\nmlflow.log_metric("loss", 1.0)\nos._exit(137)';
  apply(namespace, JSON.stringify(mlflowJob('dies', script)));
  await waitForCondition(namespace, 'tj/dies', { type: 'Succeeded', status: 'False' });
  const run = runOf('dies');
  assert.equal(run.status, 'FAILED');
  assert.deepEqual(run.metrics, { loss: 1 });
});

test('another namespace sees nothing of it', async () => {
  const elsewhere = {
    MLFLOW_TRACKING_URI: notebook.environment['MLFLOW_TRACKING_URI']?.replace(namespace, 'kube-system') ?? '',
  };
  const refusal = failureOf(() =>
    notebook.python('import mlflow\nprint(mlflow.MlflowClient().search_registered_models())', elsewhere),
  );
  assert.match(refusal, /PERMISSION_DENIED/);
  assert.equal(kubectlJson<{ items: unknown[] }>('get', 'mv', '-n', 'kube-system').items.length, 0);
  assert.ok(conditionOf(get(namespace, 'infsvc/iris'), 'Ready'));
});
