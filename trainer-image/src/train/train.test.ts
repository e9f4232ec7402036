import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  type AlgorithmName,
  Examples,
  Metrics,
  ModelSignature,
  Parameters,
  Progress,
  parameterRules,
  TARGET_COLUMN,
} from '@slipway/contract';
import { parse } from 'csv-parse/sync';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readTable } from '../data/table.ts';
import { randomFrom } from '../learn/random.ts';
import type { Table } from '../model.ts';
import { fitting } from './documents.ts';
import { runTraining } from './run-training.ts';
import { train } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-train-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const quiet = { log: () => {}, onProgress: () => {} };
const irisFile = join(import.meta.dirname, '../../data/iris.csv');
const iris = await readTable(irisFile, { name: 'logistic-regression', target: 'species' }, { maxCategories: 255 });

/** Numbers with gaps, a text with gaps, and targets of both kinds that depend on them. */
function mixedCsv(): string {
  const random = randomFrom(1);
  const colours = ['red', 'green', 'blue, dark', ''];
  const rows = Array.from({ length: 240 }, () => {
    const [width, depth] = [random() * 4, Math.round(random() * 100) / 10];
    const colour = Math.floor(random() * 4);
    const price = 3 * width - depth + 5 * colour + random();
    const gap = random() < 0.1;
    return `${gap ? '' : width.toFixed(5)},${depth},"${colours[colour]}",${price.toFixed(3)},${price > 8 ? 'dear' : price > 3 ? 'fair' : 'cheap'}`;
  });
  return `width,depth,colour,price,class\n${rows.join('\n')}\n`;
}
const mixedFile = join(folder, 'mixed.csv');
writeFileSync(mixedFile, mixedCsv());

const features = ['width', 'depth', 'colour'];
const cases: readonly (readonly [AlgorithmName, target: string, Record<string, string>])[] = [
  ['logistic-regression', 'class', {}],
  ['linear-regression', 'price', {}],
  ['ridge', 'price', { alpha: '2' }],
  ['random-forest', 'class', { n_estimators: '12' }],
  ['random-forest', 'price', { n_estimators: '12' }],
  ['gradient-boosting', 'class', { max_iter: '15' }],
  ['gradient-boosting', 'price', { max_iter: '15' }],
];

const read = (dir: string, file: string): string => readFileSync(join(dir, file), 'utf8');
const readJson = (dir: string, file: string): unknown => JSON.parse(read(dir, file));

async function trainInto(
  dir: string,
  name: string,
  target: string,
  parameters: Record<string, string>,
  input = mixedFile,
) {
  const outputDir = join(folder, dir);
  const algorithm = { name, target, ...(input === mixedFile && { features }) };
  const outcome = await runTraining({
    ...{ algorithm, parameters, input, outputDir, log: () => {}, now: () => 1000, watchers: [] },
  });
  return { outputDir, ...outcome };
}

const csvCells = (text: string): string[][] => parse(text);

/** What onnxruntime makes of rows given as texts, as a server would: one input for every column. */
async function ask(dir: string, rows: readonly (readonly string[])[]) {
  const session = await InferenceSession.create(join(dir, 'model/model.onnx'));
  const { inputs } = ModelSignature.parse(readJson(dir, 'signature.json'));
  const feeds = Object.fromEntries(
    inputs.map(({ name, type }, i) => {
      const cells = rows.map((row) => row[i] ?? '');
      const numbers = () => Float32Array.from(cells, (cell) => (cell === '' ? Number.NaN : Number(cell)));
      const tensor =
        type === 'string'
          ? new Tensor('string', cells, [rows.length, 1])
          : new Tensor('float32', numbers(), [rows.length, 1]);
      return [name, tensor] as const;
    }),
  );
  const outputs = await session.run(feeds);
  await session.release();
  return outputs;
}

const near = (got: number, expected: number, what: string) =>
  assert.ok(Math.abs(got - expected) <= 1e-4 * Math.max(1, Math.abs(expected)), `${what}: ${got} against ${expected}`);

