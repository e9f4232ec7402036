/** The main job, end to end: apply, train, register, serve, train again, switch and switch back under load. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { get, waitForCondition, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { RELEASE_NAMESPACE } from '../support/install.ts';
import {
  apply,
  dropNamespace,
  kubectl,
  kubectlJson,
  makeNamespace,
  patch,
  uniqueNamespace,
} from '../support/kubectl.ts';
import { loadFromInside } from '../support/load-pod.ts';
import { setosa, virginica } from '../support/manifests.ts';
import { withPortForward } from '../support/port-forward.ts';
import { predict } from '../support/predict.ts';

const namespace = uniqueNamespace('e2e-loop');
before(() => makeNamespace(namespace));
after(() => dropNamespace(namespace));

test('nine lines train, register and serve a model', async () => {
  apply(namespace, readFileSync('examples/iris.yaml', 'utf8'));
  await waitForCondition(namespace, 'tj/iris', { type: 'Succeeded', status: 'True' });
  await waitForVersion(namespace, 'iris', 1);

  const run = get(namespace, 'tj/iris').status.runs[0];
  assert.equal(run.version, 1);
  assert.ok(Number(run.metrics.accuracy) > 0.9, `accuracy ${run.metrics.accuracy}`);

  const version = get(namespace, 'mv/iris-v1');
  assert.deepEqual(version.status.servedBy, ['iris']);
  assert.equal(version.status.artifact.digest.length, 64);

  const answer = await predict(namespace, 'iris', { samples: [setosa, virginica] });
  assert.deepEqual(JSON.parse(answer.body), { class_id: [0, 2], class_label: ['setosa', 'virginica'] });
  assert.equal(answer.version, '1');
});

test('the objects explain themselves to somebody who types kubectl get', () => {
  const table = kubectl(['get', 'tj,mv,infsvc', '-n', namespace]);
  for (const expected of [
    /trainingjob\S+iris\s+iris\s+True\s+Completed\s+(1|0\.9\d*)\s+1/,
    /iris-v1\s+iris\s+1\s+None\s+True/,
  ]) {
    assert.match(table, expected);
  }
  assert.match(
    table,
    /inferenceservice\S+iris\s+iris\s+latest\s+1\s+True\s+\S+\s+1\s+http:\/\/iris\.e2e-loop-[0-9a-f]+\.svc/,
  );
  const events = kubectlJson<{ items: { regarding?: { kind: string }; reason: string }[] }>(
    ...['get', 'events.events.k8s.io', '-n', namespace],
  ).items;
  const ours = events.filter(({ regarding }) => regarding?.kind === 'TrainingJob').map(({ reason }) => reason);
  assert.ok(ours.includes('Completed'), `events of the TrainingJob: ${ours}`);
});

/** How often the operator has reconciled an object of each kind so far. */
const reconciles = () =>
  withPortForward(RELEASE_NAMESPACE, 'svc/slipway-operator', 8080, async (url) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const counts: Record<string, number> = {};
    for (const [, kind = '', count] of text.matchAll(/^slipway_reconcile_total\{[^}]*kind="(\w+)"[^}]*\} (\d+)/gm)) {
      counts[kind] = (counts[kind] ?? 0) + Number(count);
    }
    return counts;
  });

test('an unchanged world is left alone: looked at again, no child is written', async () => {
  const children = ['deployment/iris', 'service/iris', 'pdb/iris', 'mv/iris-v1'];
  const versions = () =>
    children.map(
      (child) =>
        kubectlJson<{ metadata: { resourceVersion: string } }>('get', child, '-n', namespace).metadata.resourceVersion,
    );
  const [before, looks] = [versions(), await reconciles()];
  // Something unrelated wakes two controllers of the namespace.
  for (const parent of ['tj/iris', 'infsvc/iris']) kubectl(['annotate', parent, '-n', namespace, 'test/woken=yes']);
  await eventually(async () => {
    const now = await reconciles();
    for (const kind of ['TrainingJob', 'InferenceService']) assert.ok((now[kind] ?? 0) > (looks[kind] ?? 0), kind);
  }, 30_000);
  assert.deepEqual(versions(), before);
});

test('a change that does not concern training trains nothing; a changed parameter is a new run and a new version', async () => {
  patch(namespace, 'tj/iris', { spec: { retries: 1 } });
  await waitForCondition(namespace, 'tj/iris', { type: 'Succeeded', status: 'True' });
  assert.equal(get(namespace, 'tj/iris').status.runs.length, 1);

  patch(namespace, 'tj/iris', { spec: { parameters: { C: '0.1' } } });
  assert.equal(await waitForTrainedVersion(namespace, 'iris', 1), 2);
  await waitForVersion(namespace, 'iris', 2);
  const [latest] = get(namespace, 'tj/iris').status.runs;
  assert.equal(latest.cause, 'SpecChanged');
});

test('switching by kubectl patch, back and forth under load, loses no request', async () => {
  const load = await loadFromInside(namespace, 'iris', { samples: [setosa] });
  await load.warm(200);
  for (const version of [1, 2, 1, 2]) {
    patch(namespace, 'infsvc/iris', { spec: { version: String(version) } });
    await waitForVersion(namespace, 'iris', version);
    const answer = await predict(namespace, 'iris', { samples: [setosa] });
    assert.equal(answer.version, String(version));
  }
  const result = await load.finish();
  assert.equal(result.failures, 0, JSON.stringify(result));
  assert.ok(result.requests > 1000, `only ${result.requests} requests`);
  assert.deepEqual(Object.keys(result.versions).sort(), ['1', '2']);
});

test('the service object scales like any other, and says so', async () => {
  kubectl(['scale', 'infsvc/iris', '-n', namespace, '--replicas=2']);
  await waitForVersion(namespace, 'iris', 2);
  await waitForCondition(namespace, 'infsvc/iris', { type: 'Ready', status: 'True' });
  assert.equal(get(namespace, 'infsvc/iris').status.readyReplicas, 2);
  kubectl(['scale', 'infsvc/iris', '-n', namespace, '--replicas=1']);
  await waitForCondition(namespace, 'infsvc/iris', { type: 'Ready', status: 'True' });
});
