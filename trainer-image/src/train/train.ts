/** From a table to everything that is published of a model; no file is touched and no clock read. */
import type { Examples, Metrics, ModelSignature, Parameters } from '@slipway/contract';
import type { Log } from '../log.ts';
import { linearClassifierFor } from '../onnx/from-regression.ts';
import { encodeModel } from '../onnx/model.ts';
import { encodeClasses } from './classes.ts';
import { evaluate } from './evaluate.ts';
import { fit, type LogisticRegression, type Matrix } from './logistic-regression.ts';
import { readParameters } from './parameters.ts';
import { examplesOf, metricsOf, signatureOf } from './report.ts';
import { stratifiedSplit } from './split.ts';
import type { Table } from './table.ts';

export interface Trained {
  readonly regression: LogisticRegression;
  readonly onnx: Uint8Array;
  readonly signature: ModelSignature;
  readonly examples: Examples;
  readonly metrics: Metrics;
  /** What was really used, defaults included. */
  readonly parameters: Parameters;
  /** The rows the model was fitted to. */
  readonly trainRows: readonly number[];
}

function selectRows(table: Table, rows: readonly number[]): Matrix {
  const columns = table.featureNames.length;
  const values = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => {
    values.set(table.features.subarray(row * columns, (row + 1) * columns), i * columns);
  });
  return { values, rows: rows.length, columns };
}

const selectLabels = (ids: Int32Array, rows: readonly number[]) => Int32Array.from(rows, (row) => ids[row] as number);

/** A progress line at the first and then at every 25th iteration. */
const reportsProgress = (log: Log) => (at: { iteration: number; value: number; gradient: number }) => {
  if (at.iteration % 25 === 1)
    log('info', 'training', { iteration: at.iteration, loss: at.value, gradient: at.gradient });
};

/** The model is fitted to the training rows alone; the validation rows only judge it. Same input, same bytes. */
export function trainLogisticRegression(table: Table, given: Parameters, log: Log): Trained {
  const parameters = readParameters(given);
  const classes = encodeClasses(table.targets);
  const { train, validation } = stratifiedSplit(classes, parameters.test_size, parameters.random_state);
  const [trainData, validationData] = [selectRows(table, train), selectRows(table, validation)];
  const trainLabels = selectLabels(classes.ids, train);
  log('info', 'training starts', { rows: train.length, features: trainData.columns, classes: classes.labels.length });
  const regression = fit(trainData, trainLabels, classes.labels.length, {
    C: parameters.C,
    maxIterations: parameters.max_iter,
    tolerance: parameters.tol,
    fitIntercept: parameters.fit_intercept,
    onIteration: reportsProgress(log),
  });
  const { iterations, converged } = regression;
  log(converged ? 'info' : 'warn', converged ? 'training converged' : 'training stopped before it converged', {
    iterations,
    ...(!converged && { next: 'raise max_iter, or scale the features' }),
  });
  return {
    regression,
    onnx: encodeModel(linearClassifierFor(regression, trainData)),
    signature: signatureOf(table.featureNames, classes.labels),
    examples: examplesOf(regression, validationData, table.featureNames),
    metrics: metricsOf(
      evaluate(regression, trainData, trainLabels),
      evaluate(regression, validationData, selectLabels(classes.ids, validation)),
    ),
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)])),
    trainRows: train,
  };
}
