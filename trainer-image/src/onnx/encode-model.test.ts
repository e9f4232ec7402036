import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runOnnx } from '../../test/onnx-runtime.ts';
import { mostLikely } from '../evaluate/classification.ts';
import { predictProbabilities, predictValues } from '../learn/predict.ts';
import { randomFrom } from '../learn/random.ts';
import type { Encoding, FeatureColumn, FittedModel, Tree, TreeEnsemble } from '../model.ts';
import { designOf } from '../train/encode.ts';
import { encodeModel } from './encode-model.ts';
import { attribute, createGraph } from './graph.ts';
import { signatureFor } from './signature.ts';

const ROWS = 64;
const random = randomFrom(1);
const uniform = (from: number, to: number): number => from + (to - from) * random();
const numbers = (name: string, from: number, to: number, missing = 0): FeatureColumn => ({
  kind: 'number',
  name,
  values: Float32Array.from({ length: ROWS }, (_, i) => (i < missing ? Number.NaN : uniform(from, to))),
  missing,
});
const texts = (name: string, categories: string[], missing = 0): FeatureColumn => ({
  kind: 'category',
  name,
  ids: Int16Array.from({ length: ROWS }, (_, i) => (i < missing ? -1 : Math.floor(uniform(0, categories.length)))),
  categories,
  missing,
});
const number = (feature: number, impute: number | 'keep' = 'keep'): Encoding => ({ feature, kind: 'number', impute });
const is = (feature: number, category: string): Encoding => ({ feature, kind: 'is', category });

interface Data {
  readonly features: readonly FeatureColumn[];
  readonly encodings: readonly Encoding[];
}

const DATA: Readonly<Record<string, Data>> = {
  'numbers in their order': {
    features: [numbers('a', -1, 1), numbers('b', 1e6, 1e6 + 1), numbers('c', 0, 1e-6)],
    encodings: [number(0), number(1), number(2)],
  },
  'numbers in another order, one left out, one imputed': {
    features: [numbers('a', -1, 1, 5), numbers('b', 3, 4), numbers('c', -5, 5, 9)],
    encodings: [number(2, 1.5), number(0, -0.25), number(0, 0.5)],
  },
  'texts and numbers mixed, missing ones among both': {
    features: [
      texts('sex', ['F', 'I', 'M'], 4),
      numbers('Whole weight', 0, 2, 6),
      texts('shell (colour)', ['ä', 'b "c"'], 3),
      numbers('rings', 5, 9),
    ],
    encodings: [is(0, 'I'), is(0, 'M'), number(1, 0.75), is(2, 'ä'), is(2, 'b "c"'), number(3)],
  },
  'texts alone': { features: [texts('only', ['x', 'y'], 1)], encodings: [is(0, 'x'), is(0, 'y')] },
  'names that the graph would take itself': {
    features: [texts('label', ['x', 'y']), numbers('prediction', 0, 1), numbers('encoded', 0, 1, 1)],
    encodings: [is(0, 'y'), number(1), number(2, 0.5)],
  },
};

/** Missing values kept: only trees may. */
const keeping = ({ features, encodings }: Data): Data => ({
  features,
  encodings: encodings.map((encoding) => (encoding.kind === 'number' ? { ...encoding, impute: 'keep' } : encoding)),
});

/** A tree of random splits over values the data has, so that some rows lie on a threshold. */
function randomTree({ features, encodings }: Data, width: number, output: number, depth: number): Tree {
  const design = designOf(
    features,
    Int32Array.from({ length: ROWS }, (_, i) => i),
    encodings,
  );
  const nodes: { feature: number; threshold: number; left: number; right: number }[] = [];
  const grow = (levels: number): number => {
    const at = nodes.length;
    const feature = levels === 0 ? -1 : Math.floor(uniform(0, encodings.length));
    const threshold = design.columns[feature]?.[Math.floor(uniform(0, ROWS))] ?? 0;
    const node = { feature, threshold, left: 0, right: 0 };
    nodes.push(node);
    if (feature === -1) return at;
    node.left = grow(levels - 1);
    node.right = grow(random() < 0.3 ? 0 : levels - 1);
    return at;
  };
  grow(depth);
  const values = Float32Array.from({ length: nodes.length * width }, () => uniform(-1, 1));
  if (width > 1) toShares(values, width);
  return {
    feature: Int32Array.from(nodes, ({ feature }) => feature),
    threshold: Float32Array.from(nodes, ({ threshold }) => threshold),
    left: Int32Array.from(nodes, ({ left }) => left),
    right: Int32Array.from(nodes, ({ right }) => right),
    missingLeft: Uint8Array.from(nodes, () => (random() < 0.5 ? 1 : 0)),
    values,
    ...{ width, output, gain: new Float32Array(nodes.length) },
  };
}

function toShares(values: Float32Array, width: number): void {
  for (let node = 0; node < values.length; node += width) {
    const shares = values.subarray(node, node + width).map(Math.abs);
    const sum = shares.reduce((a, b) => a + b, 0);
    values.set(
      shares.map((share) => share / sum),
      node,
    );
  }
}

const forest = (data: Data, outputs: number, trees = 30): TreeEnsemble => ({
  ...{ kind: 'trees', task: outputs === 1 ? 'regression' : 'classification', outputs, aggregate: 'mean' },
  trees: Array.from({ length: trees }, (_, i) => randomTree(data, outputs, 0, i % 6)),
  ...{ base: new Float64Array(outputs), link: 'identity' },
});
const boosted = (data: Data, task: TreeEnsemble['task'], outputs: number): TreeEnsemble => ({
  ...{ kind: 'trees', task, outputs, aggregate: 'sum' },
  trees: Array.from({ length: 12 * outputs }, (_, i) => randomTree(data, 1, i % outputs, i % 5)),
  base: Float64Array.from({ length: outputs }, () => uniform(-1, 1)),
  link: task === 'regression' ? 'identity' : outputs === 1 ? 'logistic' : 'softmax',
});
const linear = ({ encodings }: Data) => Float64Array.from(encodings, () => uniform(-2, 2));

