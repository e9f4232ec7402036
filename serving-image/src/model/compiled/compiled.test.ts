import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { filesOf, modelFolder, temporaryFolder } from '../../../test/folder.ts';
import { echo, iris, logarithm, network, regressor } from '../../../test/models.ts';
import {
  type AttributeValue,
  bytes,
  concat,
  FLOAT,
  floatTensor,
  type GraphOptions,
  graph,
  INT64,
  int,
  ML,
  model,
  node,
  STRING,
  tensorValue,
  text,
} from '../../../test/onnx.ts';
import { loadModel } from '../load.ts';
import { openSession, type Session } from '../session.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorRules } from '../tensor-rules.ts';
import { compileModel, crossing } from './compile.ts';
import { prove, type Score } from './proof.ts';
import { seeded } from './proof-rows.ts';

const WIDTH = 4;

interface Subject {
  readonly session: Session;
  readonly run: Score;
  readonly options: Parameters<typeof prove>[2];
}

/** The model in the runtime and compiled, and what a proof of them needs. */
async function subject(t: TestContext, onnx: Buffer, rules: readonly TensorRules[] = []): Promise<Subject> {
  const path = join(await temporaryFolder(t), 'model.onnx');
  await writeFile(path, onnx);
  const session = await openSession({ path, threads: 1 });
  t.after(() => session.release());
  const { plan, points } = compileModel(onnx);
  const { inputs, outputs } = session;
  return { session, run: plan.run, options: { inputs, outputs, rules, points, given: [], size: undefined } };
}

async function assertProven(t: TestContext, onnx: Buffer, rules: readonly TensorRules[] = []): Promise<void> {
  const { session, run, options } = await subject(t, onnx, rules);
  assert.ok((await prove(run, session, options)) >= 64);
}

const OPTIONAL: readonly TensorRules[] = [
  Array.from({ length: WIDTH }, () => ({ isOptional: true, known: undefined })),
];

/** A graph from `x` [N,4] to its outputs. */
const onX = (options: Omit<GraphOptions, 'inputs'>): Buffer =>
  model({ ...options, inputs: [tensorValue('x', FLOAT, ['N', WIDTH])] });

const random = seeded(7);
const numbers = (count: number, scale = 1): number[] =>
  Array.from({ length: count }, () => Math.fround((random() - 0.5) * 2 * scale));

const labelled = (op: string, attributes: Record<string, AttributeValue>, classes: number): Buffer =>
  onX({
    nodes: [node({ op, domain: ML, inputs: ['x'], outputs: ['label', 'scores'], attributes })],
    outputs: [tensorValue('label', INT64, ['N']), tensorValue('scores', FLOAT, ['N', classes])],
  });

const ids = (count: number) => ({ ints: Array.from({ length: count }, (_, i) => i * 3) });

describe('a linear model', () => {
  for (const post of ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO']) {
    test(`classifier ending in ${post}`, async (t) => {
      const attributes = { coefficients: { floats: numbers(12) }, intercepts: { floats: numbers(3) } };
      await assertProven(
        t,
        labelled('LinearClassifier', { ...attributes, classlabels_ints: ids(3), post_transform: { string: post } }, 3),
      );
    });
  }

  test('that gives quantities', async (t) => {
    const attributes = {
      coefficients: { floats: numbers(8) },
      intercepts: { floats: numbers(2) },
      targets: { int: 2 },
    };
    const regress = node({ op: 'LinearRegressor', domain: ML, inputs: ['x'], outputs: ['y'], attributes });
    await assertProven(t, onX({ nodes: [regress], outputs: [tensorValue('y', FLOAT, ['N', 2])] }));
  });

  test('of texts and numbers, known and unknown', async (t) => assertProven(t, regressor.onnx));
});