for (const [name, target, parameters] of cases) {
  const what = `${name} of a ${target}`;

  test(`${what}: the exported model gives the published metrics when asked for the held-out rows, gaps and texts too`, async () => {
    const { outputDir } = await trainInto(`${name}-${target}`, name, target, parameters);
    const [header = [], ...rows] = csvCells(read(outputDir, 'held-out.csv'));
    assert.deepEqual(header, [...features, TARGET_COLUMN]);
    assert.equal(rows.length, 60);
    const metrics = Metrics.parse(readJson(outputDir, 'metrics.json'));
    const { outputs } = ModelSignature.parse(readJson(outputDir, 'signature.json'));
    const answers = await ask(outputDir, rows);
    if (target === 'price') {
      const predicted = Array.from(answers['prediction']?.data as ArrayLike<number>);
      const errors = rows.map((row, i) => (Number(row.at(-1)) - (predicted[i] as number)) ** 2);
      near(errors.reduce((sum, value) => sum + value, 0) / rows.length, metrics['validation_mse'] as number, 'mse');
      assert.ok((metrics['r2'] as number) > 0.7, `r2 ${metrics['r2']}`);
      assert.equal(metrics['r2'], metrics['validation_r2']);
      return;
    }
    const labels = outputs[0]?.labels ?? [];
    const predicted = Array.from(answers['label']?.data as BigInt64Array, (id) => labels[Number(id)]);
    const hits = rows.filter((row, i) => row.at(-1) === predicted[i]).length;
    near(hits / rows.length, metrics['validation_accuracy'] as number, 'accuracy');
    const probabilities = answers['probabilities']?.data as Float32Array;
    const losses = rows.map(
      (row, i) =>
        -Math.log(
          Math.max(Number.EPSILON, probabilities[i * labels.length + labels.indexOf(row.at(-1) ?? '')] as number),
        ),
    );
    near(
      losses.reduce((sum, value) => sum + value, 0) / rows.length,
      metrics['validation_log_loss'] as number,
      'log_loss',
    );
    assert.ok((metrics['accuracy'] as number) > 0.7, `accuracy ${metrics['accuracy']}`);
  });

  test(`${what}: the examples are rows of the validation set with what the exported model answers`, async () => {
    const { outputDir } = await trainInto(`${name}-${target}-examples`, name, target, parameters);
    const { inputs, outputs } = Examples.parse(readJson(outputDir, 'examples.json'));
    assert.ok(inputs.length >= 8 && inputs.length <= 10, `${inputs.length} examples`);
    const rows = inputs.map((input) => features.map((feature) => String(input[feature] ?? '')));
    const heldOut = new Set(csvCells(read(outputDir, 'held-out.csv')).map((row) => JSON.stringify(row.slice(0, -1))));
    for (const row of rows) assert.ok(heldOut.has(JSON.stringify(row)), `${row} is no validation row`);
    const answers = await ask(outputDir, rows);
    for (const [output, expected] of Object.entries(outputs)) {
      const got = Array.from(answers[output]?.data as ArrayLike<number | bigint>, Number);
      (expected.flat() as number[]).forEach((value, i) => void near(got[i] as number, value, `${output}, value ${i}`));
    }
  });
}

test('the same input gives the same bytes, of the model and of every file but the live points; another seed gives others', async () => {
  const runs = await Promise.all(
    ['one', 'two'].map((dir) => trainInto(dir, 'random-forest', 'class', { n_estimators: '5' })),
  );
  const [one, two] = runs.map(({ outputDir, files }) => files.map(({ path }) => [path, read(outputDir, path)]));
  assert.deepEqual(one, two);
  const other = await trainInto('other', 'random-forest', 'class', { n_estimators: '5', random_state: '1' });
  assert.notEqual(read(other.outputDir, 'model/model.onnx'), read(join(folder, 'one'), 'model/model.onnx'));
});

