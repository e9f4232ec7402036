import { type LogisticRegression, type Matrix, probabilities } from './logistic-regression.ts';

export interface Evaluation {
  readonly accuracy: number;
  /** Mean of -log(probability of the true class), bounded as scikit-learn bounds it. */
  readonly log_loss: number;
  readonly samples: number;
}

/** The id with the highest probability; of equals the lowest. */
export const bestOf = (scores: Float64Array): number =>
  scores.reduce((best, p, k) => (p > (scores[best] ?? 0) ? k : best), 0);

export const rowOf = ({ values, columns }: Matrix, row: number): Float64Array =>
  values.subarray(row * columns, (row + 1) * columns);

/** How well the model says what is known of these rows. */
export function evaluate(model: LogisticRegression, data: Matrix, labels: Int32Array): Evaluation {
  let [right, loss] = [0, 0];
  for (let row = 0; row < data.rows; row++) {
    const scores = probabilities(model, rowOf(data, row));
    const label = labels[row] as number;
    if (bestOf(scores) === label) right++;
    loss -= Math.log(Math.max(scores[label] as number, Number.EPSILON));
  }
  return { accuracy: right / data.rows, log_loss: loss / data.rows, samples: data.rows };
}