/** Operators between the input and a linear model, which makes the graph one that is compiled. */
const BEFORE: Readonly<Record<string, { nodes: Uint8Array[]; initializers?: Uint8Array[] }>> = {
  Scaler: {
    nodes: [ml('Scaler', { offset: { floats: numbers(WIDTH) }, scale: { floats: numbers(WIDTH, 3) } })],
  },
  'Normalizer MAX': { nodes: [ml('Normalizer', { norm: { string: 'MAX' } })] },
  'Normalizer L1': { nodes: [ml('Normalizer', { norm: { string: 'L1' } })] },
  'Normalizer L2': { nodes: [ml('Normalizer', { norm: { string: 'L2' } })] },
  Imputer: {
    nodes: [
      ml('Imputer', { imputed_value_floats: { floats: numbers(WIDTH) }, replaced_value_float: { float: Number.NaN } }),
    ],
  },
  ...Object.fromEntries(
    ['Abs', 'Relu', 'Sigmoid', 'Tanh', 'Neg', 'Softmax', 'Identity'].map((op) => [op, { nodes: [plain(op, ['x'])] }]),
  ),
  ...Object.fromEntries(
    ['Add', 'Sub', 'Mul', 'Div'].map((op) => [
      op,
      { nodes: [plain(op, ['x', 'row'])], initializers: [floatTensor('row', [WIDTH], numbers(WIDTH, 4))] },
    ]),
  ),
  'Where and Less': {
    nodes: [node({ op: 'Less', inputs: ['x', 'row'], outputs: ['less'] }), plain('Where', ['less', 'x', 'row'])],
    initializers: [floatTensor('row', [WIDTH], numbers(WIDTH, 4))],
  },
  Clip: {
    nodes: [plain('Clip', ['x', 'least', 'most'])],
    initializers: [floatTensor('least', [], [-1]), floatTensor('most', [], [2])],
  },
  'Split and Concat': {
    nodes: [
      node({ op: 'Split', inputs: ['x'], outputs: ['a', 'b'], attributes: { axis: { int: 1 } } }),
      node({ op: 'Concat', inputs: ['b', 'a'], outputs: ['made'], attributes: { axis: { int: 1 } } }),
    ],
  },
};

function ml(op: string, attributes: Record<string, AttributeValue>): Uint8Array {
  return node({ op, domain: ML, inputs: ['x'], outputs: ['made'], attributes });
}
function plain(op: string, inputs: readonly string[]): Uint8Array {
  return node({ op, inputs, outputs: ['made'] });
}

describe('an operator before the model', () => {
  for (const [name, { nodes, initializers = [] }] of Object.entries(BEFORE)) {
    test(name, async (t) => {
      const gemm = node({ op: 'Gemm', inputs: ['made', 'w', 'c'], outputs: ['y'] });
      const weights = [floatTensor('w', [WIDTH, 2], numbers(8)), floatTensor('c', [2], numbers(2))];
      const onnx = onX({
        nodes: [...nodes, gemm],
        // The table itself as well: a weighted sum could hide a difference.
        outputs: [tensorValue('y', FLOAT, ['N', 2]), tensorValue('made', FLOAT, ['N', WIDTH])],
        initializers: [...initializers, ...weights],
      });
      await assertProven(t, onnx, name === 'Imputer' ? OPTIONAL : []);
    });
  }
});

const MODES = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'];

/** Random trees over small whole numbers and halves, so that equality is met. */
function randomTrees(modes: readonly string[], trees: number) {
  const all = {
    treeids: [],
    nodeids: [],
    featureids: [],
    values: [],
    truenodeids: [],
    falsenodeids: [],
    missing: [],
  } as Record<string, number[]>;
  const kinds: string[] = [];
  const leaves: [tree: number, node: number][] = [];
  const put = (name: string, value: number) => all[name]?.push(value);
  for (let tree = 0; tree < trees; tree++) {
    let next = 0;
    const grow = (depth: number): number => {
      const id = next++;
      const at = kinds.length;
      const isLeaf = depth === 0 || random() < 0.2;
      kinds.push(isLeaf ? 'LEAF' : (modes[Math.floor(random() * modes.length)] as string));
      for (const [name, value] of Object.entries({ treeids: tree, nodeids: id, truenodeids: 0, falsenodeids: 0 })) {
        put(name, value);
      }
      put('featureids', Math.floor(random() * WIDTH));
      put('values', Math.round(random() * 8 - 4) / 2);
      put('missing', Math.round(random()));
      if (isLeaf) {
        leaves.push([tree, id]);
        return id;
      }
      (all['truenodeids'] as number[])[at] = grow(depth - 1);
      (all['falsenodeids'] as number[])[at] = grow(depth - 1);
      return id;
    };
    grow(1 + Math.floor(random() * 5));
  }
  const { missing = [], ...named } = all;
  return { named, missing, kinds, leaves };
}

