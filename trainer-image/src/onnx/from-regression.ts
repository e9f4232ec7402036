import type { LogisticRegression, Matrix } from '../train/logistic-regression.ts';
import type { LinearClassifier } from './model.ts';

/** Mean and standard deviation of a column; 1 for one that never changes. */
function momentsOf({ values, rows, columns }: Matrix, column: number): { mean: number; deviation: number } {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < rows; i++) sum += values[i * columns + column] as number;
  const mean = Math.fround(sum / rows);
  for (let i = 0; i < rows; i++) squares += ((values[i * columns + column] as number) - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / rows) || 1 };
}

/** The same function of the features as `model`, written for float32: centred and scaled by the training rows. */
export function linearClassifierFor(model: LogisticRegression, data: Matrix): LinearClassifier {
  const { classes } = model;
  const { columns } = data;
  const offset = new Float64Array(columns);
  const scale = new Float64Array(columns);
  for (let j = 0; j < columns; j++) {
    const { mean, deviation } = momentsOf(data, j);
    offset[j] = mean;
    // As float32 will hold it, so that dividing the coefficient by it undoes exactly what the model does.
    scale[j] = Math.fround(1 / deviation);
  }
  const coefficients = new Float64Array(classes * columns);
  const intercepts = new Float64Array(classes);
  const rows = model.intercepts.length;
  for (let k = 0; k < rows; k++) {
    // With two classes the first one's row stays zero: softmax over (0, z) is the logistic function of z.
    const to = classes - rows + k;
    let intercept = model.intercepts[k] as number;
    for (let j = 0; j < columns; j++) {
      const coefficient = model.coefficients[k * columns + j] as number;
      coefficients[to * columns + j] = coefficient / (scale[j] as number);
      intercept += coefficient * (offset[j] as number);
    }
    intercepts[to] = intercept;
  }
  return { columns, classes, offset, scale, coefficients, intercepts };
}
