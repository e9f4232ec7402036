/**
 * Refreshes what the README shows: the examples as they are in examples/, and the outputs of real commands on the
 * cluster in use. Works in the namespace `readme`, which it makes and removes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { waitForCondition, waitForTrainedVersion, waitForVersion } from '../test/support/conditions.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch } from '../test/support/kubectl.ts';
import { setosa } from '../test/support/manifests.ts';
import { openNotebook } from '../test/support/notebook.ts';
import { withPortForward } from '../test/support/port-forward.ts';
import { predict } from '../test/support/predict.ts';
import { replaceBlock } from './readme-blocks.ts';
import { PROTOCOL_LINES, shownCommands } from './shown-commands.ts';

// `make readme` wants a cluster made afresh: a namespace of this name must not have had data before.
const namespace = 'team-a';
const file = 'README.md';

const show = (...args: string[]): string => {
  const typed = args.map((arg) => (/[{} ]/.test(arg) ? `'${arg}'` : arg)).join(' ');
  return `$ kubectl ${typed}\n${kubectl([...args, '-n', namespace]).trimEnd()}`;
};

async function outputs(): Promise<Record<string, string>> {
  apply(namespace, readFileSync('examples/iris.yaml', 'utf8'));
  await waitForTrainedVersion(namespace, 'iris');
  await waitForVersion(namespace, 'iris', 1);
  const get = show('get', 'tj,mv,infsvc');
  const describe = show('describe', 'tj', 'iris');
  const answer = await predict(namespace, 'iris', { samples: [setosa] });
  const curl = `$ curl -s localhost:8080/predict -H 'content-type: application/json' -d '${JSON.stringify({ samples: [setosa] })}'`;
  const protocols = await withPortForward(namespace, 'svc/iris', 80, (url) => shownCommands(PROTOCOL_LINES, url));
  patch(namespace, 'tj/iris', { spec: { parameters: { C: '0.1' } } });
  await waitForTrainedVersion(namespace, 'iris', 1);
  await waitForVersion(namespace, 'iris', 2);
  const switched = show('patch', 'infsvc', 'iris', '--type=merge', '-p', '{"spec":{"version":"1"}}');
  await waitForVersion(namespace, 'iris', 1);
  await waitForCondition(namespace, 'infsvc/iris', { type: 'Ready', status: 'True' });
  const after = show('get', 'infsvc', 'iris', '-o', 'wide');
  const mlflow = await registered();
  return { get, describe, mlflow, protocols, predict: `${curl}\n${answer.body}`, switch: `${switched}\n${after}` };
}

/** What a notebook prints, and what kubectl shows of it. */
async function registered(): Promise<string> {
  const notebook = await openNotebook(namespace);
  const script = 'examples/mlflow/iris_onnx.py';
  const printed = notebook.python(readFileSync(script, 'utf8')).trimEnd();
  await waitForCondition(namespace, 'mv/iris-onnx-v1', { type: 'Ready', status: 'True' });
  return `$ python ${script}\n${printed}\n${show('get', 'mv', 'iris-onnx-v1')}`;
}

makeNamespace(namespace);
try {
  let text = readFileSync(file, 'utf8');
  for (const [, path] of text.matchAll(/<!-- begin (examples\/\S+) -->/g)) {
    text = replaceBlock(text, path as string, readFileSync(path as string, 'utf8'), 'yaml');
  }
  for (const [name, output] of Object.entries(await outputs()))
    text = replaceBlock(text, `output: ${name}`, output, '');
  writeFileSync(file, text);
} finally {
  dropNamespace(namespace);
}