interface Forest {
  readonly modes?: readonly string[];
  readonly trees?: number;
  /** Targets or classes each leaf votes for; by default one, the tree's own. */
  readonly votes?: 'own' | 'all' | 'some' | 'first';
  readonly targets: number;
  readonly missing?: boolean;
  readonly positive?: boolean;
  readonly extra?: Record<string, AttributeValue>;
}

function forestAttributes(of: 'class' | 'target', forest: Forest): Record<string, AttributeValue> {
  const { modes = ['BRANCH_LEQ'], trees = 9, votes = 'own', targets } = forest;
  const { named, missing, kinds, leaves } = randomTrees(modes, trees);
  const said = leaves.flatMap(([tree, id]) => {
    const every = Array.from({ length: targets }, (_, target) => target);
    const some = every.filter((target) => target === tree % targets || random() < 0.5);
    const to = { own: [tree % targets], first: [0], all: every, some }[votes];
    return to.map((target) => ({ tree, id, target, weight: forest.positive ? random() : random() - 0.5 }));
  });
  return {
    ...Object.fromEntries(
      Object.entries(named).map(([name, list]) => [
        `nodes_${name}`,
        name === 'values' ? { floats: list } : { ints: list },
      ]),
    ),
    nodes_modes: { strings: kinds },
    ...(forest.missing && { nodes_missing_value_tracks_true: { ints: missing } }),
    [`${of}_treeids`]: { ints: said.map(({ tree }) => tree) },
    [`${of}_nodeids`]: { ints: said.map(({ id }) => id) },
    [`${of}_ids`]: { ints: said.map(({ target }) => target) },
    [`${of}_weights`]: { floats: said.map(({ weight }) => weight) },
    ...forest.extra,
  };
}

const classifier = (forest: Forest): Buffer =>
  labelled(
    'TreeEnsembleClassifier',
    { ...forestAttributes('class', forest), classlabels_int64s: ids(forest.targets) },
    forest.targets,
  );

const regression = (forest: Forest): Buffer => {
  const attributes = { ...forestAttributes('target', forest), n_targets: { int: forest.targets } };
  const trees = node({ op: 'TreeEnsembleRegressor', domain: ML, inputs: ['x'], outputs: ['y'], attributes });
  return onX({ nodes: [trees], outputs: [tensorValue('y', FLOAT, ['N', forest.targets])] });
};

const post = (name: string) => ({ post_transform: { string: name } });

describe('trees', () => {
  for (const mode of MODES) {
    for (const missing of [false, true]) {
      test(`that ask ${mode}${missing ? ', with missing values of both ways' : ''}`, (t) =>
        assertProven(t, regression({ modes: [mode], targets: 1, missing }), OPTIONAL));
    }
  }
  test('that ask in all ways at once', (t) =>
    assertProven(t, regression({ modes: MODES, targets: 1, trees: 30, missing: true }), OPTIONAL));

  for (const aggregate of ['SUM', 'AVERAGE', 'MIN', 'MAX']) {
    for (const votes of ['own', 'all', 'some'] as const) {
      test(`of three quantities, ${aggregate} of leaves that vote for ${votes}`, (t) =>
        assertProven(
          t,
          regression({
            targets: 3,
            votes,
            extra: { aggregate_function: { string: aggregate }, base_values: { floats: [0.5, -1, 2] } },
          }),
        ));
    }
  }

  for (const name of ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO']) {
    test(`of three classes ending in ${name}`, async (t) => {
      for (const votes of ['own', 'all', 'some'] as const) {
        await assertProven(
          t,
          classifier({ targets: 3, votes, extra: { ...post(name), base_values: { floats: numbers(3) } } }),
        );
        await assertProven(t, classifier({ targets: 3, votes, extra: post(name) }));
      }
    });
    for (const positive of [true, false]) {
      test(`of two classes, ${positive ? 'positive' : 'mixed'} votes for one of them, ending in ${name}`, async (t) => {
        await assertProven(t, classifier({ targets: 2, votes: 'first', positive, extra: post(name) }));
        const base = { base_values: { floats: [0.3] } };
        await assertProven(t, classifier({ targets: 2, votes: 'first', positive, extra: { ...post(name), ...base } }));
      });
    }
    test(`of two classes that are both voted for, ending in ${name}`, (t) =>
      assertProven(t, classifier({ targets: 2, votes: 'all', extra: post(name) })));
  }

  test('in great number, more than a block of rows at once', async (t) => {
    const { session, run } = await subject(t, regression({ targets: 1, trees: 120 }));
    const data = Float32Array.from({ length: 3000 * WIDTH }, () => random() * 6 - 3);
    const x: Tensor = { type: 'float32', dims: [3000, WIDTH], data };
    assert.deepEqual(run([x])[0]?.data, (await session.run([x]))[0]?.data);
  });

  test('of the newer operator', async (t) => {
    const onnx = Buffer.from(
      concat(
        int(1, 10),
        bytes(
          7,
          graph({
            nodes: [node({ op: 'TreeEnsemble', domain: ML, inputs: ['x'], outputs: ['y'], attributes: NEW_TREES })],
            inputs: [tensorValue('x', FLOAT, ['N', WIDTH])],
            outputs: [tensorValue('y', FLOAT, ['N', 2])],
          }),
        ),
        bytes(8, concat(text(1, ''), int(2, 17))),
        bytes(8, concat(text(1, ML), int(2, 5))),
      ),
    );
    await assertProven(t, onnx, OPTIONAL);
  });
});

