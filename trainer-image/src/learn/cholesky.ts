/** Cholesky's decomposition, with and without pivots. Matrices are square and stored row by row. */

/** Σ a[p + i]·a[q + i] over `length` entries. */
function dotWithin(a: Float64Array, p: number, q: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (a[p + i] as number) * (a[q + i] as number);
  return sum;
}

/** A positive definite matrix as L·Lᵀ; entries right of the diagonal mean nothing. */
export interface Factor {
  readonly lower: Float64Array;
  readonly size: number;
  /** The distance between rows of `lower`. */
  readonly stride: number;
}

/** Decomposes in place. A diagonal that rounding has made too small is raised to `floor`: good enough to condition with. */
export function factorize(matrix: Float64Array, size: number, floor: number): Factor {
  for (let j = 0; j < size; j++) {
    const row = j * size;
    for (let k = 0; k < j; k++) {
      const at = row + k;
      matrix[at] = ((matrix[at] as number) - dotWithin(matrix, row, k * size, k)) / (matrix[k * size + k] as number);
    }
    matrix[row + j] = Math.sqrt(Math.max((matrix[row + j] as number) - dotWithin(matrix, row, row, j), floor));
  }
  return { lower: matrix, size, stride: size };
}

/** x becomes L⁻¹·x. */
export function solveLower({ lower, size, stride }: Factor, x: Float64Array): void {
  for (let j = 0; j < size; j++) {
    const row = j * stride;
    let sum = x[j] as number;
    for (let k = 0; k < j; k++) sum -= (lower[row + k] as number) * (x[k] as number);
    x[j] = sum / (lower[row + j] as number);
  }
}

/** x becomes L⁻ᵀ·x. */
export function solveUpper({ lower, size, stride }: Factor, x: Float64Array): void {
  for (let j = size - 1; j >= 0; j--) {
    const row = j * stride;
    const value = (x[j] as number) / (lower[row + j] as number);
    x[j] = value;
    for (let k = 0; k < j; k++) x[k] = (x[k] as number) - value * (lower[row + k] as number);
  }
}

/** A decomposition that stops where the rest is nothing but rounding. */
export interface PivotedFactor {
  /** Of the first `rank` places; rows below it are those of the dependent places. */
  readonly factor: Factor;
  /** `order[i]` is the place that came to be i-th. */
  readonly order: Int32Array;
  readonly rank: number;
}

function swap(matrix: Float64Array, size: number, a: number, b: number): void {
  for (let k = 0; k < size; k++) {
    const kept = matrix[a * size + k] as number;
    matrix[a * size + k] = matrix[b * size + k] as number;
    matrix[b * size + k] = kept;
  }
}

/**
 * Decomposes a positive semidefinite matrix in place, the largest remaining diagonal first (Higham, Accuracy and Stability
 * of Numerical Algorithms, section 10.3), down to diagonals of at most `tolerance`.
 */
export function factorizePivoted(matrix: Float64Array, size: number, tolerance: number): PivotedFactor {
  const order = Int32Array.from({ length: size }, (_, i) => i);
  const rest = Float64Array.from({ length: size }, (_, i) => matrix[i * size + i] as number);
  // Of the matrix only rows are exchanged: its columns stay where they were, in `original`.
  const original = matrix.slice();
  for (let k = 0; k < size; k++) {
    let best = k;
    for (let i = k + 1; i < size; i++) if ((rest[i] as number) > (rest[best] as number)) best = i;
    if (!((rest[best] as number) > tolerance))
      return { factor: { lower: matrix, size: k, stride: size }, order, rank: k };
    swap(matrix, size, k, best);
    [order[k], order[best]] = [order[best] as number, order[k] as number];
    [rest[k], rest[best]] = [rest[best] as number, rest[k] as number];
    const pivot = Math.sqrt(rest[k] as number);
    matrix[k * size + k] = pivot;
    const column = order[k] as number;
    for (let i = k + 1; i < size; i++) {
      const entry = original[(order[i] as number) * size + column] as number;
      const value = (entry - dotWithin(matrix, i * size, k * size, k)) / pivot;
      matrix[i * size + k] = value;
      rest[i] = (rest[i] as number) - value * value;
    }
  }
  return { factor: { lower: matrix, size, stride: size }, order, rank: size };
}