test('what is published says what was used: every parameter, samples of both sides, labels by id', async () => {
  const { outputDir } = await trainInto(
    'iris',
    'logistic-regression',
    'species',
    { C: '10', test_size: '0.2' },
    irisFile,
  );
  const parameters = Parameters.parse(readJson(outputDir, 'params.json'));
  assert.deepEqual(Object.keys(parameters).sort(), Object.keys(parameterRules('logistic-regression')).sort());
  assert.deepEqual(
    ['C', 'tol', 'class_weight', 'test_size'].map((parameter) => parameters[parameter]),
    ['10', '1e-8', 'none', '0.2'],
  );
  const metrics = Metrics.parse(readJson(outputDir, 'metrics.json'));
  assert.deepEqual([metrics['train_samples'], metrics['validation_samples']], [120, 30]);
  assert.equal(metrics['accuracy'], metrics['validation_accuracy']);
  assert.ok((metrics['validation_roc_auc'] as number) > 0.9);
  const signature = ModelSignature.parse(readJson(outputDir, 'signature.json'));
  assert.deepEqual(
    signature.inputs.map(({ name }) => name),
    ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'],
  );
  for (const output of signature.outputs) assert.deepEqual(output.labels, ['setosa', 'versicolor', 'virginica']);
  assert.deepEqual(Progress.parse(readJson(outputDir, 'progress.json')).percent, 100);
  const points = read(outputDir, 'metrics.jsonl').trim().split('\n');
  assert.deepEqual(JSON.parse(points[0] ?? ''), { ...JSON.parse(points[0] ?? ''), key: 'loss', step: 1, ts: 1000 });
});

test('the confusion matrix counts the validation rows, actual by predicted, and agrees with the metrics', async () => {
  const { outputDir } = await trainInto('confusion', 'random-forest', 'class', { n_estimators: '5' });
  const { labels, matrix } = readJson(outputDir, 'artifacts/confusion_matrix.json') as {
    labels: string[];
    matrix: number[][];
  };
  assert.deepEqual(labels, ['cheap', 'dear', 'fair']);
  const metrics = Metrics.parse(readJson(outputDir, 'metrics.json'));
  const hits = matrix.reduce((sum, row, id) => sum + (row[id] ?? 0), 0);
  assert.equal(
    matrix.flat().reduce((sum, count) => sum + count, 0),
    60,
  );
  assert.equal(hits / 60, metrics['accuracy']);
  const known = (matrix[1] ?? []).reduce((sum, count) => sum + count, 0);
  assert.equal((matrix[1]?.[1] ?? 0) / known, metrics['validation_recall_dear']);
  assert.deepEqual(csvCells(read(outputDir, 'artifacts/confusion_matrix.csv')), [
    ['actual', ...labels],
    ...matrix.map((row, id) => [labels[id], ...row.map(String)]),
  ]);
});

test('the residuals are those of the validation rows, and an earlier confusion matrix does not stay beside them', async () => {
  await trainInto('residuals', 'random-forest', 'class', { n_estimators: '5' });
  const { outputDir } = await trainInto('residuals', 'ridge', 'price', {});
  const [header, ...rows] = csvCells(read(outputDir, 'artifacts/residuals.csv'));
  assert.deepEqual(header, ['actual', 'predicted', 'residual']);
  const { validation_mae: mae } = Metrics.parse(readJson(outputDir, 'metrics.json'));
  const absolute = rows.map(([actual, predicted]) => Math.abs(Number(actual) - Number(predicted)));
  near(absolute.reduce((sum, value) => sum + value, 0) / rows.length, mae as number, 'mae');
  assert.throws(() => read(outputDir, 'artifacts/confusion_matrix.json'), { code: 'ENOENT' });
});

