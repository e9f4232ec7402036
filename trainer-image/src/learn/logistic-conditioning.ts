/** Variables in which the loss of a logistic regression curves about 1 in every direction. */
import { Blocks } from './blocks.ts';
import { type Factor, factorize, solveLower, solveUpper } from './cholesky.ts';
import { compact, GramSum } from './gram.ts';
import { inColumns, type LogisticProblem } from './logistic-problem.ts';

/** coefficients = L⁻ᵀ·u, where L·Lᵀ is about the curvature. */
export interface Conditioner {
  readonly toCoefficients: (u: Float64Array) => Float64Array;
  readonly fromCoefficients: (x: Float64Array) => Float64Array;
  /** The gradient by u of one by coefficients. */
  readonly toGradient: (gradient: Float64Array) => Float64Array;
}

/** Rows that tell the curvature well enough; more when there are many columns. */
const SAMPLE = 16_384;
/** Up to so many coefficients the curvature is taken as a whole, else that of each class by itself. */
const WHOLE = 256;
/** With more columns than this the curvature costs more than it saves. */
const WIDEST = 512;

/** First rows of evenly spread blocks, about as many as are to be looked at. */
function sampledBlocks({ design, width }: LogisticProblem): number[] {
  const blocks = Math.ceil(design.rows / GramSum.ROWS);
  const wanted = Math.ceil(Math.max(SAMPLE, 32 * width) / GramSum.ROWS);
  const taken = Math.min(blocks, wanted);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * blocks) / taken) * GramSum.ROWS);
}

/** Turns scores into probabilities; with one score that of the second class. */
function toProbabilities(scores: readonly Float64Array[], rows: number): void {
  const only = scores[0] as Float64Array;
  for (let i = 0; i < rows; i++) {
    if (scores.length === 1) {
      only[i] = 1 / (1 + Math.exp(-(only[i] as number)));
      continue;
    }
    let most = Number.NEGATIVE_INFINITY;
    for (const z of scores) most = Math.max(most, z[i] as number);
    let total = 0;
    for (const z of scores) {
      z[i] = Math.exp((z[i] as number) - most);
      total += z[i] as number;
    }
    for (const z of scores) z[i] = (z[i] as number) / total;
  }
}

/** Second derivatives of the mean loss by the scores of outputs k and l, row by row. */
function curvatures(
  { ids, weights }: LogisticProblem,
  from: number,
  rows: number,
  p: Float64Array,
  q: Float64Array,
  out: Float64Array,
): void {
  for (let i = 0; i < rows; i++) {
    const pi = p[i] as number;
    const factor = p === q ? 1 - pi : -(q[i] as number);
    out[i] = (weights[ids[from + i] as number] as number) * pi * factor;
  }
}

/** Which outputs' products are wanted. */
const pairsOf = (outputs: number, whole: boolean): (readonly [number, number])[] =>
  Array.from({ length: outputs }, (_, k) => k).flatMap((k) =>
    Array.from({ length: whole ? outputs - k : 1 }, (_, l) => [k, k + l] as const),
  );

/** The curvature of the loss at `x` for each pair of outputs, `width` × `width`, without the penalty. */
function curvatureBlocks(problem: LogisticProblem, x: Float64Array, pairs: readonly (readonly [number, number])[]) {
  const { design, outputs } = problem;
  const sum = new GramSum(design.columns, problem, problem.fitIntercept);
  const blocks = new Blocks(design);
  const { coefficients, intercepts } = inColumns(problem, x, blocks.width);
  const p = Array.from({ length: outputs }, () => new Float64Array(GramSum.ROWS));
  const weights = new Float64Array(GramSum.ROWS);
  const grams = pairs.map(() => new Float64Array(sum.size * sum.size));
  let seen = 0;
  for (const from of sampledBlocks(problem)) {
    const rows = Math.min(GramSum.ROWS, design.rows - from);
    seen += rows;
    blocks.load(from, from + rows);
    p.forEach((z, k) => {
      blocks.addProduct(z.fill(intercepts[k] as number), rows, coefficients, k * blocks.width);
    });
    toProbabilities(p, rows);
    sum.load(from, from + rows);
    pairs.forEach(([k, l], i) => {
      curvatures(problem, from, rows, p[k] as Float64Array, p[l] as Float64Array, weights);
      sum.add(grams[i] as Float64Array, weights);
    });
  }
  return grams.map((gram) => compact(gram, sum.size, sum.width).map((value) => (value * design.rows) / seen));
}

