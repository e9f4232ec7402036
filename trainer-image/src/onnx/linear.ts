/** Linear models: a Scaler before them, so that their sums are formed of small numbers and float32 loses no digits. */
import type { Encoding, FeatureColumn, LinearClassifier, LinearRegressor } from '../model.ts';
import { attribute, type Graph } from './graph.ts';

/** `(column - offset) * scale` is what the coefficients then apply to; both as float32 will hold them. */
interface Scale {
  readonly offset: number;
  readonly scale: number;
}

const AS_IT_IS: Scale = { offset: 0, scale: 1 };

/** By the mean and the standard deviation of what the design's column holds. */
function scaleOf(encoding: Encoding, features: readonly FeatureColumn[]): Scale {
  const feature = features[encoding.feature];
  if (encoding.kind === 'is' || feature?.kind !== 'number') return AS_IT_IS;
  const value = (row: number): number => {
    const got = feature.values[row] as number;
    return Number.isNaN(got) && encoding.impute !== 'keep' ? encoding.impute : got;
  };
  const rows = feature.values.length;
  let [sum, squares] = [0, 0];
  for (let row = 0; row < rows; row++) sum += value(row);
  const offset = Math.fround(sum / rows);
  for (let row = 0; row < rows; row++) squares += (value(row) - offset) ** 2;
  const scale = Math.fround(1 / Math.sqrt(squares / rows));
  return Number.isFinite(offset) && Number.isFinite(scale) ? { offset, scale } : AS_IT_IS;
}

interface Line {
  readonly coefficients: Float64Array;
  readonly intercept: number;
}

/** The same function of the columns, of scaled ones. */
function scaledLine({ coefficients, intercept }: Line, scales: readonly Scale[]): Line {
  return {
    coefficients: coefficients.map((value, j) => value / (scales[j] as Scale).scale),
    intercept: coefficients.reduce((sum, value, j) => sum + value * (scales[j] as Scale).offset, intercept),
  };
}

function addScaler(graph: Graph, design: string, scales: readonly Scale[]): string {
  return graph.addMl('Scaler', {
    inputs: [design],
    outputs: [graph.fresh('scaled')],
    attributes: {
      offset: attribute.floats(scales.map(({ offset }) => offset)),
      scale: attribute.floats(scales.map(({ scale }) => scale)),
    },
  });
}

/** A linear model, the tensor with the rows of its design, and what that was made from. */
interface Fitted<Model> {
  readonly model: Model;
  readonly design: string;
  readonly features: readonly FeatureColumn[];
  readonly encodings: readonly Encoding[];
}

/** Class and softmax of the scores, as the outputs `label` and `probabilities`. */
export function addLinearClassifier(
  graph: Graph,
  { model, design, features, encodings }: Fitted<LinearClassifier>,
  outputs: readonly [label: string, probabilities: string],
): void {
  const scales = encodings.map((encoding) => scaleOf(encoding, features));
  const { classes } = model;
  const columns = encodings.length;
  const given = model.intercepts.length;
  // With two classes the first one's row stays zero: softmax over (0, z) is the logistic function of z.
  const coefficients = new Float64Array(classes * columns);
  const intercepts = new Float64Array(classes);
  for (let row = 0; row < given; row++) {
    const line = {
      coefficients: model.coefficients.slice(row * columns, (row + 1) * columns),
      intercept: model.intercepts[row] as number,
    };
    const scaled = scaledLine(line, scales);
    coefficients.set(scaled.coefficients, (classes - given + row) * columns);
    intercepts[classes - given + row] = scaled.intercept;
  }
  graph.addMl('LinearClassifier', {
    inputs: [addScaler(graph, design, scales)],
    outputs,
    attributes: {
      coefficients: attribute.floats(coefficients),
      intercepts: attribute.floats(intercepts),
      classlabels_ints: attribute.ints(Array.from({ length: classes }, (_, id) => id)),
      multi_class: attribute.int(classes > 2 ? 1 : 0),
      post_transform: attribute.string('SOFTMAX'),
    },
  });
}

/** The quantity, as the output of that name. */
export function addLinearRegressor(
  graph: Graph,
  { model, design, features, encodings }: Fitted<LinearRegressor>,
  output: string,
): void {
  const scales = encodings.map((encoding) => scaleOf(encoding, features));
  const { coefficients, intercept } = scaledLine(model, scales);
  graph.addMl('LinearRegressor', {
    inputs: [addScaler(graph, design, scales)],
    outputs: [output],
    attributes: { coefficients: attribute.floats(coefficients), intercepts: attribute.floats([intercept]) },
  });
}
