/** A logistic regression in standardised columns, and the way back. */
import type { Design } from '../model.ts';

/** The data and what is asked of them, in standardised columns. */
export interface LogisticProblem {
  readonly design: Design;
  readonly ids: Int32Array;
  /** Rows of coefficients. */
  readonly outputs: number;
  /** A row's share of the mean loss, by its class. */
  readonly weights: Float64Array;
  /** On the squares of coefficients of columns as they are, halved. */
  readonly penalty: number;
  readonly fitIntercept: boolean;
  readonly shift: Float64Array;
  /** One over the deviation. */
  readonly scale: Float64Array;
  /** Columns plus the intercept: how long a row of coefficients is. */
  readonly width: number;
}

/** Coefficients of the columns as they are, `stride` apart, and the intercepts that go with them. */
export function inColumns(
  { outputs, width, shift, scale, fitIntercept }: LogisticProblem,
  x: Float64Array,
  stride: number,
): { coefficients: Float64Array; intercepts: Float64Array } {
  const columns = shift.length;
  const coefficients = new Float64Array(outputs * stride);
  const intercepts = new Float64Array(outputs);
  for (let k = 0; k < outputs; k++) {
    let intercept = fitIntercept ? (x[k * width + columns] as number) : 0;
    for (let j = 0; j < columns; j++) {
      const coefficient = (x[k * width + j] as number) * (scale[j] as number);
      coefficients[k * stride + j] = coefficient;
      intercept -= coefficient * (shift[j] as number);
    }
    intercepts[k] = intercept;
  }
  return { coefficients, intercepts };
}
