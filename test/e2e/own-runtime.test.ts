/** A server image of the user's own: what mlflow's own server does with a scikit-learn model that mlflow logged, behind our headers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ClientPod, clientPod } from '../support/client-pod.ts';
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
import { MLFLOW_TRAINER_IMAGE } from '../support/mlflow-trainer.ts';
import { openNotebook } from '../support/notebook.ts';
import { switchLoad } from '../support/switch-load.ts';

const namespace = uniqueNamespace('e2e-runtime');
const BODY = '{"inputs": [[1.0]]}';
/** As Python writes it. */
const answerOf = (version: number) => `{"predictions": [${version}.0]}`;
let client: ClientPod;

/** Versions 1 and 2 give their number for 1; the third can be loaded where it was made and nowhere else. */
const SCRIPT = `
import mlflow, numpy, os
from sklearn.linear_model import LinearRegression
mlflow.set_experiment("own")
X = numpy.array([[0.0], [1.0]])
for k in (1, 2):
    model = LinearRegression().fit(X, X[:, 0] * k)
    model.coef_ = numpy.array([float(k)]); model.intercept_ = 0.0
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="model", registered_model_name="own", input_example=X[1:], pip_requirements=["scikit-learn"])

class Stubborn(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        if os.path.isdir("/model"):
            raise RuntimeError("this version cannot be loaded here")
    def predict(self, context, model_input):
        return [3]

with mlflow.start_run():
    mlflow.pyfunc.log_model(name="model", python_model=Stubborn(), registered_model_name="own", pip_requirements=[])
`;

/** What \`mlflow models serve --env-manager local\` starts; bound so that nobody gets past the front. */
const runtime = {
  image: MLFLOW_TRAINER_IMAGE,
  protocol: 'mlflow',
  command: ['python3', '-m', 'uvicorn'],
  args: ['--host', '127.0.0.1', '--port', '$(PORT)', 'mlflow.pyfunc.scoring_server.app:app'],
  env: [{ name: '__pyfunc_model_path__', value: '/model' }],
};

before(async () => {
  makeNamespace(namespace);
  const notebook = await openNotebook(namespace);
  notebook.python(SCRIPT);
  client = clientPod(namespace);
  apply(namespace, service('own', { model: 'own', version: 1, runtime }));
  await waitForVersion(namespace, 'own', 1);
});
after(() => dropNamespace(namespace));

const invoke = (headers: Record<string, string> = {}) =>
  client.request(`http://own.${namespace}.svc/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: BODY,
  });

test('a pickle that no built-in server takes is answered by mlflow’s own, with the version and the digest on every answer', async () => {
  const answer = invoke({ 'x-request-id': 'mine-1' });
  assert.equal(answer.status, 200, JSON.stringify(answer));
  assert.deepEqual(answer.body, { predictions: [1] });
  const { digest, version, endpoints } = get(namespace, 'infsvc/own').status;
  assert.equal(version, 1);
  assert.equal(answer.headers['x-model-version'], '1');
  assert.equal(answer.headers['x-artifact-sha256'], digest);
  assert.equal(answer.headers['x-request-id'], 'mine-1');
  assert.deepEqual(endpoints, [{ protocol: 'mlflow', url: `http://own.${namespace}.svc/invocations` }]);
  const health = client.request(`http://own.${namespace}.svc/health`);
  assert.deepEqual([health.body.engine, health.body.model_version, health.body.status], ['runtime', '1', 'ok']);
  assert.notEqual(conditionOf(get(namespace, 'mv/own-v1'), 'Servable')?.status, 'True');
});