const byteTensor = (values: readonly number[]): Uint8Array =>
  concat(int(1, values.length), int(2, 2), bytes(9, Uint8Array.from(values)));

/** Two trees: one of two splits that asks LEQ and GTE, one that is a single leaf. */
const NEW_TREES: Record<string, AttributeValue> = {
  n_targets: { int: 2 },
  aggregate_function: { int: 0 },
  tree_roots: { ints: [0, 2] },
  nodes_featureids: { ints: [1, 3, 0] },
  nodes_modes: { tensor: byteTensor([0, 2, 0]) },
  nodes_splits: { tensor: floatTensor('', [3], [0.5, -0.25, 0]) },
  nodes_truenodeids: { ints: [1, 0, 3] },
  nodes_trueleafs: { ints: [0, 1, 1] },
  nodes_falsenodeids: { ints: [2, 1, 3] },
  nodes_falseleafs: { ints: [1, 1, 1] },
  nodes_missing_value_tracks_true: { ints: [1, 0, 0] },
  leaf_targetids: { ints: [0, 1, 0, 1] },
  leaf_weights: { tensor: floatTensor('', [4], [1.5, -2, 0.25, 4]) },
};

describe('the proof', () => {
  const tampered: Readonly<Record<string, (outputs: readonly Tensor[]) => readonly Tensor[]>> = {
    'another label': ([label, scores]) => [
      { ...(label as Tensor), data: BigInt64Array.from((label as Tensor).data as BigInt64Array, (id) => id || 1n) },
      scores as Tensor,
    ],
    'a score that is a little off': ([label, scores]) => [
      label as Tensor,
      { ...(scores as Tensor), data: ((scores as Tensor).data as Float32Array).map((score) => score + 2e-6) },
    ],
    'another shape': ([label, scores]) => [label as Tensor, { ...(scores as Tensor), dims: [1] }],
    'a failure': () => {
      throw new Error('no');
    },
  };
  for (const [what, tamper] of Object.entries(tampered)) {
    test(`refuses ${what}`, async (t) => {
      const { session, run, options } = await subject(t, iris.onnx);
      await assert.rejects(
        prove((inputs) => tamper(run(inputs)), session, options),
        { name: 'DiffersError' },
      );
    });
  }

  test('takes either of what the runtime says of a row alone and among others, and nothing beside', async (t) => {
    const { run, options } = await subject(t, iris.onnx);
    const moved =
      (by: number, most: number): Score =>
      (inputs) =>
        run(inputs).map((tensor) =>
          tensor.type === 'float32' && (tensor.dims[0] as number) <= most
            ? { ...tensor, data: (tensor.data as Float32Array).map((score) => score + by) }
            : tensor,
        );
    const runtime = { run: async (inputs: readonly Tensor[]) => moved(3e-6, 1)(inputs) };
    await prove(run, runtime, options);
    await assert.rejects(prove(moved(-3e-6, Number.POSITIVE_INFINITY), runtime, options), { name: 'DiffersError' });
  });

  test('refuses a tree that goes the other way at its very threshold only', async (t) => {
    const stump = (mode: string) =>
      regression({
        targets: 1,
        trees: 0,
        extra: {
          ...Object.fromEntries(['treeids', 'featureids'].map((name) => [`nodes_${name}`, { ints: [0, 0, 0] }])),
          nodes_nodeids: { ints: [0, 1, 2] },
          nodes_truenodeids: { ints: [1, 0, 0] },
          nodes_falsenodeids: { ints: [2, 0, 0] },
          nodes_values: { floats: [1.5, 0, 0] },
          nodes_modes: { strings: [mode, 'LEAF', 'LEAF'] },
          target_treeids: { ints: [0, 0] },
          target_nodeids: { ints: [1, 2] },
          target_ids: { ints: [0, 0] },
          target_weights: { floats: [1, 2] },
        },
      });
    const { session, run, options } = await subject(t, stump('BRANCH_LEQ'));
    await prove(run, session, options);
    await assert.rejects(prove(compileModel(stump('BRANCH_LT')).plan.run, session, options), { name: 'DiffersError' });
  });
});

