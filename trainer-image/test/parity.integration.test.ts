/**
 * The learners, the measures and the files beside scikit-learn and both onnxruntimes: everything is computed on both sides
 * once, then compared test by test. Prints what it found as a table.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AlgorithmName, readParameters, type Task } from '@slipway/contract';
import type { Design, FeatureColumn, FittedModel, Target } from '../src/model.ts';
import { encodeModel } from '../src/onnx/encode-model.ts';
import { type Answers, answersOf, measuresOf } from '../src/train/answers.ts';
import { designOf, ENCODING_RULES, encodingsFor } from '../src/train/encode.ts';
import { FITS, type Parameters, targetOf } from '../src/train/fit.ts';
import { foldsOf } from '../src/train/split.ts';
import { type Predicted, runOnnx } from './onnx-runtime.ts';
import { python } from './python/venv.ts';

interface DataSet {
  readonly name: string;
  readonly task: Task;
  readonly columns: readonly {
    readonly name: string;
    readonly kind: 'number' | 'category';
    readonly values: readonly (number | string | null)[];
  }[];
  readonly target: readonly string[];
}

/** What fit.py says of one case. */
interface Theirs {
  readonly coefficients: {
    readonly coef: readonly (readonly number[])[];
    readonly intercept: readonly number[];
    readonly converged: boolean;
  } | null;
  readonly scores: readonly number[] | null;
  readonly onnx: { readonly label: readonly number[] | null; readonly values: readonly number[] };
  readonly metrics: Readonly<Record<string, number>>;
}

interface Ours {
  readonly model: FittedModel;
  readonly answers: Answers;
  readonly scores: readonly number[] | undefined;
  readonly node: Predicted;
}

interface Case {
  readonly data: string;
  readonly algorithm: AlgorithmName;
  readonly given?: Readonly<Record<string, string>>;
}

const LINEAR: readonly AlgorithmName[] = ['logistic-regression', 'linear-regression', 'ridge'];
const TREES: readonly AlgorithmName[] = ['random-forest', 'gradient-boosting'];
const CLASSES = ['iris', 'wine', 'breast cancer', 'five classes given as numbers', 'classes, with gaps'];
const QUANTITIES = ['diabetes', 'abalone', 'quantity, with gaps'];
const FOLDS = 5;
/** Of few rows one cut into folds says little: three of them. */
const seedsFor = (rows: number): number[] => (rows > 1000 ? [42] : [42, 43, 44]);

const cases: readonly Case[] = [
  ...CLASSES.flatMap((data): Case[] => [
    { data, algorithm: 'logistic-regression' },
    { data, algorithm: 'logistic-regression', given: { C: '0.01', class_weight: 'balanced' } },
  ]),
  { data: 'iris', algorithm: 'logistic-regression', given: { C: '100' } },
  ...QUANTITIES.flatMap((data): Case[] => [
    { data, algorithm: 'linear-regression' },
    { data, algorithm: 'ridge' },
    { data, algorithm: 'ridge', given: { alpha: '100' } },
  ]),
  ...[...CLASSES, ...QUANTITIES].flatMap((data) => TREES.map((algorithm): Case => ({ data, algorithm }))),
];

const nameOf = ({ data, algorithm, given = {} }: Case): string =>
  [algorithm, ...Object.entries(given).map(([name, value]) => `${name}=${value}`)].join(' ').concat(` on ${data}`);

const DATA_FOLDER = join(import.meta.dirname, '../data');
let folder: string;
let ours: Ours[];
let theirs: Theirs[];
const table: Record<string, unknown>[] = cases.map((one) => ({ what: nameOf(one) }));