const MODELS: Readonly<Record<string, (data: Data) => FittedModel>> = {
  'linear regressor': (data) => ({ kind: 'linear-regressor', coefficients: linear(data), intercept: 0.5 }),
  'linear classifier of two': (data) => ({
    ...{ kind: 'linear-classifier', classes: 2, coefficients: linear(data), intercepts: Float64Array.of(-0.5) },
    ...{ iterations: 1, converged: true },
  }),
  'linear classifier of three': (data) => ({
    ...{ kind: 'linear-classifier', classes: 3, intercepts: Float64Array.of(0.5, 0, -0.5) },
    coefficients: Float64Array.from([1, 2, 3].flatMap(() => Array.from(linear(data)))),
    ...{ iterations: 1, converged: true },
  }),
  'forest of two classes': (data) => forest(data, 2),
  'forest of four classes': (data) => forest(data, 4),
  'forest of a quantity': (data) => forest(data, 1),
  'boosting of a quantity': (data) => boosted(data, 'regression', 1),
  'boosting of two classes': (data) => boosted(data, 'classification', 1),
  'boosting of three classes': (data) => boosted(data, 'classification', 3),
};

/** 1e-5, relative for what is larger than one. */
function assertClose(got: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(got.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [got[i] as number, expected[i] as number];
    assert.ok(Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b)), `value ${i}: got ${a}, the model says ${b}`);
  }
}

const all = Int32Array.from({ length: ROWS }, (_, i) => i);

async function assertSameAnswers(model: FittedModel, data: Data): Promise<void> {
  const design = designOf(data.features, all, data.encodings);
  const { label, values } = await runOnnx(encodeModel({ model, ...data }), data.features, ROWS);
  const isClassifier = label !== undefined;
  assertClose(values, isClassifier ? predictProbabilities(model, design) : predictValues(model, design));
  if (isClassifier) assert.deepEqual(label, Array.from(mostLikely(values, values.length / ROWS)));
}

for (const [modelName, modelOf] of Object.entries(MODELS)) {
  describe(`${modelName}: the file says what the model says`, () => {
    for (const [dataName, data] of Object.entries(DATA)) {
      test(dataName, async () => {
        await assertSameAnswers(modelOf(data), data);
        const kept = keeping(data);
        if (modelName.startsWith('forest') || modelName.startsWith('boosting')) {
          await assertSameAnswers(modelOf(kept), kept);
        }
      });
    }
  });
}

test('a linear model loses no digits to large numbers that vary little', async () => {
  const data: Data = { features: [numbers('time', 1.7e9, 1.7e9 + 1e5)], encodings: [number(0)] };
  await assertSameAnswers({ kind: 'linear-regressor', coefficients: Float64Array.of(1e-5), intercept: -1.7e4 }, data);
});

test('a long mean of large quantities loses no digits', async () => {
  const data = DATA['numbers in their order'] as Data;
  const { trees, ...rest } = forest(data, 1, 3000);
  const raised = trees.map((tree) => ({ ...tree, values: tree.values.map((value) => value / 1000 + 2000.3) }));
  await assertSameAnswers({ ...rest, trees: raised }, data);
});

test('the same model gives the same bytes, and one leaf is written once', () => {
  const data = DATA['numbers in their order'] as Data;
  const model = forest(data, 2);
  const first = encodeModel({ model, ...data });
  assert.deepEqual(encodeModel({ model: structuredClone(model), ...structuredClone(data) }), first);
  const flat = { ...model, trees: model.trees.map((tree) => ({ ...tree, values: tree.values.fill(0.5) })) };
  assert.ok(encodeModel({ model: flat, ...data }).length < first.length);
});

test('a model beyond what ONNX can hold is refused with what to lower', () => {
  const graph = createGraph([]);
  const endless = { size: 2 ** 31, write: () => assert.fail('nothing is written') };
  graph.add('Identity', { inputs: ['x'], outputs: ['y'], attributes: { much: attribute.tensor(endless) } });
  assert.throws(() => graph.encode('g', [], [], { ir: 8, opset: 17, ml: 3 }), {
    reason: 'InvalidParameter',
    message: /lower n_estimators/,
  });
});

describe('signature', () => {
  const { features } = DATA['texts and numbers mixed, missing ones among both'] as Data;

  test('says which columns may be missing and which texts are known', () => {
    assert.deepEqual(signatureFor({ features }), {
      inputs: [
        { name: 'sex', type: 'string', optional: true, categories: ['F', 'I', 'M'] },
        { name: 'Whole weight', type: 'float32', optional: true },
        { name: 'shell (colour)', type: 'string', optional: true, categories: ['ä', 'b "c"'] },
        { name: 'rings', type: 'float32' },
      ],
      outputs: [{ name: 'prediction', type: 'float32' }],
    });
  });

  test('names classes on both outputs, and no output as a feature', () => {
    const labels = ['no', 'yes'];
    const named = signatureFor({ features: [numbers('label', 0, 1)], labels });
    assert.deepEqual(named.outputs, [
      { name: 'label_', type: 'int64', labels },
      { name: 'probabilities', type: 'float32', labels },
    ]);
  });
});
