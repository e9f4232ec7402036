/** How far predicted quantities are from the known ones; every measure is defined as in scikit-learn. */

export interface RegressionMetrics {
  /** Mean of the squared differences. */
  readonly mse: number;
  readonly rmse: number;
  /** Mean of the differences without their sign. */
  readonly mae: number;
  /**
   * The share of the variance that is explained. When the known values do not vary: 1 if all are hit, else 0. Absent for
   * fewer than two rows.
   */
  readonly r2?: number;
  readonly samples: number;
}

/** At least one row is expected. */
export function regressionMetrics(actual: ArrayLike<number>, predicted: ArrayLike<number>): RegressionMetrics {
  const samples = actual.length;
  let mean = 0;
  for (let row = 0; row < samples; row++) mean += ((actual[row] as number) - mean) / (row + 1);
  let squares = 0;
  let absolute = 0;
  let variance = 0;
  for (let row = 0; row < samples; row++) {
    const difference = (actual[row] as number) - (predicted[row] as number);
    squares += difference * difference;
    absolute += Math.abs(difference);
    variance += ((actual[row] as number) - mean) ** 2;
  }
  const mse = squares / samples;
  const r2 = variance === 0 ? Number(squares === 0) : 1 - squares / variance;
  return { mse, rmse: Math.sqrt(mse), mae: absolute / samples, ...(samples > 1 && { r2 }), samples };
}
