/**
 * Least squares, with or without an L2 penalty, by the normal equations of centred and scaled columns and a step of
 * refinement: one pass over the data instead of a decomposition of it. Columns that depend on others are recognised by
 * pivots, and of all equally good answers the shortest is given, as a decomposition into singular values would.
 */
import type { Design, LinearRegressor } from '../model.ts';
import { BLOCK, Blocks, meansOf } from './blocks.ts';
import { type Factor, factorize, factorizePivoted, type PivotedFactor, solveLower, solveUpper } from './cholesky.ts';
import { gramOf } from './gram.ts';

export interface LinearOptions {
  /** The penalty on the sum of squared coefficients; 0: ordinary least squares. */
  readonly alpha: number;
  readonly fitIntercept: boolean;
}

/** A column (of length 1) of which less than this square is its own is the others' sum: float32 holds no finer difference. */
const DEPENDENT = 1e-12;

/** The problem around its means: predict y - mean from x - means. */
interface Centred {
  readonly design: Design;
  readonly y: Float64Array;
  readonly means: Float64Array;
  readonly mean: number;
}

function centre(design: Design, y: Float64Array, fitIntercept: boolean): Centred {
  if (!fitIntercept) return { design, y, means: new Float64Array(design.columns.length), mean: 0 };
  let sum = 0;
  for (const value of y) sum += value;
  return { design, y, means: meansOf(design), mean: sum / y.length };
}

/** Xᵀ·(y - X·w) of the centred problem. */
function residualProducts({ design, y, means, mean }: Centred, w: Float64Array): Float64Array {
  const blocks = new Blocks(design);
  const coefficients = new Float64Array(blocks.width);
  coefficients.set(w);
  const moved = w.some((value) => value !== 0);
  const products = new Float64Array(blocks.width);
  const residuals = new Float64Array(BLOCK);
  const fitted = new Float64Array(BLOCK);
  let offset = mean;
  w.forEach((value, j) => {
    offset -= value * (means[j] as number);
  });
  let sum = 0;
  for (let from = 0; from < design.rows; from += BLOCK) {
    const rows = Math.min(BLOCK, design.rows - from);
    blocks.load(from, from + rows);
    fitted.fill(offset);
    if (moved) blocks.addProduct(fitted, rows, coefficients, 0);
    for (let i = 0; i < rows; i++) {
      const residual = (y[from + i] as number) - (fitted[i] as number);
      residuals[i] = residual;
      sum += residual;
    }
    blocks.addTransposed(residuals, rows, products, 0);
  }
  return Float64Array.from(w, (_, j) => (products[j] as number) - (means[j] as number) * sum);
}

/** The factor's solution, 0 for dependent places. */
function solvePivoted({ factor, order, rank }: PivotedFactor, right: Float64Array): Float64Array {
  const x = Float64Array.from({ length: rank }, (_, i) => right[order[i] as number] as number);
  solveLower(factor, x);
  solveUpper(factor, x);
  const out = new Float64Array(right.length);
  for (let i = 0; i < rank; i++) out[order[i] as number] = x[i] as number;
  return out;
}

