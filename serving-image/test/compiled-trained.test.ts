/** What our own trainer writes is compiled, whatever the algorithm, and says what the runtime says. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type AlgorithmName, TASKS, type Task } from '@slipway/contract';
import type { FeatureColumn, Table } from '../../trainer-image/src/model.ts';
import { train } from '../../trainer-image/src/train/train.ts';
import { compileFile } from '../src/model/compiled/compile.ts';
import { proofRows, seeded } from '../src/model/compiled/proof-rows.ts';
import { loadModel } from '../src/model/load.ts';
import { openSession } from '../src/model/session.ts';
import type { Tensor } from '../src/model/tensor.ts';
import { tensorRules } from '../src/model/tensor-rules.ts';
import { filesOf, modelFolder } from './folder.ts';

const ROWS = 240;
const random = seeded(5);

function numbers(name: string, gaps = 0): FeatureColumn {
  const values = Float32Array.from({ length: ROWS }, () => (random() < gaps ? Number.NaN : random() * 10));
  return { kind: 'number', name, values, missing: values.filter(Number.isNaN).length };
}

function texts(name: string, categories: readonly string[]): FeatureColumn {
  const ids = Int16Array.from({ length: ROWS }, () => Math.floor(random() * (categories.length + 0.3)));
  const withGaps = ids.map((id) => (id === categories.length ? -1 : id));
  return { kind: 'category', name, ids: withGaps, categories, missing: withGaps.filter((id) => id === -1).length };
}

const FEATURES: Readonly<Record<string, readonly FeatureColumn[]>> = {
  'numbers alone': ['a', 'b', 'c', 'd'].map((name) => numbers(name)),
  'numbers and texts, some of them missing': [
    texts('sex', ['F', 'I', 'M']),
    numbers('length', 0.1),
    numbers('weight'),
    texts('shell', ['dark', 'light']),
  ],
};

function quantity(features: readonly FeatureColumn[]): Float64Array {
  return Float64Array.from({ length: ROWS }, (_, row) =>
    features.reduce(
      (sum, column, i) =>
        sum + (column.kind === 'number' ? (column.values[row] || 0) * (i - 0.5) : (column.ids[row] as number) * 3),
      random(),
    ),
  );
}

/** `classes` 0: a quantity is to be predicted. */
function tableOf(features: readonly FeatureColumn[], classes: number): Table {
  const values = quantity(features);
  const sorted = values.toSorted();
  const share = (value: number): number => Math.floor((sorted.indexOf(value) / ROWS) * classes);
  const labels = Array.from({ length: classes }, (_, i) => `class ${i}`);
  const target =
    classes === 0
      ? ({ task: 'regression', values } as const)
      : ({ task: 'classification', labels, ids: Int32Array.from(values, share) } as const);
  return { rows: ROWS, features, target, targetName: 'target' };
}

const FEWER: Readonly<Partial<Record<AlgorithmName, Readonly<Record<string, string>>>>> = {
  'random-forest': { n_estimators: '20' },
  'gradient-boosting': { max_iter: '12' },
};

const CLASSES: Readonly<Record<Task, readonly number[]>> = { regression: [0], classification: [2, 3] };

const cases = (Object.keys(TASKS) as AlgorithmName[]).flatMap((algorithm) =>
  TASKS[algorithm].flatMap((task) => CLASSES[task].map((classes) => ({ algorithm, classes }))),
);

function assertSame(expected: Tensor, got: Tensor): void {
  assert.deepEqual([got.type, got.dims], [expected.type, expected.dims]);
  for (let i = 0; i < expected.data.length; i++) {
    const [was, is] = [Number(expected.data[i]), Number(got.data[i])];
    if (!(Number.isFinite(was) || Number.isFinite(is))) continue;
    const most = expected.type === 'int64' ? 0 : 1e-6 * Math.max(1, Math.abs(was));
    assert.ok(Math.abs(was - is) <= most, `value ${i}: ${is}, from the runtime ${was}`);
  }
}

for (const { algorithm, classes } of cases) {
  describe(`${algorithm}, ${classes === 0 ? 'a quantity' : `${classes} classes`}`, () => {
    for (const [kind, features] of Object.entries(FEATURES)) {
      test(`of ${kind}: compiled it is the same`, async (t) => {
        const trained = train(tableOf(features, classes), algorithm, FEWER[algorithm] ?? {}, {
          log: () => undefined,
          onProgress: () => undefined,
        });
        const { signature, examples } = trained;
        const { dir, files } = await modelFolder(t, filesOf({ onnx: Buffer.from(trained.onnx), signature, examples }));
        const loaded = await loadModel(dir, files, 1, { engine: 'compiled' });
        await loaded.session.release();
        assert.equal(loaded.engine, 'compiled');
        assert.match(loaded.engineReason, /equal to onnxruntime on \d+ rows/);

        const path = join(dir, 'model.onnx');
        const session = await openSession({ path, threads: 1 });
        t.after(() => session.release());
        const { plan, points } = compileFile(path, undefined);
        const rules = tensorRules(signature, session.inputs);
        const inputs = proofRows({ inputs: session.inputs, rules, points, given: [] }, 500, 77);
        const expected = await session.run(inputs);
        for (const [i, tensor] of plan.run(inputs).entries()) assertSame(expected[i] as Tensor, tensor);
      });
    }
  });
}