/** Adds the curvature of the penalty to a matrix whose rows are those of the coefficients of one output after another. */
function addPenalty({ penalty, scale, width }: LogisticProblem, matrix: Float64Array, size: number): void {
  for (let at = 0; at < size; at++) {
    const j = at % width;
    // What is never penalised, or has no curvature of its own, still needs a place to stand.
    const own = j < scale.length ? penalty * (scale[j] as number) ** 2 : 0;
    matrix[at * size + at] = (matrix[at * size + at] as number) + own + 1e-12;
  }
}

/** Each factor conditions the coefficients after those of the one before. */
function conditionerOf(factors: readonly Factor[]): Conditioner {
  const eachPart = (x: Float64Array, change: (factor: Factor, part: Float64Array) => void): Float64Array => {
    const out = x.slice();
    let at = 0;
    for (const factor of factors) {
      change(factor, out.subarray(at, at + factor.size));
      at += factor.size;
    }
    return out;
  };
  return {
    toCoefficients: (u) => eachPart(u, solveUpper),
    fromCoefficients: (x) => eachPart(x, timesUpper),
    toGradient: (gradient) => eachPart(gradient, solveLower),
  };
}

/** x becomes Lᵀ·x. */
function timesUpper({ lower, size, stride }: Factor, x: Float64Array): void {
  for (let j = 0; j < size; j++) {
    let sum = 0;
    for (let k = j; k < size; k++) sum += (lower[k * stride + j] as number) * (x[k] as number);
    x[j] = sum;
  }
}

/** Columns taken as if they had nothing to do with each other: 1/4 is the most a logistic function curves. */
function diagonalConditioner({ outputs, width, scale, penalty }: LogisticProblem): Conditioner {
  const roots = Float64Array.from({ length: outputs * width }, (_, at) =>
    Math.sqrt(0.25 + penalty * (scale[at % width] ?? 0) ** 2),
  );
  const divided = (x: Float64Array) => x.map((value, at) => value / (roots[at] as number));
  return {
    toCoefficients: divided,
    fromCoefficients: (x) => x.map((value, at) => value * (roots[at] as number)),
    toGradient: divided,
  };
}

/** The variables that suit the curvature at coefficients `x`. */
export function conditionerAt(problem: LogisticProblem, x: Float64Array): Conditioner {
  const { outputs, width } = problem;
  if (width > WIDEST) return diagonalConditioner(problem);
  const whole = outputs * width <= WHOLE;
  const pairs = pairsOf(outputs, whole);
  const blocks = curvatureBlocks(problem, x, pairs);
  if (!whole) {
    return conditionerOf(
      blocks.map((block) => {
        addPenalty(problem, block, width);
        return factorize(block, width, 1e-12);
      }),
    );
  }
  const size = outputs * width;
  const matrix = new Float64Array(size * size);
  pairs.forEach(([k, l], i) => {
    const block = blocks[i] as Float64Array;
    for (let a = 0; a < width; a++) {
      for (let b = 0; b < width; b++) {
        matrix[(k * width + a) * size + l * width + b] = block[a * width + b] as number;
        matrix[(l * width + b) * size + k * width + a] = block[a * width + b] as number;
      }
    }
  });
  addPenalty(problem, matrix, size);
  return conditionerOf([factorize(matrix, size, 1e-12)]);
}