/** Every direction in which w may move without changing a prediction, one after another. */
function freeDirections({ factor, order, rank }: PivotedFactor, scale: Float64Array): Float64Array[] {
  const size = order.length;
  return Array.from({ length: size - rank }, (_, t) => {
    const row = (rank + t) * factor.stride;
    const x = Float64Array.from({ length: rank }, (_, k) => -(factor.lower[row + k] as number));
    solveUpper(factor, x);
    const direction = new Float64Array(size);
    for (let i = 0; i < rank; i++)
      direction[order[i] as number] = (x[i] as number) * (scale[order[i] as number] as number);
    direction[order[rank + t] as number] = scale[order[rank + t] as number] as number;
    return direction;
  });
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

/** Takes from `w` all that lies in `directions`. */
function shortest(w: Float64Array, directions: readonly Float64Array[]): void {
  const size = directions.length;
  if (size === 0) return;
  const lengths = directions.map((direction) => Math.sqrt(dot(direction, direction)));
  const gram = new Float64Array(size * size);
  directions.forEach((a, i) => {
    for (let j = 0; j <= i; j++) {
      const product = dot(a, directions[j] as Float64Array) / ((lengths[i] as number) * (lengths[j] as number));
      gram[i * size + j] = product;
      gram[j * size + i] = product;
    }
  });
  const factor = factorize(gram, size, Number.EPSILON);
  const shares = Float64Array.from(directions, (direction, i) => dot(direction, w) / (lengths[i] as number));
  solveLower(factor, shares);
  solveUpper(factor, shares);
  directions.forEach((direction, i) => {
    const share = (shares[i] as number) / (lengths[i] as number);
    for (let j = 0; j < w.length; j++) w[j] = (w[j] as number) - share * (direction[j] as number);
  });
}

/** One over the length of every column; 0 for one that never changes, whatever rounding says. */
function scalesOf(gram: Float64Array, means: Float64Array, rows: number): Float64Array {
  return means.map((mean, j) => {
    const square = gram[j * means.length + j] as number;
    return square > 1e-20 * rows * mean * mean ? 1 / Math.sqrt(square) : 0;
  });
}

/** By the products of columns: for at least as many rows as columns. */
function fitByColumns(problem: Centred, alpha: number): Float64Array {
  const { design, means } = problem;
  const size = means.length;
  const gram = gramOf(design.columns, design.rows, { shift: means, scale: new Float64Array(size).fill(1) });
  const scale = scalesOf(gram, means, design.rows);
  for (let j = 0; j < size; j++) {
    for (let k = 0; k < size; k++) {
      gram[j * size + k] = (gram[j * size + k] as number) * (scale[j] as number) * (scale[k] as number);
    }
    gram[j * size + j] = (gram[j * size + j] as number) + alpha * (scale[j] as number) ** 2;
  }
  const factor = factorizePivoted(gram, size, DEPENDENT);
  const w = new Float64Array(size);
  // The second round mends what the first lost to rounding.
  for (let round = 0; round < 2; round++) {
    const right = residualProducts(problem, w);
    const change = solvePivoted(
      factor,
      right.map((product, j) => (product - alpha * (w[j] as number)) * (scale[j] as number)),
    );
    for (let j = 0; j < size; j++) w[j] = (w[j] as number) + (change[j] as number) * (scale[j] as number);
  }
  const varies = scale.map((value) => (value === 0 ? 1 : value));
  shortest(w, freeDirections(factor, varies));
  return w;
}

/** The products of rows, X·Xᵀ of the centred problem. */
function rowProducts({ design, means }: Centred): Float64Array {
  const { rows } = design;
  const products = new Float64Array(rows * rows);
  const x = new Float64Array(rows);
  design.columns.forEach((column, j) => {
    for (let i = 0; i < rows; i++) x[i] = (column[i] as number) - (means[j] as number);
    for (let i = 0; i < rows; i++) {
      const xi = x[i] as number;
      const at = i * rows;
      for (let k = 0; k < rows; k++) products[at + k] = (products[at + k] as number) + xi * (x[k] as number);
    }
  });
  return products;
}

/** X·Xᵀ = L·Lᵀ turns X into L times orthonormal rows: least squares there, and back by the rows that were pivots. */
function rowWeights({ factor, order, rank }: PivotedFactor, y: Float64Array): Float64Array {
  const { lower, stride } = factor;
  const normal = new Float64Array(rank * rank);
  const u = new Float64Array(rank);
  for (let i = 0; i < order.length; i++) {
    const row = i * stride;
    // Right of the diagonal L is zero, but other things stand there.
    const end = Math.min(i + 1, rank);
    for (let j = 0; j < end; j++) {
      const value = lower[row + j] as number;
      u[j] = (u[j] as number) + value * (y[order[i] as number] as number);
      for (let k = 0; k <= j; k++)
        normal[j * rank + k] = (normal[j * rank + k] as number) + value * (lower[row + k] as number);
    }
  }
  const normalFactor: Factor = factorize(normal, rank, Number.MIN_VALUE);
  solveLower(normalFactor, u);
  solveUpper(normalFactor, u);
  solveUpper(factor, u);
  const weights = new Float64Array(y.length);
  for (let i = 0; i < rank; i++) weights[order[i] as number] = u[i] as number;
  return weights;
}

/** By the products of rows: for more columns than rows. The shortest answer is a sum of rows. */
function fitByRows(problem: Centred, alpha: number): Float64Array {
  const { design, means, mean } = problem;
  const { rows } = design;
  const products = rowProducts(problem);
  let largest = 0;
  for (let i = 0; i < rows; i++) {
    products[i * rows + i] = (products[i * rows + i] as number) + alpha;
    largest = Math.max(largest, products[i * rows + i] as number);
  }
  const y = problem.y.map((value) => value - mean);
  const factor = factorizePivoted(products, rows, DEPENDENT * largest);
  const weights = alpha > 0 && factor.rank === rows ? solvePivoted(factor, y) : rowWeights(factor, y);
  return Float64Array.from(design.columns, (column, j) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += (weights[i] as number) * ((column[i] as number) - (means[j] as number));
    return sum;
  });
}

/** The coefficients with the least squared error (plus alpha times their squares), of several such the shortest. */
export function fitLinearRegression(design: Design, y: Float64Array, options: LinearOptions): LinearRegressor {
  const problem = centre(design, y, options.fitIntercept);
  const fit = design.rows < design.columns.length ? fitByRows : fitByColumns;
  const coefficients = fit(problem, options.alpha);
  const intercept = coefficients.reduce((sum, value, j) => sum - value * (problem.means[j] as number), problem.mean);
  return { kind: 'linear-regressor', coefficients, intercept };
}