function askPython(args: readonly string[], input: string): unknown {
  const script = join(import.meta.dirname, 'python', 'fit.py');
  const { status, stdout, stderr } = spawnSync(python(), ['-W', 'ignore', script, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 29,
    // Threads that wait for each other on a busy machine take longer than one alone.
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

function featuresOf({ columns }: DataSet): FeatureColumn[] {
  return columns.map(({ name, kind, values }): FeatureColumn => {
    const missing = values.filter((value) => value === null).length;
    if (kind === 'number') {
      return {
        kind,
        name,
        missing,
        values: Float32Array.from(values, (value) => (value as number | null) ?? Number.NaN),
      };
    }
    const categories = [...new Set(values.filter((value) => value !== null))].sort() as string[];
    return {
      kind,
      name,
      missing,
      categories,
      ids: Int16Array.from(values, (value) => categories.indexOf(value as string)),
    };
  });
}

function targetFor({ task, target }: DataSet): Target {
  if (task === 'regression') return { task, values: Float64Array.from(target, Number) };
  const isNumeric = target.every((text) => /^-?\d+$/.test(text));
  const labels = [...new Set(target)].sort(isNumeric ? (a, b) => Number(a) - Number(b) : undefined);
  return { task, labels, ids: Int32Array.from(target, (text) => labels.indexOf(text)) };
}

const scoreOf = (answers: Answers): number => {
  const measures = measuresOf(answers);
  return 'accuracy' in measures ? measures.accuracy : (measures.r2 as number);
};

interface Prepared {
  readonly one: Case;
  readonly features: readonly FeatureColumn[];
  readonly target: Target;
  readonly design: Design;
  readonly parameters: Parameters;
  readonly folds: readonly (readonly [train: Int32Array, validation: Int32Array])[];
  readonly onnx: string;
}

function prepared(one: Case, index: number, data: DataSet): Prepared {
  const features = featuresOf(data);
  const target = targetFor(data);
  const rows = Int32Array.from({ length: data.target.length }, (_, row) => row);
  const encodings = encodingsFor(features, rows, ENCODING_RULES[one.algorithm]);
  const folds = seedsFor(rows.length)
    .flatMap((seed) => foldsOf(target, rows, FOLDS, seed))
    .map(({ train, validation }) => [train, validation] as const);
  return {
    ...{ one, features, target, folds, onnx: join(folder, `${index}.onnx`) },
    design: designOf(features, rows, encodings),
    parameters: readParameters(one.algorithm, one.given ?? {}),
  };
}

const rowsOf = (design: Design, rows: Int32Array): Design => ({
  rows: rows.length,
  columns: design.columns.map((column) => Float32Array.from(rows, (row) => column[row] as number)),
  encodings: design.encodings,
});

async function compute({ one, features, target, design, parameters, folds, onnx }: Prepared): Promise<Ours> {
  const fit = (problem: { design: Design; target: Target }) => FITS[one.algorithm](problem, parameters, () => {});
  const model = fit({ design, target });
  const scores = TREES.includes(one.algorithm)
    ? folds.map(([train, validation]) => {
        const part = (rows: Int32Array) => ({ design: rowsOf(design, rows), target: targetOf(target, rows) });
        return scoreOf(answersOf(fit(part(train)), part(validation)));
      })
    : undefined;
  const bytes = encodeModel({ model, features, encodings: design.encodings });
  writeFileSync(onnx, bytes);
  return {
    model,
    answers: answersOf(model, { design, target }),
    scores,
    node: await runOnnx(bytes, features, design.rows),
  };
}

const taskFor = ({ one, target, design, parameters, folds, onnx }: Prepared, data: DataSet, { answers }: Ours) => ({
  ...{ ...one, task: data.task, parameters, onnx, columns: data.columns },
  design: Array.from({ length: design.rows }, (_, row) => design.columns.map((column) => column[row])),
  target: Array.from(target.task === 'classification' ? target.ids : target.values),
  folds: folds.map((fold) => fold.map((rows) => Array.from(rows))),
  predicted: Array.from(answers.predicted),
  probabilities: answers.task === 'classification' ? Array.from(answers.probabilities) : null,
});

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-parity-'));
  const sets = askPython(['datasets', join(DATA_FOLDER, 'abalone.csv')], '') as DataSet[];
  const dataOf = ({ data }: Case) => sets.find(({ name }) => name === data) as DataSet;
  const all = cases.map((one, i) => prepared(one, i, dataOf(one)));
  ours = [];
  for (const one of all) ours.push(await compute(one));
  const tasks = all.map((one, i) => taskFor(one, dataOf(one.one), ours[i] as Ours));
  theirs = askPython(['compare'], JSON.stringify(tasks)) as Theirs[];
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
  console.table(table);
});

const short = (value: number): number => Number(value.toPrecision(3));
const note = (index: number, found: Record<string, unknown>): void => void Object.assign(table[index] as object, found);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]): number =>
  Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));

/** With more than two classes the same number may be added to every intercept without changing a probability. */
const centred = (intercepts: readonly number[]): readonly number[] =>
  intercepts.length === 1 ? intercepts : intercepts.map((value) => value - mean(intercepts));