test('of very many or very wide validation rows as many are kept as can be read, spread over all', async () => {
  const path = join(folder, 'long.csv');
  const rows = Array.from({ length: 50_000 }, (_, i) => `${i},${i / 2}`);
  writeFileSync(path, `a,price\n${rows.join('\n')}\n`);
  const { outputDir } = await trainInto('long', 'linear-regression', 'price', { test_size: '0.5' }, path);
  for (const file of ['held-out.csv', 'artifacts/residuals.csv'])
    assert.equal(csvCells(read(outputDir, file)).length, 20_001);
  const lines = Array.from({ length: 1000 }, (_, i) => String(i).padStart(9, '0'));
  const kept = fitting(lines, 450);
  assert.equal(kept.length, 50);
  assert.deepEqual(kept.slice(0, 2), ['000000000', '000000020']);
});

test('importances add up to 1, categories count as one feature, and the feature that decides comes first', async () => {
  for (const name of ['ridge', 'random-forest', 'gradient-boosting']) {
    const { outputDir } = await trainInto(`importance-${name}`, name, 'price', {});
    const { features: told } = readJson(outputDir, 'artifacts/feature_importance.json') as {
      features: { name: string; importance: number }[];
    };
    near(
      told.reduce((sum, { importance }) => sum + importance, 0),
      1,
      name,
    );
    assert.deepEqual(told.map((feature) => feature.name).sort(), features.toSorted());
    assert.equal(told[0]?.name, 'colour', name);
  }
});

test('folds give mean and deviation of every measure, and do not change the model', () => {
  const plain = train(iris, 'logistic-regression', {}, quiet);
  const folded = train(iris, 'logistic-regression', { cv: '4' }, quiet);
  assert.ok(Buffer.from(plain.onnx).equals(Buffer.from(folded.onnx)));
  const names = ['accuracy', 'log_loss', 'f1_macro', 'precision_macro', 'recall_macro', 'roc_auc'];
  const added = Object.keys(folded.metrics).filter((name) => !Object.hasOwn(plain.metrics, name));
  assert.deepEqual(added.sort(), names.flatMap((name) => [`cv_${name}_mean`, `cv_${name}_std`]).sort());
  // 112 training rows: four folds of 28.
  assert.ok(Math.abs((((folded.metrics['cv_accuracy_mean'] as number) * 112) % 1) - 0.5) > 0.499);
  assert.ok((folded.metrics['cv_accuracy_mean'] as number) > 0.9);
});

test('stopping before it has converged is said aloud', () => {
  const lines: string[] = [];
  const log = (level: string, message: string) => void lines.push(`${level} ${message}`);
  train(iris, 'logistic-regression', { max_iter: '2' }, { ...quiet, log });
  assert.ok(lines.includes('warn training stopped before it converged'));
});

/** Few rows, many columns. */
const wide: Table = {
  rows: 12,
  targetName: 'y',
  target: { task: 'regression', values: Float64Array.from({ length: 12 }, (_, row) => row) },
  features: Array.from({ length: 30 }, (_, j) => ({
    kind: 'number' as const,
    name: `x${j}`,
    values: Float32Array.from({ length: 12 }, (_, row) => ((row * 7 + j * 13) % 11) + row / 3),
    missing: 0,
  })),
};

test('more columns than rows: every algorithm trains, and least squares says what it is worth', () => {
  const lines: string[] = [];
  const log = (level: string, message: string, fields = {}) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  for (const name of ['linear-regression', 'ridge', 'random-forest', 'gradient-boosting'] as const) {
    const { metrics } = train(wide, name, {}, { ...quiet, log });
    assert.ok(Number.isFinite(metrics['validation_mse']), name);
  }
  const warnings = lines.filter((line) => line.startsWith('warn'));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /no fewer columns than rows.*use ridge/);
});

test('progress never falls, from the first fold to the last iteration', () => {
  const fractions: number[] = [];
  const onProgress = ({ fraction }: { fraction: number }) => void fractions.push(fraction);
  train(iris, 'random-forest' as AlgorithmName, { n_estimators: '5', cv: '3' }, { ...quiet, onProgress });
  assert.deepEqual(
    fractions,
    fractions.toSorted((a, b) => a - b),
  );
  assert.equal(fractions.at(-1), 1);
});
