/**
 * The whole loop in one command, on the cluster in use: train, register, serve, train again, switch, switch back.
 * Every line it prints with a `$` is what a user would type.
 */
import { readFileSync } from 'node:fs';
import { eventually } from '../test/support/eventually.ts';
import { kubectl, kubectlJson } from '../test/support/kubectl.ts';
import { type Prediction, predict } from '../test/support/predict.ts';

const namespace = process.env['DEMO_NAMESPACE'] ?? 'demo';
const started = performance.now();
const flower = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };

const say = (text: string) =>
  console.log(`[${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s] ${text}`);

function shown(...args: string[]): void {
  console.log(`        $ kubectl ${args.map((arg) => (/[{} ]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`);
  console.log(kubectl(args, { timeoutMs: 300_000 }).trimEnd().replaceAll(/^/gm, '        '));
}

function showPrediction(answer: Prediction): void {
  console.log(`        $ curl -s http://iris.${namespace}.svc/predict -H 'content-type: application/json' \\`);
  console.log(`            -d '${JSON.stringify({ samples: [flower] })}'`);
  console.log(`        ${answer.body}    (version ${answer.version})`);
}

/** Waits until the service says Ready with this version, then asks it. */
async function answerOf(version: number): Promise<Prediction> {
  await eventually(() => {
    const { status } = kubectlJson<{ status?: { version?: number; conditions?: { type: string; status: string }[] } }>(
      ...['get', 'infsvc', 'iris', '-n', namespace],
    );
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
    if (status?.version !== version || ready !== 'True') throw new Error(`version ${status?.version}, Ready ${ready}`);
  }, 180_000);
  return predict(namespace, 'iris', { samples: [flower] });
}

/** Asks for one more run, with a parameter the last run did not have, and waits for its version. */
async function trainAgain(after: number, strength: string): Promise<number> {
  shown(
    ...['patch', 'tj', 'iris', '-n', namespace, '--type=merge', '-p', `{"spec":{"parameters":{"C":"${strength}"}}}`],
  );
  return await eventually(() => {
    const [run] = kubectlJson<{ status?: { runs?: { version?: number }[] } }>('get', 'tj', 'iris', '-n', namespace)
      .status?.runs ?? [{}];
    if (!run?.version || run.version <= after) throw new Error('the new run has not published yet');
    return run.version;
  }, 180_000);
}

const yaml = readFileSync('examples/iris.yaml', 'utf8');
kubectl(['apply', '-f', '-'], {
  input: `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${namespace}","labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`,
});

say('Nine lines ask for a model and for a service that answers with it:');
console.log(yaml.trimEnd().replaceAll(/^/gm, '        '));
shown('apply', '-n', namespace, '-f', 'examples/iris.yaml');
shown('wait', '-n', namespace, 'tj/iris', '--for=condition=Succeeded', '--timeout=180s');
const first = await eventually(() => {
  const version = kubectlJson<{ status?: { version?: number } }>('get', 'infsvc', 'iris', '-n', namespace).status
    ?.version;
  if (!version) throw new Error('no version answers yet');
  return version;
}, 180_000);
showPrediction(await answerOf(first));
say(`version ${first} answers`);

const strength = (0.1 + (Math.round(performance.now()) % 400) / 1000).toFixed(3);
say('A changed parameter is a new run, a new run is a new version, and `latest` follows it:');
const second = await trainAgain(first, strength);
showPrediction(await answerOf(second));
say(`version ${second} answers`);

say(`Back to version ${first}, without losing a request:`);
shown('patch', 'infsvc', 'iris', '-n', namespace, '--type=merge', '-p', `{"spec":{"version":"${first}"}}`);
showPrediction(await answerOf(first));

say(`And to ${second} again:`);
shown('patch', 'infsvc', 'iris', '-n', namespace, '--type=merge', '-p', `{"spec":{"version":"${second}"}}`);
showPrediction(await answerOf(second));
kubectl(['patch', 'infsvc', 'iris', '-n', namespace, '--type=merge', '-p', '{"spec":{"version":"latest"}}']);

shown('get', 'tj,mv,infsvc', '-n', namespace);
say('Done. Next:');
console.log(`
  eval "$(make -s env)"                                   # kubectl and helm for this cluster
  kubectl describe tj iris -n ${namespace}                      # what happened, and why
  kubectl port-forward -n ${namespace} svc/iris 8080:80         # then, in another shell:
  curl -s localhost:8080/predict -H 'content-type: application/json' -d '${JSON.stringify({ samples: [flower] })}'

  # your mlflow client, unchanged (pip install mlflow scikit-learn skl2onnx onnxruntime):
  kubectl create rolebinding mlflow-client -n ${namespace} --clusterrole=slipway-edit --serviceaccount=${namespace}:default
  kubectl port-forward -n slipway-system svc/slipway-registry 5000 &
  export MLFLOW_TRACKING_URI=http://127.0.0.1:5000/n/${namespace} MLFLOW_TRACKING_TOKEN=$(kubectl create token default -n ${namespace})
  python examples/mlflow/iris_onnx.py

  make down                                               # remove everything
`);
