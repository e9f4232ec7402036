/**
 * Logistic regression with an L2 penalty: what scikit-learn's LogisticRegression(solver="lbfgs") minimises, so that both
 * end at the same coefficients. Two classes have one row of coefficients (the second class's), more have one each.
 */
import { type Minimum, minimize } from '../learn/lbfgs.ts';

/** Rows of features, one after another. */
export interface Matrix {
  readonly values: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

export interface LogisticRegression {
  readonly classes: number;
  /** `coefficients[i * columns + j]` for row i of them and feature j. */
  readonly coefficients: Float64Array;
  readonly intercepts: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
}

export interface FitOptions {
  readonly C: number;
  readonly maxIterations: number;
  readonly tolerance: number;
  readonly fitIntercept: boolean;
  readonly onIteration?: (progress: { iteration: number; value: number; gradient: number }) => void;
}

/** Mean and the scale by which each column is divided while fitting. */
interface Conditioning {
  readonly shift: Float64Array;
  readonly scale: Float64Array;
}

/**
 * The problem is solved in variables in which its curvature is about 1 in every direction, or columns of very different
 * magnitude would need thousands of iterations. Only the path changes: penalty and optimum are those of the original.
 */
function conditioningOf({ values, rows, columns }: Matrix, penalty: number, centre: boolean): Conditioning {
  const shift = new Float64Array(columns);
  const scale = new Float64Array(columns);
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += values[i * columns + j] as number;
    const mean = sum / rows;
    if (centre) shift[j] = mean;
    let squares = 0;
    for (let i = 0; i < rows; i++) squares += ((values[i * columns + j] as number) - (shift[j] as number)) ** 2;
    scale[j] = Math.sqrt((0.25 * squares) / rows + penalty);
  }
  return { shift, scale };
}

function conditioned({ values, rows, columns }: Matrix, { shift, scale }: Conditioning): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = i * columns + j;
      out[at] = ((values[at] as number) - (shift[j] as number)) / (scale[j] as number);
    }
  }
  return out;
}

/** Replaces a row's scores by the derivative of its loss by them, and returns the loss. One score means two classes. */
function lossOf(scores: Float64Array, label: number): number {
  if (scores.length === 1) {
    const z = scores[0] as number;
    // log(1 + exp(z)) without overflow.
    const soft = Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
    scores[0] = 1 / (1 + Math.exp(-z)) - label;
    return soft - label * z;
  }
  const own = scores[label] as number;
  const total = softmax(scores);
  (scores[label] as number) -= 1;
  return total - own;
}

/** Turns scores into probabilities in place; returns the logarithm of the sum of their exponentials. */
export function softmax(scores: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const score of scores) most = Math.max(most, score);
  let sum = 0;
  for (let k = 0; k < scores.length; k++) {
    scores[k] = Math.exp((scores[k] as number) - most);
    sum += scores[k] as number;
  }
  for (let k = 0; k < scores.length; k++) (scores[k] as number) /= sum;
  return most + Math.log(sum);
}

/** Fits to rows whose class is `labels[row]`. Always returns a model; `converged` tells whether it is the optimum. */
export function fit(data: Matrix, labels: Int32Array, classes: number, options: FitOptions): LogisticRegression {
  const { rows, columns } = data;
  const outputs = classes === 2 ? 1 : classes;
  const penalty = 1 / (options.C * rows);
  const conditioning = conditioningOf(data, penalty, options.fitIntercept);
  const values = conditioned(data, conditioning);
  const width = columns + (options.fitIntercept ? 1 : 0);
  const scores = new Float64Array(outputs);

  const scoreRow = (x: Float64Array, row: number): void => {
    for (let k = 0; k < outputs; k++) {
      let score = options.fitIntercept ? (x[k * width + columns] as number) : 0;
      for (let j = 0; j < columns; j++) score += (x[k * width + j] as number) * (values[row * columns + j] as number);
      scores[k] = score;
    }
  };
  const addGradient = (gradient: Float64Array, row: number): void => {
    for (let k = 0; k < outputs; k++) {
      const derivative = (scores[k] as number) / rows;
      for (let j = 0; j < columns; j++) {
        (gradient[k * width + j] as number) += derivative * (values[row * columns + j] as number);
      }
      if (options.fitIntercept) (gradient[k * width + columns] as number) += derivative;
    }
  };
  const addPenalty = (x: Float64Array, gradient: Float64Array): number => {
    let sum = 0;
    for (let k = 0; k < outputs; k++) {
      for (let j = 0; j < columns; j++) {
        const at = k * width + j;
        const pull = (penalty * (x[at] as number)) / (conditioning.scale[j] as number) ** 2;
        sum += 0.5 * pull * (x[at] as number);
        (gradient[at] as number) += pull;
      }
    }
    return sum;
  };

  const minimum = minimize(
    outputs * width,
    (x, gradient) => {
      let loss = 0;
      for (let row = 0; row < rows; row++) {
        scoreRow(x, row);
        loss += lossOf(scores, labels[row] as number);
        addGradient(gradient, row);
      }
      return loss / rows + addPenalty(x, gradient);
    },
    {
      maxIterations: options.maxIterations,
      tolerance: options.tolerance,
      ...(options.onIteration && { onIteration: options.onIteration }),
    },
  );
  return inOriginalVariables(minimum, conditioning, classes, { outputs, columns, width });
}

function inOriginalVariables(
  { x, iterations, converged }: Minimum,
  { shift, scale }: Conditioning,
  classes: number,
  { outputs, columns, width }: { outputs: number; columns: number; width: number },
): LogisticRegression {
  const coefficients = new Float64Array(outputs * columns);
  const intercepts = new Float64Array(outputs);
  for (let k = 0; k < outputs; k++) {
    let intercept = width > columns ? (x[k * width + columns] as number) : 0;
    for (let j = 0; j < columns; j++) {
      const coefficient = (x[k * width + j] as number) / (scale[j] as number);
      coefficients[k * columns + j] = coefficient;
      intercept -= coefficient * (shift[j] as number);
    }
    intercepts[k] = intercept;
  }
  return { classes, coefficients, intercepts, iterations, converged };
}

/** The probability of every class for one row of features. */
export function probabilities(model: LogisticRegression, row: Float64Array): Float64Array {
  const { classes, coefficients, intercepts } = model;
  const scores = new Float64Array(classes);
  // The one row of a model of two classes is the second's; the first scores 0.
  const first = classes - intercepts.length;
  for (let k = 0; k < intercepts.length; k++) {
    let score = intercepts[k] as number;
    for (let j = 0; j < row.length; j++) score += (coefficients[k * row.length + j] as number) * (row[j] as number);
    scores[first + k] = score;
  }
  softmax(scores);
  return scores;
}
