/** Training by the service's own API: a client inside the cluster starts runs, and the service brings their versions in. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type ClientPod, clientPod, type Heard } from '../support/client-pod.ts';
import { get, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
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
import { service } from '../support/manifests.ts';
import { predict } from '../support/predict.ts';

const namespace = uniqueNamespace('e2e-train-api');
const abalone = { sex: 'M', length: 0.455, diameter: 0.365, height: 0.095 };
const weights = { whole_weight: 0.514, shucked_weight: 0.2245, viscera_weight: 0.101, shell_weight: 0.15 };
let client: ClientPod;

const trainingJob = JSON.stringify({
  apiVersion: 'slipway.dev/v1alpha1',
  kind: 'TrainingJob',
  metadata: { name: 'abalone' },
  spec: {
    model: 'abalone',
    algorithm: { name: 'random-forest', target: 'Rings', task: 'regression' },
    parameters: { n_estimators: '10', max_depth: '6' },
    inputs: [{ name: 'train', uri: 'builtin://abalone.csv' }],
  },
});
before(async () => {
  makeNamespace(namespace);
  apply(namespace, trainingJob);
  apply(namespace, service('abalone', { model: 'abalone', api: { trainingJob: 'abalone' } }));
  apply(namespace, service('closed', { model: 'abalone' }));
  client = clientPod(namespace);
  await waitForTrainedVersion(namespace, 'abalone');
  await waitForVersion(namespace, 'abalone', 1);
});
after(() => dropNamespace(namespace));

const urlOf = (name: string, path: string): string => `http://${name}.${namespace}.svc${path}`;
const train = (parameters: object, headers: Record<string, string> = {}, name = 'abalone'): Heard =>
  client.request(urlOf(name, '/train'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(parameters),
  });
/** Looks where a 202 points to until the run has ended. */
const ended = (location: string): Promise<Heard> =>
  eventually(() => {
    const answer = client.request(urlOf('abalone', location));
    assert.notEqual(answer.body.status, 'RUNNING', `${location} goes on`);
    return answer;
  }, 180_000);
const runs = (): { runId: string; cause: string; version?: number }[] => get(namespace, 'tj/abalone').status.runs;
const RUN_ID = /^[0-9a-f]{32}$/;

test('POST /train with parameters is answered with the finished run, and the service serves its version', async () => {
  const first = train({ n_estimators: 20, max_depth: null, random_state: 7 });
  // A busy machine may need longer than a client is kept waiting.
  const { status, body } = first.status === 202 ? await ended(first.headers['location'] ?? '') : first;
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.status, body.version], ['FINISHED', 2]);
  assert.match(body.run_id, RUN_ID);
  assert.ok(body.metrics.r2 > 0.4, JSON.stringify(body.metrics));
  await waitForVersion(namespace, 'abalone', 2);
  const answer = await predict(namespace, 'abalone', { samples: [{ ...abalone, ...weights }] });
  assert.deepEqual([answer.status, answer.version], [200, '2'], answer.body);
  const [run] = runs();
  assert.deepEqual([run?.cause, run?.runId, run?.version], ['Api', body.run_id, 2]);
});

test('the run kept the parameters it was asked for, over those of the spec, which nobody changed', () => {
  const { spec } = get(namespace, 'tj/abalone') as { spec: { parameters?: object } };
  assert.deepEqual(spec.parameters, { n_estimators: '10', max_depth: '6' });
  const { items } = kubectlJson<{ items: { spec: { version: number; lineage: { runKey: string } } }[] }>(
    ...['get', 'mv', '-n', namespace],
  );
  const [second] = items.filter(({ spec: { version } }) => version === 2);
  assert.match(second?.spec.lineage.runKey ?? '', /\/r[0-9a-f-]{36}$/);
});

