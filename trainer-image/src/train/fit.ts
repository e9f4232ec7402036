/** One algorithm, its parameters and a design become a model. */
import type { AlgorithmName, ParameterValue } from '@slipway/contract';
import { fitGradientBoosting } from '../learn/gradient-boosting.ts';
import { fitLinearRegression } from '../learn/linear-regression.ts';
import { fitLogisticRegression } from '../learn/logistic-regression.ts';
import { fitRandomForest } from '../learn/random-forest.ts';
import type { Design, FittedModel, OnProgress, Target } from '../model.ts';

/** As `readParameters` of the contract gives them. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** What is fitted: the design of some rows and the target of the same rows. */
export interface Problem {
  readonly design: Design;
  readonly target: Target;
}

type Fit = (problem: Problem, parameters: Parameters, onProgress: OnProgress) => FittedModel;

/** The contract has read them by the rules of the algorithm, so each is of the type its rule gives. */
const number = (parameters: Parameters, name: string) => parameters[name] as number;
const flag = (parameters: Parameters, name: string) => parameters[name] as boolean;
const numberOrNone = (parameters: Parameters, name: string) => parameters[name] as number | null;

function quantities(target: Target): Float64Array {
  if (target.task === 'regression') return target.values;
  throw new Error('a quantity was expected');
}

const classesOf = (target: Target): number => (target.task === 'classification' ? target.labels.length : 0);

const logisticRegression: Fit = ({ design, target }, parameters, onProgress) => {
  if (target.task !== 'classification') throw new Error('classes were expected');
  return fitLogisticRegression(design, target.ids, target.labels.length, {
    C: number(parameters, 'C'),
    maxIterations: number(parameters, 'max_iter'),
    tolerance: number(parameters, 'tol'),
    fitIntercept: flag(parameters, 'fit_intercept'),
    classWeight: parameters['class_weight'] as 'balanced' | null,
    onProgress,
  });
};

const linear =
  (alphaOf: (parameters: Parameters) => number): Fit =>
  ({ design, target }, parameters) =>
    fitLinearRegression(design, quantities(target), {
      alpha: alphaOf(parameters),
      fitIntercept: flag(parameters, 'fit_intercept'),
    });

const randomForest: Fit = ({ design, target }, parameters, onProgress) =>
  fitRandomForest(design, target.task === 'classification' ? target.ids : target.values, {
    task: target.task,
    classes: classesOf(target),
    nEstimators: number(parameters, 'n_estimators'),
    maxDepth: numberOrNone(parameters, 'max_depth'),
    minSamplesSplit: number(parameters, 'min_samples_split'),
    minSamplesLeaf: number(parameters, 'min_samples_leaf'),
    maxFeatures: parameters['max_features'] as number | 'auto' | 'sqrt' | 'log2',
    bootstrap: flag(parameters, 'bootstrap'),
    classWeight: parameters['class_weight'] as 'balanced' | null,
    seed: number(parameters, 'random_state'),
    onProgress,
  });

/** With `auto` where rows are many enough to spare some. */
const stopsEarly = (rule: string, rows: number): boolean => (rule === 'auto' ? rows > 10_000 : rule === 'true');

const gradientBoosting: Fit = ({ design, target }, parameters, onProgress) =>
  fitGradientBoosting(design, target.task === 'classification' ? target.ids : target.values, {
    task: target.task,
    classes: classesOf(target),
    learningRate: number(parameters, 'learning_rate'),
    maxIterations: number(parameters, 'max_iter'),
    maxLeafNodes: numberOrNone(parameters, 'max_leaf_nodes'),
    maxDepth: numberOrNone(parameters, 'max_depth'),
    minSamplesLeaf: number(parameters, 'min_samples_leaf'),
    l2: number(parameters, 'l2_regularization'),
    maxBins: number(parameters, 'max_bins'),
    earlyStopping: stopsEarly(parameters['early_stopping'] as string, design.rows),
    validationFraction: number(parameters, 'validation_fraction'),
    nIterNoChange: number(parameters, 'n_iter_no_change'),
    tol: number(parameters, 'tol'),
    seed: number(parameters, 'random_state'),
    onProgress,
  });

/** Same problem and parameters, same model. */
export const FITS: Readonly<Record<AlgorithmName, Fit>> = {
  'logistic-regression': logisticRegression,
  'linear-regression': linear(() => 0),
  ridge: linear((parameters) => number(parameters, 'alpha')),
  'random-forest': randomForest,
  'gradient-boosting': gradientBoosting,
};

/** `into[i]` becomes the value of row `rows[i]`. */
function gather<T extends Int32Array | Float64Array>(into: T, values: T, rows: Int32Array): T {
  for (let i = 0; i < rows.length; i++) into[i] = values[rows[i] as number] as number;
  return into;
}

/** The target of those rows, in their order. */
export const targetOf = (target: Target, rows: Int32Array): Target =>
  target.task === 'classification'
    ? { task: 'classification', ids: gather(new Int32Array(rows.length), target.ids, rows), labels: target.labels }
    : { task: 'regression', values: gather(new Float64Array(rows.length), target.values, rows) };
