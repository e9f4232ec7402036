import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { probabilities } from './logistic-regression.ts';
import { readTableFile, type Table } from './table.ts';
import { type Trained, trainLogisticRegression } from './train.ts';

const data = join(import.meta.dirname, '../../data');
const silent = () => {};

const iris = await readTableFile(join(data, 'iris.csv'), { name: 'logistic-regression', target: 'species' });
/** Only the rows of two classes. */
const twoClasses: Table = {
  ...iris,
  features: iris.features.slice(4 * 50),
  targets: iris.targets.slice(50),
  rows: 100,
};

async function runOnnx({ onnx }: Trained, rows: readonly (readonly number[])[]) {
  const session = await InferenceSession.create(Buffer.from(onnx));
  const width = rows[0]?.length ?? 0;
  const input = new Tensor('float32', Float32Array.from(rows.flat()), [rows.length, width]);
  const outputs = await session.run({ features: input });
  await session.release();
  return {
    label: Array.from(outputs['label']?.data as BigInt64Array, Number),
    probabilities: outputs['probabilities'] as Tensor,
  };
}

const rowsOf = (table: Table): number[][] => {
  const width = table.featureNames.length;
  return Array.from({ length: table.rows }, (_, i) => [...table.features.subarray(i * width, (i + 1) * width)]);
};

for (const [what, table] of [
  ['three classes', iris],
  ['two classes', twoClasses],
] as const) {
  test(`${what}: the exported model says in onnxruntime what the trainer says, row by row`, async () => {
    const trained = trainLogisticRegression(table, {}, silent);
    const rows = rowsOf(table);
    const ran = await runOnnx(trained, rows);
    const classes = trained.regression.classes;
    assert.deepEqual(ran.probabilities.dims, [rows.length, classes]);
    rows.forEach((row, i) => {
      const expected = probabilities(trained.regression, Float64Array.from(row));
      const got = Array.from(ran.probabilities.data as Float32Array).slice(i * classes, (i + 1) * classes);
      got.forEach((p, k) => {
        assert.ok(Math.abs(p - (expected[k] as number)) < 1e-5, `row ${i}: ${got} against ${expected}`);
      });
      assert.equal(ran.label[i], expected.indexOf(Math.max(...expected)));
    });
  });
}

test('a column far from zero survives float32: the model still says what the trainer says', async () => {
  const width = iris.featureNames.length;
  const far: Table = { ...iris, features: iris.features.map((value, i) => (i % width === 0 ? value + 65536 : value)) };
  const trained = trainLogisticRegression(far, {}, silent);
  const rows = rowsOf(far).map((row) => row.map(Math.fround));
  const ran = await runOnnx(trained, rows);
  rows.forEach((row, i) => {
    const expected = probabilities(trained.regression, Float64Array.from(row));
    const got = (ran.probabilities.data as Float32Array)[i * 3] as number;
    assert.ok(Math.abs(got - (expected[0] as number)) < 1e-4, `row ${i}: ${got} against ${expected[0]}`);
  });
});

test('the examples are rows of the validation set with what the model itself answers', async () => {
  const trained = trainLogisticRegression(iris, {}, silent);
  const { inputs, outputs } = trained.examples;
  assert.ok(inputs.length >= 8);
  const ran = await runOnnx(
    trained,
    inputs.map((row) => iris.featureNames.map((name) => row[name] as number)),
  );
  assert.deepEqual(ran.label, outputs['label']);
  (outputs['probabilities'] as number[][]).flat().forEach((p, i) => {
    assert.ok(Math.abs(p - ((ran.probabilities.data as Float32Array)[i] as number)) < 1e-5);
  });
});

test('what is published says what was used: every parameter, samples of both sides, labels by id', () => {
  const { metrics, parameters, signature } = trainLogisticRegression(iris, { C: '10', test_size: '0.2' }, silent);
  assert.deepEqual(parameters, {
    C: '10',
    max_iter: '1000',
    tol: '1e-8',
    fit_intercept: 'true',
    random_state: '42',
    test_size: '0.2',
  });
  assert.equal(metrics['train_samples'], 120);
  assert.equal(metrics['validation_samples'], 30);
  assert.equal(metrics['accuracy'], metrics['validation_accuracy']);
  assert.ok((metrics['validation_accuracy'] as number) > 0.9);
  assert.deepEqual(
    signature.inputs.map(({ name }) => name),
    ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'],
  );
  for (const output of signature.outputs) assert.deepEqual(output.labels, ['setosa', 'versicolor', 'virginica']);
});

test('the same input gives the same bytes', () => {
  const [first, second] = [trainLogisticRegression(iris, {}, silent), trainLogisticRegression(iris, {}, silent)];
  assert.ok(Buffer.from(first.onnx).equals(Buffer.from(second.onnx)));
  assert.deepEqual(first.metrics, second.metrics);
});

test('without an intercept the model passes through zero', () => {
  const { regression } = trainLogisticRegression(iris, { fit_intercept: 'false' }, silent);
  assert.deepEqual([...regression.intercepts], [0, 0, 0]);
  assert.equal(regression.converged, true);
});

test('stopping before it has converged is said aloud', () => {
  const lines: string[] = [];
  trainLogisticRegression(iris, { max_iter: '2' }, (level, message) => void lines.push(`${level} ${message}`));
  assert.ok(lines.includes('warn training stopped before it converged'));
});
