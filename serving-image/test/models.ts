/** The models the tests serve. */
import type { Examples, ModelSignature } from '@slipway/contract';
import { BOOL, FLOAT, floatTensor, INT64, ML, model, node, STRING, tensorValue } from './onnx.ts';

export interface TestModel {
  readonly onnx: Buffer;
  readonly signature?: ModelSignature;
  readonly examples?: Examples;
}

export const SPECIES = ['setosa', 'versicolor', 'virginica'];
const IRIS_COLUMNS = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'];

// Coefficients of a multinomial logistic regression on the iris data.
const WEIGHTS = [
  [-0.42, 0.97, -2.52, -1.08],
  [0.53, -0.32, -0.2, -0.94],
  [-0.11, -0.65, 2.72, 2.02],
];
const BIAS = [9.85, 2.24, -12.09];

/** What the iris model gives for a row, computed here in double precision. */
export function irisScores(row: readonly number[]): { id: number; probabilities: number[] } {
  const raw = WEIGHTS.map((weights, k) =>
    weights.reduce((sum, w, i) => sum + w * (row[i] as number), BIAS[k] as number),
  );
  const highest = Math.max(...raw);
  const powers = raw.map((value) => Math.exp(value - highest));
  const total = powers.reduce((a, b) => a + b, 0);
  return { id: raw.indexOf(highest), probabilities: powers.map((p) => p / total) };
}

export const irisRow = (values: readonly number[]): Record<string, number> =>
  Object.fromEntries(IRIS_COLUMNS.map((name, i) => [name, values[i] as number]));

const IRIS_EXAMPLES = [
  [5.1, 3.5, 1.4, 0.2],
  [6.0, 2.7, 5.1, 1.6],
  [7.7, 3.8, 6.7, 2.2],
];

const linearClassifier = node({
  op: 'LinearClassifier',
  domain: ML,
  name: 'classifier',
  inputs: ['features'],
  outputs: ['label', 'probabilities'],
  attributes: {
    classlabels_ints: { ints: [0, 1, 2] },
    coefficients: { floats: WEIGHTS.flat() },
    intercepts: { floats: BIAS },
    multi_class: { int: 1 },
    post_transform: { string: 'SOFTMAX' },
  },
});

const irisOnnx = (rows: number | string): Buffer =>
  model({
    nodes: [linearClassifier],
    inputs: [tensorValue('features', FLOAT, [rows, 4])],
    outputs: [tensorValue('label', INT64, [rows]), tensorValue('probabilities', FLOAT, [rows, 3])],
  });

const IRIS_SIGNATURE: ModelSignature = {
  inputs: IRIS_COLUMNS.map((name) => ({ name, type: 'float32' })),
  outputs: [
    { name: 'label', type: 'int64', labels: SPECIES },
    { name: 'probabilities', type: 'float32', labels: SPECIES },
  ],
};

export const iris: TestModel = {
  onnx: irisOnnx('N'),
  signature: IRIS_SIGNATURE,
  examples: {
    inputs: IRIS_EXAMPLES.map(irisRow),
    outputs: {
      label: IRIS_EXAMPLES.map((row) => irisScores(row).id),
      probabilities: IRIS_EXAMPLES.map((row) => irisScores(row).probabilities),
    },
  },
};

/** The same classifier, exported for one row at a time. */
export const irisOneRow: TestModel = { ...iris, onnx: irisOnnx(1) };

/** Names that agree once normalised, so that only exact ones are clear. */
export const ambiguous: TestModel = {
  onnx: irisOnnx('N'),
  signature: {
    inputs: ['size (cm)', 'size (in)', 'weight', 'age'].map((name) => ({ name, type: 'float32' })),
    outputs: IRIS_SIGNATURE.outputs,
  },
};

