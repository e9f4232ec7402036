/**
 * Logistic regression with an L2 penalty: what scikit-learn's LogisticRegression minimises, so that both end at the same
 * coefficients. Two classes have one row of coefficients (the second class's), more have one each.
 *
 * L-BFGS in variables in which the curvature is about 1 in every direction: those of a Cholesky factor of the Hessian, taken
 * from a share of the rows and renewed as the weights of the rows change. A pass over the data then goes almost as far as a
 * step of Newton's method and costs a thirtieth (with 30 columns).
 */
import type { Design, LinearClassifier, OnProgress } from '../model.ts';
import { BLOCK, Blocks, deviationsOf, meansOf } from './blocks.ts';
import { minimize } from './lbfgs.ts';
import { type Conditioner, conditionerAt } from './logistic-conditioning.ts';
import { binaryLoss, softmaxLoss } from './logistic-loss.ts';
import { inColumns, type LogisticProblem } from './logistic-problem.ts';

export interface LogisticOptions {
  /** One over the strength of the penalty. */
  readonly C: number;
  readonly maxIterations: number;
  /** Converged when no component of the gradient of the mean loss is larger, in variables of curvature 1. */
  readonly tolerance: number;
  readonly fitIntercept: boolean;
  /** `balanced`: every class counts the same in sum. */
  readonly classWeight: 'balanced' | null;
  readonly onProgress?: OnProgress;
}

function classWeights(ids: Int32Array, classes: number, kind: 'balanced' | null): Float64Array {
  const counts = new Float64Array(classes);
  for (const id of ids) counts[id] = (counts[id] as number) + 1;
  const weights = counts.map((count) => (kind === 'balanced' ? ids.length / (classes * Math.max(count, 1)) : 1));
  const total = weights.reduce((sum, weight, id) => sum + weight * (counts[id] as number), 0);
  return weights.map((weight) => weight / total);
}

function problemOf(design: Design, ids: Int32Array, classes: number, options: LogisticOptions): LogisticProblem {
  const columns = design.columns.length;
  const shift = options.fitIntercept ? meansOf(design) : new Float64Array(columns);
  return {
    design,
    ids,
    outputs: classes === 2 ? 1 : classes,
    weights: classWeights(ids, classes, options.classWeight),
    penalty: 1 / (options.C * design.rows),
    fitIntercept: options.fitIntercept,
    shift,
    scale: deviationsOf(design, shift).map((deviation) => (deviation > 0 ? 1 / deviation : 1)),
    width: columns + (options.fitIntercept ? 1 : 0),
  };
}

/** The mean loss and its gradient by standardised coefficients. */
function lossFunction(problem: LogisticProblem): (x: Float64Array, gradient: Float64Array) => number {
  const { design, ids, outputs, weights, width, shift, scale } = problem;
  const blocks = new Blocks(design);
  const columns = shift.length;
  const scores = Array.from({ length: outputs }, () => new Float64Array(BLOCK));
  const raw = new Float64Array(outputs * blocks.width);
  const sums = new Float64Array(outputs);

  /** Turns the sums over rows into the gradient, and adds the penalty. */
  const finish = (x: Float64Array, gradient: Float64Array): number => {
    let loss = 0;
    for (let k = 0; k < outputs; k++) {
      for (let j = 0; j < columns; j++) {
        const factor = scale[j] as number;
        const at = k * width + j;
        const pull = problem.penalty * factor * factor * (x[at] as number);
        loss += 0.5 * pull * (x[at] as number);
        const centred = (raw[k * blocks.width + j] as number) - (shift[j] as number) * (sums[k] as number);
        gradient[at] = centred * factor + pull;
      }
      if (problem.fitIntercept) gradient[k * width + columns] = sums[k] as number;
    }
    return loss;
  };

  return (x, gradient) => {
    const { coefficients, intercepts } = inColumns(problem, x, blocks.width);
    raw.fill(0);
    sums.fill(0);
    let loss = 0;
    for (let from = 0; from < design.rows; from += BLOCK) {
      const rows = Math.min(BLOCK, design.rows - from);
      blocks.load(from, from + rows);
      for (let k = 0; k < outputs; k++) {
        const z = (scores[k] as Float64Array).fill(intercepts[k] as number);
        blocks.addProduct(z, rows, coefficients, k * blocks.width);
      }
      loss +=
        outputs === 1
          ? binaryLoss(scores[0] as Float64Array, rows, ids, from, weights, sums)
          : softmaxLoss(scores, rows, ids, from, weights, sums);
      for (let k = 0; k < outputs; k++) blocks.addTransposed(scores[k] as Float64Array, rows, raw, k * blocks.width);
    }
    return loss + finish(x, gradient);
  };
}

/** Iterations after which the curvature is looked at anew. */
const ROUND = 12;

/** Fits to rows whose class is `ids[row]`. Always returns a model; `converged` tells whether it is the optimum. */
export function fitLogisticRegression(
  design: Design,
  ids: Int32Array,
  classes: number,
  options: LogisticOptions,
): LinearClassifier {
  const problem = problemOf(design, ids, classes, options);
  const loss = lossFunction(problem);
  const size = problem.outputs * problem.width;
  const steep = new Float64Array(size);
  let x: Float64Array = new Float64Array(size);
  let iterations = 0;
  let converged = false;
  let stuck = false;
  while (!converged && !stuck && iterations < options.maxIterations) {
    const conditioner: Conditioner = conditionerAt(problem, x);
    const before = iterations;
    const minimum = minimize(
      size,
      (u, gradient) => {
        const value = loss(conditioner.toCoefficients(u), steep);
        gradient.set(conditioner.toGradient(steep));
        return value;
      },
      {
        start: conditioner.fromCoefficients(x),
        maxIterations: Math.min(ROUND, options.maxIterations - iterations),
        tolerance: options.tolerance,
        onIteration: ({ iteration, value, gradient }) =>
          options.onProgress?.({
            fraction: Math.min((before + iteration) / options.maxIterations, 1),
            message: `iteration ${before + iteration}`,
            metrics: { loss: value, gradient },
            step: before + iteration,
          }),
      },
    );
    x = conditioner.toCoefficients(minimum.x);
    iterations += minimum.iterations;
    converged = minimum.converged;
    stuck = minimum.iterations === 0;
  }
  const { coefficients, intercepts } = inColumns(problem, x, design.columns.length);
  // A number added to all scores changes no probability.
  const middle = problem.outputs === 1 ? 0 : intercepts.reduce((sum, value) => sum + value, 0) / classes;
  return {
    kind: 'linear-classifier',
    classes,
    coefficients,
    intercepts: problem.fitIntercept ? intercepts.map((value) => value - middle) : intercepts,
    iterations,
    converged,
  };
}
