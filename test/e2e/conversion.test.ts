/** An unmodified script outside Kubernetes logs a scikit-learn model; what it moves to Production answers here, as ONNX. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { after, before, test } from 'node:test';
import { NoPython, pythonWith } from '../conformance/venv.ts';
import { get, waitForCondition, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { type OutsideClient, openOutside } from '../support/outside.ts';
import { withPortForward } from '../support/port-forward.ts';
import { derivedKeys, noConverter } from '../support/python-models.ts';

const namespace = uniqueNamespace('e2e-convert');
const SCRIPT = 'examples/classic/train.py';
let client: OutsideClient;
let newest: string;
let oldest: string;
let skip = noConverter() ?? '';

before(async () => {
  if (skip) return;
  try {
    newest = await pythonWith('test/conformance/python/requirements-new.txt');
    oldest = await pythonWith('test/conformance/python/requirements-old.txt');
  } catch (error) {
    if (!(error instanceof NoPython)) throw error;
    skip = error.message;
    return;
  }
  makeNamespace(namespace);
  client = await openOutside(namespace);
});
after(async () => {
  await client?.stop();
  if (!skip) dropNamespace(namespace);
});

const story = (name: string, work: () => Promise<void>) =>
  test(name, async (t) => (skip ? t.skip(skip) : await work()));

const MODEL = 'iris-classifier';
const label = (value: string) => kubectl(['label', 'namespace', namespace, `slipway.dev/convert${value}`]);

interface PodStatus {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly phase: string;
    readonly initContainerStatuses?: readonly {
      readonly name: string;
      readonly state: { readonly terminated?: object };
    }[];
  };
}

/** Kills the pod of a conversion when its model is converted and not yet recorded; its name. */
const killLate = (version: string): Promise<string> =>
  eventually(
    () => {
      const { items } = kubectlJson<{ items: PodStatus[] }>(
        ...['get', 'pods', '-n', namespace, '-l', `slipway.dev/model-version=${version}`],
      );
      const pod = items.find(({ status }) =>
        status.initContainerStatuses?.some(({ name, state }) => name === 'convert' && state.terminated),
      );
      assert.ok(pod && pod.status.phase !== 'Succeeded', 'nothing to kill yet');
      kubectl(['delete', 'pod', pod.metadata.name, '-n', namespace, '--grace-period=0', '--force', '--wait=false']);
      return pod.metadata.name;
    },
    120_000,
    50,
  );

/** One POST to a service, through a port-forward. */
const ask = (path: string, body: object): Promise<{ version: string | null; answer: unknown }> =>
  eventually(
    () =>
      withPortForward(namespace, `svc/${MODEL}`, 80, async (url) => {
        const headers = { 'content-type': 'application/json' };
        const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
        const text = await response.text();
        assert.equal(response.status, 200, text);
        return { version: response.headers.get('x-model-version'), answer: JSON.parse(text) };
      }),
    20_000,
  );

story('without the label the version is tracked, and says how it is switched on', async () => {
  client.python(newest, [SCRIPT]);
  const servable = { type: 'Servable', status: 'False', reason: 'FormatNotServable' };
  const { message } = await waitForCondition(namespace, `mv/${MODEL}-v1`, servable);
  assert.ok(message.includes(`kubectl label namespace ${namespace} slipway.dev/convert=enabled`), message);
  assert.deepEqual(kubectlJson<{ items: unknown[] }>('get', 'jobs', '-n', namespace).items, []);
});