/** In units of what is allowed: 1e-3 relative, with an absolute floor of 1e-4. */
const coefficientDistance = (got: number, expected: number): number =>
  Math.abs(got - expected) / Math.max(1e-4, 1e-3 * Math.abs(expected));

function coefficientsOf(model: FittedModel): { coef: number[]; intercept: number[] } {
  assert.ok(model.kind !== 'trees');
  const intercept = model.kind === 'linear-regressor' ? [model.intercept] : Array.from(model.intercepts);
  return { coef: Array.from(model.coefficients), intercept };
}

const worst = (got: ArrayLike<number>, expected: ArrayLike<number>, distance: (a: number, b: number) => number) => {
  assert.equal(got.length, expected.length);
  return Array.from(expected, (value, i) => distance(got[i] as number, value)).reduce((a, b) => Math.max(a, b), 0);
};

/** Absolute for probabilities and what is below one, else relative. */
const outputDistance = (got: number, expected: number): number =>
  Math.abs(got - expected) / Math.max(1, Math.abs(expected));

const expectedOutputs = (answers: Answers): Float64Array =>
  answers.task === 'classification' ? answers.probabilities : answers.predicted;

/** Rows whose label is not ours although our first two classes are further apart than rounding. */
function wrongLabels(answers: Answers, label: readonly number[] | undefined | null): number[] {
  if (answers.task === 'regression') return [];
  const { classes, predicted, probabilities } = answers;
  return Array.from(predicted, (_, row) => row).filter((row) => {
    const [first = 0, second = 0] = probabilities
      .slice(row * classes, (row + 1) * classes)
      .sort()
      .reverse();
    return label?.[row] !== predicted[row] && first - second > 1e-5;
  });
}

for (const [i, one] of cases.entries()) {
  describe(nameOf(one), () => {
    if (LINEAR.includes(one.algorithm)) {
      test('converges to the coefficients of scikit-learn', () => {
        const { model } = ours[i] as Ours;
        const { coefficients } = theirs[i] as Theirs;
        assert.ok(coefficients);
        if (model.kind === 'linear-classifier')
          assert.deepEqual([model.converged, coefficients.converged], [true, true]);
        const { coef, intercept } = coefficientsOf(model);
        const distances = [
          worst(coef, coefficients.coef.flat(), coefficientDistance),
          worst(centred(intercept), centred(coefficients.intercept), coefficientDistance),
        ];
        note(i, { 'coefficients/allowed': short(Math.max(...distances)) });
        assert.ok(Math.max(...distances) <= 1, `${distances} times what is allowed`);
      });
    } else {
      test("scores within one standard deviation of scikit-learn's folds", () => {
        const [got, expected] = [ours[i]?.scores ?? [], theirs[i]?.scores ?? []];
        assert.ok(got.length >= FOLDS);
        assert.equal(got.length, expected.length);
        const score = { ours: short(mean(got)), theirs: short(mean(expected)), deviation: short(deviation(expected)) };
        note(i, score);
        assert.ok(Math.abs(mean(got) - mean(expected)) <= deviation(expected), JSON.stringify(score));
      });
    }

    test('its file passes the checker and answers in both runtimes as the trainer does', () => {
      const { answers, node } = ours[i] as Ours;
      const { onnx } = theirs[i] as Theirs;
      const expected = expectedOutputs(answers);
      const distances = [node.values, onnx.values].map((values) => worst(values, expected, outputDistance));
      note(i, { 'node runtime': short(distances[0] as number), 'python runtime': short(distances[1] as number) });
      assert.ok(Math.max(...distances) <= 1e-5, `differences of ${distances}`);
      assert.deepEqual([wrongLabels(answers, node.label), wrongLabels(answers, onnx.label)], [[], []]);
    });

    test('is measured as sklearn.metrics does', () => {
      const measures = measuresOf((ours[i] as Ours).answers) as unknown as Record<string, number>;
      const { metrics } = theirs[i] as Theirs;
      const { samples, ...compared } = measures;
      assert.deepEqual(Object.keys(compared).sort(), Object.keys(metrics).sort());
      const distances = Object.entries(metrics).map(([name, value]) => outputDistance(compared[name] as number, value));
      note(i, { metrics: short(Math.max(...distances)) });
      assert.ok(Math.max(...distances) <= 1e-9, JSON.stringify({ compared, metrics }));
    });
  });
}
