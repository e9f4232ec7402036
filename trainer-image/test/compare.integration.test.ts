/** A gate that compares, as its pod runs it: the built-in trainer, the model server's `predict` as a process, the verdict. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Examples, FETCHED_FILE, type Gate, Metrics } from '@slipway/contract';
import { evidenceFor } from '../src/publish/evidence.ts';
import { judge } from '../src/publish/gates.ts';
import { runTrain } from '../src/train/run.ts';

let folder: string;
let metrics: Metrics;
const at = (...path: string[]) => join(folder, ...path);
const server = join(import.meta.dirname, '../../serving-image/src/main.ts');

/** Trains into `output`, with the parameters given. */
async function train(name: string, output: string, target: string, parameters: Record<string, string>): Promise<void> {
  const data = { species: 'iris.csv', Rings: 'abalone.csv' }[target] ?? '';
  await mkdir(at(output, 'in'), { recursive: true });
  await cp(join(import.meta.dirname, '../data', data), at(output, 'in/train'));
  await writeFile(at(output, 'in/params.json'), JSON.stringify(parameters));
  const env = { INPUT_DIR: at(output, 'in'), OUTPUT_DIR: at(output), ALGORITHM: JSON.stringify({ name, target }) };
  await runTrain(() => {}, env);
}

/** As `fetch` leaves a version: what was published of its model. */
async function asReference(output: string, number: number): Promise<void> {
  await cp(at(output, 'model'), at('references', String(number)), { recursive: true });
  await cp(at(output, 'signature.json'), at('references', String(number), 'signature.json'));
  await writeFile(at('references', String(number), FETCHED_FILE), '[]');
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-compare-'));
  await train('logistic-regression', 'output', 'species', {});
  await train('logistic-regression', 'worse', 'species', { C: '0.0001' });
  await train('ridge', 'other', 'Rings', {});
  await asReference('worse', 0);
  await asReference('output', 1);
  await asReference('other', 2);
  metrics = Metrics.parse(JSON.parse(await readFile(at('output/metrics.json'), 'utf8')));
  const { status, stdout, stderr } = spawnSync(process.execPath, [server, 'predict'], {
    env: {
      ...{ PATH: process.env['PATH'], HELD_OUT_FILE: at('output/held-out.csv'), CANDIDATE_DIR: at('output/model') },
      ...{ REFERENCES_DIR: at('references'), ANSWERS_DIR: at('answers'), TERMINATION_LOG: at('termination') },
    },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout + stderr);
});
after(() => rm(folder, { recursive: true, force: true }));

async function told(metric: string, reference: number, by = 0): Promise<{ passed: boolean; message: string }> {
  const gates: Gate[] = [{ metric, notWorseThan: { version: 'Production', by, resolved: 7, reference } }];
  const paths = { outputDir: at('output'), answersDir: at('answers') };
  const [result] = judge(gates, await evidenceFor(gates, { metrics: [], ...paths })).results;
  return { passed: result?.passed ?? false, message: result?.message ?? '' };
}

for (const metric of ['accuracy', 'validation_log_loss', 'f1_macro', 'roc_auc']) {
  test(`${metric} of the new model is what its trainer measured, through the file and the model server`, async () => {
    const { message } = await told(metric, 0);
    const [, value] = /^\S+ is (\S+), version 7 \(Production\) has/.exec(message) ?? [];
    const own = metrics[`validation_${metric.replace('validation_', '')}`] ?? Number.NaN;
    assert.ok(Math.abs(Number(value) - own) < 1e-4, `${message}; the trainer said ${own}`);
  });
}

test('a model that is better than the one in Production passes; against itself it is not worse', async () => {
  assert.equal((await told('log_loss', 0)).passed, true);
  const same = await told('log_loss', 1);
  assert.equal(same.passed, true);
  assert.match(same.message, /not worse$/);
});

test('a version that takes other columns cannot be compared with, and the message says which', async () => {
  const { passed, message } = await told('accuracy', 2);
  assert.equal(passed, false);
  assert.match(message, /version 7 \(Production\): .*the model takes "Sex", the held-out rows have "sepal_length"/);
});

test('the rows held out are those the examples could be of: none of the files disagree about the columns', async () => {
  const header = (await readFile(at('output/held-out.csv'), 'utf8')).split(/\r?\n/)[0]?.split(',') ?? [];
  const { inputs } = Examples.parse(JSON.parse(await readFile(at('output/examples.json'), 'utf8')));
  assert.deepEqual(header, [...Object.keys(inputs[0] ?? {}), '__target__']);
});