describe('a model is left to the runtime', () => {
  test('when it is neither linear nor made of trees, or has an operator that is not compiled', () => {
    assert.throws(() => compileModel(logarithm.onnx), { name: 'NotCompiledError' });
    assert.throws(() => compileModel(echo.onnx), { name: 'NotCompiledError' });
    assert.throws(() => compileModel(network([64, 2048, 10]).onnx), { message: /wide layers/ });
    const odd = onX({ nodes: [plain('Erf', ['x'])], outputs: [tensorValue('made', FLOAT, ['N', WIDTH])] });
    assert.throws(() => compileModel(odd), { message: /Erf is not compiled/ });
  });

  test('which a forced choice says as a failure, with what to do', async (t) => {
    const { dir, files } = await modelFolder(t, filesOf(logarithm));
    await assert.rejects(loadModel(dir, files, 1, { engine: 'compiled' }), {
      reason: 'UnsupportedOperator',
      message: /engine is "compiled".*neither linear nor made of trees.*auto or onnxruntime/,
    });
    const { engine, engineReason, session } = await loadModel(dir, files, 1, { engine: 'auto' });
    await session.release();
    assert.equal(engine, 'onnxruntime');
    assert.match(engineReason, /neither linear nor made of trees/);
  });

  test('when it is asked for, and only then not tried', async (t) => {
    const { dir, files } = await modelFolder(t, filesOf(iris));
    for (const choice of ['compiled', 'auto', 'onnxruntime'] as const) {
      const { engine, session } = await loadModel(dir, files, 1, { engine: choice });
      await session.release();
      assert.equal(engine, choice === 'auto' ? 'compiled' : choice);
    }
  });

  test('for large batches alone where it gains by them, and all of it where it gains by everything', () => {
    const times = { oneHere: 0.01, oneThere: 0.05, count: 101 };
    assert.equal(crossing({ ...times, manyHere: 0.06, manyThere: 0.1 }), Number.POSITIVE_INFINITY);
    assert.equal(crossing({ ...times, manyHere: 1.01, manyThere: 0.55 }), 9);
    assert.equal(crossing({ ...times, oneHere: 0.06, manyHere: 1, manyThere: 2 }), 0);
    // A millisecond for a thousand rows is not worth a runtime in memory.
    assert.equal(crossing({ ...times, manyHere: 0.06, manyThere: 0.055 }), Number.POSITIVE_INFINITY);
  });
});

test('a text that a strict encoder does not know fails, as it does in the runtime', () => {
  const attributes = { cats_strings: { strings: ['a', 'b'] }, zeros: { int: 0 } };
  const onnx = model({
    nodes: [
      node({ op: 'OneHotEncoder', domain: ML, inputs: ['s'], outputs: ['hot'], attributes }),
      node({ op: 'Flatten', inputs: ['hot'], outputs: ['flat'] }),
      node({ op: 'MatMul', inputs: ['flat', 'w'], outputs: ['y'] }),
    ],
    inputs: [tensorValue('s', STRING, ['N', 1])],
    outputs: [tensorValue('y', FLOAT, ['N', 1])],
    initializers: [floatTensor('w', [2, 1], [1, 2])],
  });
  const { plan } = compileModel(onnx);
  const row = (value: string): readonly Tensor[] => [{ type: 'string', dims: [1, 1], data: [value] }];
  assert.deepEqual(plan.run(row('b'))[0]?.data, Float32Array.of(2));
  assert.throws(() => plan.run(row('c')), /Unknown Category/);
});