story('with it the Production version answers within a minute, in the words of two protocols', async () => {
  const started = performance.now();
  label('=enabled');
  apply(namespace, readFileSync('examples/classic/service.yaml', 'utf8'));
  await waitForVersion(namespace, MODEL, 1);
  const seconds = (performance.now() - started) / 1000;
  const invocations = await ask('/invocations', { inputs: [[5.1, 3.5, 1.4, 0.2]] });
  assert.deepEqual(invocations, { version: '1', answer: { predictions: [0] } });
  const flower = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };
  const { answer } = await ask('/predict', { samples: [flower] });
  assert.deepEqual((answer as { class_id: number[] }).class_id, [0], JSON.stringify(answer));
  const { status, spec } = get(namespace, `mv/${MODEL}-v1`);
  console.log(`# answered after ${seconds.toFixed(0)} s; converted in ${status.conversion.seconds} s`);
  // On a machine that others use at the same time it takes as much longer as they are many.
  const crowd = Math.max(1, loadavg()[0] as number) / availableParallelism();
  assert.ok(seconds < 60 * Math.max(1, crowd), `${seconds} s at ${crowd.toFixed(1)} processes for each processor`);
  assert.match(status.conversion.estimator, /LogisticRegression$/);
  assert.ok(status.conversion.parity.rows >= 1000, JSON.stringify(status.conversion));
  assert.equal(status.conversion.from.uri, (spec['source'] as { uri: string }).uri);
  assert.match(status.artifact.uri, new RegExp(`^s3://slipway/${namespace}/derived/${MODEL}/1/[0-9a-f]{64}$`));
  const ready = await waitForCondition(namespace, `mv/${MODEL}-v1`, {
    type: 'Ready',
    status: 'True',
    reason: 'Converted',
  });
  assert.match(ready.message, /LogisticRegression with .*scikit-learn 1\.9\.1.*rows answered as by the original/);
});

story('the network of conversions is closed by a policy that goes with them', async () => {
  const policy = kubectlJson<{
    spec: { policyTypes: string[]; egress: unknown[] };
    metadata: { ownerReferences: { name: string }[] };
  }>(...['get', 'networkpolicy', 'slipway-convert', '-n', namespace]);
  assert.deepEqual(policy.spec.policyTypes, ['Ingress', 'Egress']);
  assert.equal(policy.spec.egress.length, 2);
  assert.deepEqual(
    policy.metadata.ownerReferences.map(({ name }) => name),
    [`${MODEL}-v1`],
  );
});

story('a second version by an old client, killed when it is nearly done, is converted all the same', async () => {
  client.python(oldest, [SCRIPT], { STAGE: 'Staging', C: '0.01' });
  const killed = await killLate(`${MODEL}-v2`).catch((error: Error) => error.message);
  console.log(`# killed: ${killed}`);
  await waitForCondition(namespace, `mv/${MODEL}-v2`, { type: 'Ready', status: 'True', reason: 'Converted' }, 180_000);
});

story('switching stages switches traffic', async () => {
  await waitForCondition(namespace, `mv/${MODEL}-v2`, { type: 'Ready', status: 'True', reason: 'Converted' });
  assert.equal((await ask('/invocations', { inputs: [[5.1, 3.5, 1.4, 0.2]] })).version, '1');
  const move = (version: number, stage: string) =>
    client.python(newest, [
      '-c',
      `import mlflow; mlflow.MlflowClient().transition_model_version_stage("${MODEL}", "${version}", "${stage}", archive_existing_versions=True)`,
    ]);
  move(2, 'Production');
  await waitForVersion(namespace, MODEL, 2);
  assert.equal((await ask('/invocations', { inputs: [[5.1, 3.5, 1.4, 0.2]] })).version, '2');
});

story('what is proven stays when the label goes', async () => {
  label('-');
  await waitForCondition(namespace, `mv/${MODEL}-v2`, { type: 'Ready', status: 'True', reason: 'Converted' });
  assert.equal((await ask('/invocations', { inputs: [[6.9, 3.1, 5.4, 2.1]] })).version, '2');
  const { uri } = get(namespace, `mv/${MODEL}-v2`).status.artifact as { uri: string };
  const stored = await derivedKeys(namespace);
  assert.equal(stored.filter((key) => uri.endsWith(key.split('/').slice(0, -1).join('/'))).length, 5, stored.join(' '));
  await eventually(
    () => assert.deepEqual(kubectlJson<{ items: unknown[] }>('get', 'jobs', '-n', namespace).items, []),
    30_000,
  );
});