/** y = 2·length + [F: 1, I: 2, M: 3], as the abalone data has it: one string column, one number, one output. */
export const regressor: TestModel = {
  onnx: model({
    nodes: [
      node({
        op: 'OneHotEncoder',
        domain: ML,
        inputs: ['sex'],
        outputs: ['sex_hot'],
        attributes: { cats_strings: { strings: ['F', 'I', 'M'] }, zeros: { int: 1 } },
      }),
      node({ op: 'Reshape', inputs: ['sex_hot', 'flat'], outputs: ['sex_flat'] }),
      node({ op: 'Concat', inputs: ['sex_flat', 'length'], outputs: ['all'], attributes: { axis: { int: 1 } } }),
      node({
        op: 'LinearRegressor',
        domain: ML,
        inputs: ['all'],
        outputs: ['rings'],
        attributes: { coefficients: { floats: [1, 2, 3, 2] }, intercepts: { floats: [0] } },
      }),
    ],
    inputs: [tensorValue('sex', STRING, ['N', 1]), tensorValue('length', FLOAT, ['N', 1])],
    outputs: [tensorValue('rings', FLOAT, ['N', 1])],
    initializers: [int64Tensor('flat', [-1n, 3n])],
  }),
  signature: {
    inputs: [
      { name: 'sex', type: 'string' },
      { name: 'length', type: 'float32' },
    ],
    outputs: [{ name: 'rings', type: 'float32' }],
  },
  examples: { inputs: [{ sex: 'I', length: 0.5 }], outputs: { rings: [3] } },
};

function int64Tensor(name: string, values: readonly bigint[]): Uint8Array {
  const raw = Buffer.from(BigInt64Array.from(values).buffer);
  // dims, data_type, name, raw_data
  return Buffer.concat([
    Buffer.from([8, values.length, 16, INT64, 66, name.length]),
    Buffer.from(name),
    Buffer.from([74, raw.length]),
    raw,
  ]);
}

/** Gives back its int64 and bool columns. */
export const echo: TestModel = {
  onnx: model({
    nodes: [
      node({ op: 'Identity', inputs: ['count'], outputs: ['count_out'] }),
      node({ op: 'Not', inputs: ['flag'], outputs: ['flag_out'] }),
    ],
    inputs: [tensorValue('count', INT64, ['N']), tensorValue('flag', BOOL, ['N'])],
    outputs: [tensorValue('count_out', INT64, ['N']), tensorValue('flag_out', BOOL, ['N'])],
  }),
};

/** The logarithm of its input: NaN for negative rows. */
export const logarithm: TestModel = {
  onnx: model({
    nodes: [node({ op: 'Log', inputs: ['x'], outputs: ['y'] })],
    inputs: [tensorValue('x', FLOAT, ['N', 2])],
    outputs: [tensorValue('y', FLOAT, ['N', 2])],
  }),
};

/** Subtracts the batch's mean: rows influence each other. */
export const centering: TestModel = {
  onnx: model({
    nodes: [
      node({ op: 'ReduceMean', inputs: ['x'], outputs: ['mean'], attributes: { axes: { ints: [0] } } }),
      node({ op: 'Sub', inputs: ['x', 'mean'], outputs: ['y'] }),
    ],
    inputs: [tensorValue('x', FLOAT, ['N', 2])],
    outputs: [tensorValue('y', FLOAT, ['N', 2])],
  }),
};

/** A dense network of the given widths with made-up weights: one that takes the runtime some time. */
export function network(widths: readonly number[]): TestModel {
  const layers = widths.slice(1);
  const weights = layers.map((width, i) => {
    const size = (widths[i] as number) * width;
    return floatTensor(
      `w${i}`,
      [widths[i] as number, width],
      Array.from({ length: size }, (_, k) => Math.sin(k + i) / 16),
    );
  });
  const nodes = layers.flatMap((_, i) => [
    node({ op: 'MatMul', inputs: [i === 0 ? 'x' : `h${i}`, `w${i}`], outputs: [`m${i}`] }),
    node({ op: 'Tanh', inputs: [`m${i}`], outputs: [i === layers.length - 1 ? 'y' : `h${i + 1}`] }),
  ]);
  return {
    onnx: model({
      nodes,
      inputs: [tensorValue('x', FLOAT, ['N', widths[0] as number])],
      outputs: [tensorValue('y', FLOAT, ['N', widths[widths.length - 1] as number])],
      initializers: weights,
    }),
  };
}

/** Gives back one column of every type, each under its name and `_out`. */
export const manyTypes: TestModel = (() => {
  const types = {
    float16: 10,
    float32: FLOAT,
    float64: 11,
    int8: 3,
    int16: 5,
    int32: 6,
    int64: INT64,
    uint8: 2,
    uint16: 4,
    uint32: 12,
    uint64: 13,
    bool: BOOL,
    string: STRING,
  };
  const names = Object.keys(types);
  return {
    onnx: model({
      nodes: names.map((name) => node({ op: 'Identity', inputs: [name], outputs: [`${name}_out`] })),
      inputs: Object.entries(types).map(([name, type]) => tensorValue(name, type, ['N'])),
      outputs: Object.entries(types).map(([name, type]) => tensorValue(`${name}_out`, type, ['N'])),
    }),
  };
})();