test('the server holds no credential, writes nothing but /tmp, and is reached by nobody but the front', () => {
  const { items } = kubectlJson<{ items: { metadata: { name: string }; status: { podIP: string } }[] }>(
    ...['get', 'pods', '-n', namespace, '-l', 'slipway.dev/inference-service=own'],
  );
  const [{ metadata, status } = assert.fail('no pod')] = items;
  const look = `
import json, os
def can(path):
    try:
        with open(path, "w"): pass
        return True
    except OSError: return False
print(json.dumps({
  "writes": [d for d in ("/", "/model", "/tmp", "/credentials") if can(d + "/x")],
  "there": [d for d in ("/credentials", "/var/run/secrets") if os.path.exists(d)],
  "secret": [k for k in os.environ if "TOKEN" in k or "PASSWORD" in k or "SECRET" in k],
  "uid": os.getuid(),
  "told": {k: os.environ.get(k) for k in ("MODEL_DIR", "MODEL_NAME", "MODEL_VERSION", "PORT")}}))`;
  const found = kubectl(['exec', metadata.name, '-n', namespace, '-c', 'server', '--', 'python3', '-c', look]);
  assert.deepEqual(JSON.parse(found), {
    writes: ['/tmp'],
    there: [],
    secret: [],
    uid: 65532,
    told: { MODEL_DIR: '/model', MODEL_NAME: 'own', MODEL_VERSION: '1', PORT: '8080' },
  });
  assert.throws(() => client.request(`http://${status.podIP}:8080/ping`), /ECONNREFUSED|fetch failed/);
});

test('a switch under load loses no request, and every answer is of the version its header names', async (t) => {
  const load = await switchLoad(namespace, 'own', {
    url: `http://own.${namespace}.svc/invocations`,
    body: BODY,
    answers: { 1: answerOf(1), 2: answerOf(2) },
    clients: { kept: 2, fresh: 1, slow: 1 },
    pauseMs: 50,
  });
  await load.warm(20);
  const from = Date.now();
  patch(namespace, 'infsvc/own', { spec: { version: '2' } });
  await waitForVersion(namespace, 'own', 2);
  load.switched(from, Date.now());
  await load.warm(20);
  const result = await load.finish();
  t.diagnostic(`${result.failures} failed of ${result.requests} requests over a switch`);
  assert.equal(result.failures, 0, JSON.stringify(result));
  assert.deepEqual(Object.keys(result.versions).sort(), ['1', '2']);
});

test('a version whose folder the server cannot load is turned down in the server’s own words, and the old one goes on', async () => {
  patch(namespace, 'infsvc/own', { spec: { version: '3' } });
  const rejected = { type: 'Ready', status: 'False', reason: 'VersionRejected' };
  // Python takes its time to start, and is given three tries or the whole of spec.rollout.progressDeadline.
  const ready = await waitForCondition(namespace, 'infsvc/own', rejected, 240_000);
  assert.match(ready.message, /version 3 was rejected: CrashLoop: .*this version cannot be loaded here/s);
  assert.equal(conditionOf(get(namespace, 'infsvc/own'), 'Available')?.status, 'True');
  assert.equal(invoke().headers['x-model-version'], '2');
  patch(namespace, 'infsvc/own', { spec: { version: 'latest' } });
  await waitForVersion(namespace, 'own', 2);
});

test('a server that dies is back by itself, and is asked nothing until it is', async () => {
  const [pod] = kubectl(['get', 'pods', '-n', namespace, '-l', 'slipway.dev/version=2', '-o', 'name'])
    .trim()
    .split('\n');
  kubectl(['exec', pod as string, '-n', namespace, '-c', 'server', '--', 'python3', '-c', 'import os; os.kill(1, 15)']);
  await eventually(
    () => assert.equal(conditionOf(get(namespace, 'infsvc/own'), 'Available')?.status, 'False'),
    30_000,
    50,
  );
  await waitForVersion(namespace, 'own', 2);
  // The kubelet takes a container that runs for ready until it has asked the front.
  await eventually(() => assert.equal(invoke().status, 200), 120_000);
});

test('fields that would do nothing are refused with the reason', () => {
  for (const [spec, words] of [
    [
      { engine: 'compiled' },
      /engine chooses what computes the model in the built-in server: leave it out with runtime/,
    ],
    [{ predictionLog: { enabled: false } }, /predictionLog is written by the built-in server/],
    [{ runtime: { ...runtime, port: 9080 } }, /9080 is where the pod itself listens/],
    [
      { runtime: { ...runtime, env: [{ name: 'PORT', value: '1' }] } },
      /MODEL_DIR, MODEL_NAME, MODEL_VERSION, PORT are set/,
    ],
  ] as const) {
    assert.throws(() => apply(namespace, service('wrong', { model: 'own', runtime, ...spec })), words);
  }
});
