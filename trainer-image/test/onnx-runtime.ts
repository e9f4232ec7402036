/** Predicting with an exported file in onnxruntime-node, from feature columns as a server would fill them in. */
import * as ort from 'onnxruntime-node';
import type { FeatureColumn } from '../src/model.ts';

export interface Predicted {
  /** Absent for a quantity. */
  readonly label?: readonly number[];
  /** Row by row; a quantity's `prediction`, or `probabilities`. */
  readonly values: Float32Array;
}

const textOf = ({ ids, categories }: Extract<FeatureColumn, { kind: 'category' }>): string[] =>
  Array.from(ids, (id) => categories[id] ?? '');

function feedsFor(features: readonly FeatureColumn[], inputs: readonly string[], rows: number) {
  const [only, another] = inputs;
  if (only !== undefined && another === undefined && features.every(({ kind }) => kind === 'number')) {
    const matrix = new Float32Array(rows * features.length);
    features.forEach((feature, j) => {
      if (feature.kind !== 'number') return;
      for (let row = 0; row < rows; row++) matrix[row * features.length + j] = feature.values[row] as number;
    });
    return { [only]: new ort.Tensor('float32', matrix, [rows, features.length]) };
  }
  const tensors = features.map((feature) => {
    const tensor =
      feature.kind === 'number'
        ? new ort.Tensor('float32', feature.values, [rows, 1])
        : new ort.Tensor('string', textOf(feature), [rows, 1]);
    return [feature.name, tensor] as const;
  });
  return Object.fromEntries(tensors);
}

/** What the file says of all rows of the features. The last output holds numbers, the first one of two the label. */
export async function runOnnx(bytes: Uint8Array, features: readonly FeatureColumn[], rows: number): Promise<Predicted> {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const { inputNames, outputNames } = session;
    const results = await session.run(feedsFor(features, inputNames, rows));
    const values = results[outputNames.at(-1) as string]?.data as Float32Array;
    if (outputNames.length === 1) return { values };
    return { label: Array.from(results[outputNames[0] as string]?.data as BigInt64Array, Number), values };
  } finally {
    await session.release();
  }
}
