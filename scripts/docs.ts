/**
 * Refreshes what the guides in docs/ show: the examples as they are, and the outputs of real
 * commands on the cluster in use and in Docker. A block that is marked in a document is filled; the others are not run.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitForCondition, waitForVersion } from '../test/support/conditions.ts';
import { buildExample } from '../test/support/example-trainers.ts';
import { apply, dropNamespace, kubectl, makeNamespace, uniqueNamespace } from '../test/support/kubectl.ts';
import { irisTraining } from '../test/support/manifests.ts';
import { predict } from '../test/support/predict.ts';
import { run } from '../test/support/run.ts';
import { replaceBlock } from './readme-blocks.ts';
import { dropServing, servingOutputs } from './serving-outputs.ts';

const FILES = ['docs/training.md', 'docs/trainer-contract.md', 'docs/serving.md', 'docs/runtime.md'];
const TRAINER = process.env['SLIPWAY_TRAINER_IMAGE'] ?? 'slipway/trainer:dev';
const namespace = uniqueNamespace('docs');

/** The output of a command, under the words a reader would type in a namespace of their own. */
const show = (...args: string[]): string => {
  const typed = args.map((arg) => (/[{}()? ]/.test(arg) ? `'${arg}'` : arg)).join(' ');
  return `$ kubectl ${typed}\n${kubectl([...args, '-n', namespace]).trimEnd()}`.replaceAll(namespace, 'team-a');
};

const outputs: Readonly<Record<string, () => Promise<string>>> = {
  ...servingOutputs,
  /** The nightly job, and a run of it by hand. */
  daily: async () => {
    apply(namespace, readFileSync('examples/iris-daily.yaml', 'utf8'));
    await waitForCondition(namespace, 'tj/iris-daily', { type: 'Succeeded', status: 'Unknown' });
    const before = show('get', 'tj', 'iris-daily', '-o', 'wide');
    const annotated = show('annotate', 'tj', 'iris-daily', 'slipway.dev/run=by-hand');
    await waitForCondition(namespace, 'tj/iris-daily', { type: 'Succeeded', status: 'True' });
    await waitForCondition(namespace, 'mv/iris-v1', { type: 'Ready', status: 'True' });
    return [before, annotated, show('get', 'tj,mv')].join('\n');
  },
  /** A forest over a text and seven numbers, and what it says of one shell. */
  abalone: async () => {
    apply(namespace, readFileSync('examples/abalone.yaml', 'utf8'));
    await waitForVersion(namespace, 'abalone', 1, 240_000);
    const shell = '"length":0.455,"diameter":0.365,"height":0.095,"whole_weight":0.514,"shucked_weight":0.2245';
    const body = `{"samples":[{"sex":"M",${shell},"viscera_weight":0.101,"shell_weight":0.15}]}`;
    const answer = await predict(namespace, 'abalone', body);
    const curl = `$ curl -s localhost:8080/predict -H 'content-type: application/json' -d '${body}'`;
    return `${show('get', 'tj,infsvc', '--field-selector=metadata.name=abalone')}\n${curl}\n${answer.body}`;
  },
  /** A trainer that fails twice. */
  failed: async () => {
    const container = { image: 'slipway/trainer:dev', command: ['sh', '-c', 'echo no column named petals; exit 3'] };
    apply(namespace, irisTraining('petals', { algorithm: undefined, inputs: [], container, retries: 1 }));
    await waitForCondition(namespace, 'tj/petals', { type: 'Succeeded', status: 'False' });
    const attempts = ['-o', 'jsonpath={.status.runs[0].attempts}'];
    return `${show('get', 'tj', 'petals', '-o', 'wide')}\n${show('get', 'tj', 'petals', ...attempts)}`;
  },
  /** A model that is not good enough. */
  gate: async () => {
    const register = { stage: 'Staging', gate: [{ metric: 'validation_log_loss', max: '0.01' }] };
    apply(namespace, irisTraining('strict', { model: 'strict', register }));
    await waitForCondition(namespace, 'tj/strict', { type: 'GatePassed', status: 'False' });
    return show('get', 'tj', 'strict', '-o', 'jsonpath={.status.conditions[?(@.type=="GatePassed")].message}');
  },
  terminal: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-docs-'));
    try {
      const user = `${process.getuid?.()}:${process.getgid?.()}`;
      const words = [
        '--algorithm',
        'random-forest',
        '--target',
        'rings',
        '--input',
        '/app/data/abalone.csv',
        '--output',
        'model',
      ];
      const trained = ['train', ...words, '--param', 'n_estimators=200'];
      const docker = ['run', '--rm', '--user', user, '-v', `${folder}:/work`, '-w', '/work', TRAINER];
      return `$ docker run … slipway/trainer:dev ${trained.join(' ')}\n${run('docker', [...docker, ...trained])}`;
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  check: async () => {
    const image = await buildExample('onnx-python');
    const args = ['-p', 'n_estimators=30', image];
    return `$ examples/trainers/check.sh ${args.join(' ')}\n${run('sh', ['examples/trainers/check.sh', ...args])}`;
  },
};

async function refreshed(text: string): Promise<string> {
  let fresh = text;
  for (const [, path] of text.matchAll(/<!-- begin (examples\/\S+) -->/g))
    fresh = replaceBlock(fresh, path as string, readFileSync(path as string, 'utf8'), 'yaml');
  for (const [, name] of text.matchAll(/<!-- begin output: (\S+) -->/g)) {
    if (only.length > 0 && !only.includes(name as string)) continue;
    const output = outputs[name as string];
    if (!output) throw new Error(`nothing makes the output ${name}`);
    fresh = replaceBlock(fresh, `output: ${name}`, await output(), '');
  }
  return fresh;
}

/** Names of outputs to refresh; none: all. */
const only = process.argv.slice(2);
makeNamespace(namespace);
try {
  for (const file of FILES) writeFileSync(file, await refreshed(readFileSync(file, 'utf8')));
} finally {
  dropNamespace(namespace);
  dropServing();
}
