import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeClasses } from '../src/train/classes.ts';
import { fit, type LogisticRegression, type Matrix } from '../src/train/logistic-regression.ts';
import { linearClassifierFor } from '../src/onnx/from-regression.ts';
import { encodeModel } from '../src/onnx/model.ts';
import { defaults } from '../src/train/parameters.ts';
import { python } from './python/venv.ts';

interface DataSet {
  readonly features: readonly (readonly number[])[];
  readonly targets: readonly string[];
}

/** What fit.py says of one data set. */
interface Reference {
  readonly coef: readonly (readonly number[])[];
  readonly intercept: readonly number[];
  readonly classes: readonly string[];
  readonly expected: readonly (readonly number[])[];
  readonly label: readonly number[];
  readonly probabilities: readonly (readonly number[])[];
}

interface Case {
  readonly name: string;
  readonly C: number;
  readonly solver: 'lbfgs' | 'newton-cholesky';
}

const cases: readonly Case[] = [
  { name: 'iris', C: 1, solver: 'lbfgs' },
  { name: 'iris', C: 0.01, solver: 'lbfgs' },
  { name: 'iris', C: 100, solver: 'newton-cholesky' },
  { name: 'wine, not scaled', C: 1, solver: 'newton-cholesky' },
  { name: 'breast cancer, two classes, standardised', C: 1, solver: 'lbfgs' },
  { name: 'breast cancer, not scaled', C: 1, solver: 'newton-cholesky' },
  { name: 'five classes given as numbers', C: 1, solver: 'lbfgs' },
];

interface Ours {
  readonly model: LogisticRegression;
  readonly labels: readonly string[];
}

let folder: string;
let ours: Ours[];
let theirs: Reference[];

function askPython(command: string, input: string): unknown {
  const script = join(import.meta.dirname, 'python', 'fit.py');
  const { status, stdout, stderr } = spawnSync(python(), ['-W', 'ignore', script, command], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const matrixOf = ({ features }: DataSet): Matrix => ({
  values: Float64Array.from(features.flat()),
  rows: features.length,
  columns: features[0]?.length ?? 0,
});

function train(data: DataSet, C: number, onnx: string): Ours {
  const { ids, labels } = encodeClasses(data.targets);
  const matrix = matrixOf(data);
  const { max_iter: maxIterations, tol: tolerance, fit_intercept: fitIntercept } = defaults;
  const model = fit(matrix, ids, labels.length, { C, maxIterations, tolerance, fitIntercept });
  writeFileSync(onnx, encodeModel(linearClassifierFor(model, matrix)));
  return { model, labels };
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-scikit-'));
  const sets = askPython('datasets', '') as Record<string, DataSet>;
  const tasks = cases.map(({ name, C, solver }, i) => {
    const data = sets[name] as DataSet;
    return { ...data, C, solver, onnx: join(folder, `${i}.onnx`) };
  });
  ours = tasks.map((task) => train(task, task.C, task.onnx));
  theirs = askPython('compare', JSON.stringify(tasks)) as Reference[];
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** 1e-3 relative, with an absolute floor of 1e-4. */
function assertClose(got: number, expected: number, what: string): void {
  const allowed = Math.max(1e-4, 1e-3 * Math.abs(expected));
  assert.ok(Math.abs(got - expected) <= allowed, `${what}: got ${got}, scikit-learn has ${expected}`);
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
/** With more than two classes the same number may be added to every intercept without changing a probability. */
const centred = (intercepts: readonly number[]) =>
  intercepts.length === 1 ? intercepts : intercepts.map((value) => value - mean(intercepts));

for (const [i, { name, C, solver }] of cases.entries()) {
  test(`${name}, C=${C}: converges with the defaults to scikit-learn's coefficients (${solver})`, () => {
    const { model, labels } = ours[i] as Ours;
    const reference = theirs[i] as Reference;
    assert.equal(model.converged, true);
    assert.deepEqual(labels, reference.classes);
    const columns = model.coefficients.length / model.intercepts.length;
    reference.coef.forEach((row, k) => {
      row.forEach((expected, j) => {
        assertClose(model.coefficients[k * columns + j] as number, expected, `coefficient ${k}, ${j}`);
      });
    });
    const intercepts = centred(Array.from(model.intercepts));
    centred(reference.intercept).forEach((expected, k) => {
      assertClose(intercepts[k] as number, expected, `intercept ${k}`);
    });
  });

  test(`${name}, C=${C}: the exported file passes onnx.checker and predicts in Python what scikit-learn predicts`, () => {
    const { expected, label, probabilities } = theirs[i] as Reference;
    expected.forEach((row, n) => {
      row.forEach((p, k) => {
        assertClose(probabilities[n]?.[k] as number, p, `row ${n}, class ${k}`);
      });
      const [first = 0, second = 0] = row.toSorted((a, b) => b - a);
      if (first - second > 1e-3) assert.equal(label[n], row.indexOf(first), `row ${n}`);
    });
  });
}
