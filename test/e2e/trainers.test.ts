/** The trainers of examples/, built from their Dockerfiles and applied as they stand: any image becomes versions that serve. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { get, waitForCondition, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { type ExampleTrainer, loadExamples } from '../support/example-trainers.ts';
import { apply, dropNamespace, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { service, virginica } from '../support/manifests.ts';
import { predict } from '../support/predict.ts';
import { registryGet } from '../support/registry.ts';

const namespace = uniqueNamespace('e2e-trainers');
before(async () => {
  makeNamespace(namespace);
  await loadExamples();
  // Those that nobody watches run beside the one that is watched.
  applyExample('shell', { samples: '7' });
  applyExample('sklearn-mlflow');
});
after(() => dropNamespace(namespace));

interface Manifest {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly parameters: Record<string, string>; readonly container: object };
}

/** The Python trainer with every step lasting a little: on a fast machine there would be nothing to follow. */
const SLOWLY = `
import runpy, time
from sklearn.ensemble import RandomForestClassifier
fit = RandomForestClassifier.fit
def slowly(*args):
    time.sleep(0.4)
    return fit(*args)
RandomForestClassifier.fit = slowly
runpy.run_path("/app/train.py")
`;

/** Applies the example's TrainingJob, with other parameters and fields of the container where some are given; its name. */
function applyExample(name: ExampleTrainer, parameters: Record<string, string> = {}, container: object = {}): string {
  const manifest = parse(readFileSync(`examples/trainers/${name}/trainingjob.yaml`, 'utf8')) as Manifest;
  Object.assign(manifest.spec.parameters, parameters);
  Object.assign(manifest.spec.container, container);
  apply(namespace, JSON.stringify(manifest));
  return manifest.metadata.name;
}

/** The run is done, its version registered and proven; returns the run. */
async function finished(job: string, version: string) {
  await waitForCondition(namespace, `tj/${job}`, { type: 'Succeeded', status: 'True' }, 240_000);
  await waitForCondition(namespace, `mv/${version}`, { type: 'Ready', status: 'True' });
  const [run] = get(namespace, `tj/${job}`).status.runs;
  assert.equal(run.version, 1);
  return run;
}

test('a Python trainer is followed while it runs, and registers what it proved', async () => {
  const job = applyExample('onnx-python', { n_estimators: '600' }, { command: ['python3', '-c', SLOWLY] });
  const progress = await eventually(() => {
    const { status } = get(namespace, `tj/${job}`);
    assert.match(status?.progress ?? '', /^\d+(\.\d+)?% \(tree \d+ of 600\)/);
    return status.progress as string;
  }, 240_000);
  assert.doesNotMatch(progress, /^100%/);
  const run = await finished(job, 'iris-by-python-v1');
  assert.ok(Number(run.metrics.accuracy) > 0.8, JSON.stringify(run.metrics));
  assert.ok(Number(run.metrics.validation_log_loss) >= 0, 'the last value of the curve');
  const version = get(namespace, 'mv/iris-by-python-v1');
  assert.equal(version.spec['stage'], 'Staging');
  apply(namespace, service('iris', { model: 'iris-by-python' }));
  await waitForVersion(namespace, 'iris', 1);
  const answer = await predict(namespace, 'iris', { samples: [virginica] });
  assert.deepEqual(JSON.parse(answer.body).class_label, ['virginica']);
});

test('its curve is complete in the tracking server, each point with its step', async () => {
  const { runId } = get(namespace, 'tj/iris-by-python').status.runs[0];
  const api = `/n/${namespace}/api/2.0/mlflow`;
  const { run } = JSON.parse((await registryGet(`${api}/runs/get?run_id=${runId}`)).body);
  assert.equal(run.info.status, 'FINISHED');
  const path = `${api}/metrics/get-history?run_id=${runId}&metric_key=validation_log_loss`;
  const { metrics } = JSON.parse((await registryGet(path)).body) as { metrics: { step: number }[] };
  const steps = metrics.map(({ step }) => Number(step));
  const every = Array.from({ length: 60 }, (_, index) => (index + 1) * 10);
  assert.deepEqual(
    steps.sort((a, b) => a - b),
    every,
    'no point is lost or told twice',
  );
});

test('a shell script that writes two files is a trainer', async () => {
  const run = await finished('line-by-shell', 'line-by-shell-v1');
  assert.equal(run.metrics.samples, '7');
});

test('an mlflow script as it stands logs into the run that was made for it', async () => {
  const run = await finished('wine', 'wine-v1');
  assert.ok(Number(run.metrics.accuracy) > 0.9, JSON.stringify(run.metrics));
});