test('Prefer: respond-async is 202 at once, and Location tells the end; asked again under its key it is the same run', async () => {
  const key = randomUUID();
  const asked = () => train({ n_estimators: 5 }, { prefer: 'respond-async', 'idempotency-key': key });
  const [first, again] = [asked(), asked()];
  assert.deepEqual([first.status, first.body.status], [202, 'RUNNING']);
  assert.equal(first.headers['location'], `/train/${first.body.run_id}`);
  assert.equal(first.body.location, first.headers['location']);
  assert.equal(again.body.run_id, first.body.run_id);
  const { status, body } = await ended(first.headers['location'] ?? '');
  assert.deepEqual([status, body.status, body.run_id], [200, 'FINISHED', first.body.run_id]);
  assert.equal(body.version, 3);
  assert.equal(runs().filter(({ cause }) => cause === 'Api').length, 2);
});

test('two requests at the same time are two runs', async () => {
  const asked = [
    train({ n_estimators: 4 }, { prefer: 'respond-async' }),
    train({ n_estimators: 6 }, { prefer: 'respond-async' }),
  ];
  const done = await Promise.all(asked.map(({ headers }) => ended(headers['location'] ?? '')));
  assert.deepEqual(
    done.map(({ body }) => body.status),
    ['FINISHED', 'FINISHED'],
  );
  assert.deepEqual(new Set(done.map(({ body }) => body.version)), new Set([4, 5]));
});

test('what the algorithm does not understand is 422 where it stands, and no run', () => {
  const before = runs().length;
  const unknown = train({ n_estimators: 10, trees: 5 });
  assert.equal(unknown.status, 422);
  assert.deepEqual([unknown.body.detail.length, unknown.body.detail[0].loc], [1, ['body', 'trees']]);
  const wrong = train({ n_estimators: 'many' });
  assert.deepEqual([wrong.status, wrong.body.detail[0].loc], [422, ['body', 'n_estimators']]);
  assert.equal(runs().length, before);
});

test('a service that names no TrainingJob is 403 and its pods hold no token; one that names a missing one is 404', async () => {
  const closed = train({}, {}, 'closed');
  assert.equal(closed.status, 403);
  assert.match(closed.body.detail, /spec\.api\.trainingJob/);
  const volumes = kubectl(['get', 'pods', '-n', namespace, '-l', 'slipway.dev/inference-service=closed', '-o', 'json']);
  assert.ok(!volumes.includes('serviceAccountToken'));

  patch(namespace, 'infsvc/abalone', { spec: { api: { trainingJob: 'nobody' } } });
  await eventually(() => {
    const { status, body } = train({});
    assert.deepEqual([status, /TrainingJob \S+\/nobody .* does not exist/.test(body.detail)], [404, true]);
  }, 30_000);
  patch(namespace, 'infsvc/abalone', { spec: { api: { trainingJob: 'abalone' } } });
});

test('while the operator is away predictions go on, and a request is told to come again', async () => {
  const operator = ['deployment/slipway-operator', '-n', RELEASE_NAMESPACE];
  const replicas = kubectl(['get', ...operator, '-o', 'jsonpath={.spec.replicas}']);
  kubectl(['scale', ...operator, '--replicas=0']);
  try {
    kubectl([
      'wait',
      '--for=delete',
      'pod',
      '-n',
      RELEASE_NAMESPACE,
      '-l',
      'app.kubernetes.io/component=operator',
      '--timeout=60s',
    ]);
    const { status, headers } = train({});
    assert.deepEqual([status, headers['retry-after']], [503, '5']);
    assert.equal((await predict(namespace, 'abalone', { samples: [{ ...abalone, ...weights }] })).status, 200);
  } finally {
    kubectl(['scale', ...operator, `--replicas=${replicas}`]);
    kubectl(['rollout', 'status', ...operator, '--timeout=120s']);
  }
  const again = await eventually(() => {
    const answer = train({ n_estimators: 3 }, { prefer: 'respond-async' });
    assert.equal(answer.status, 202);
    return answer;
  }, 60_000);
  assert.equal((await ended(again.headers['location'] ?? '')).body.status, 'FINISHED');
});
