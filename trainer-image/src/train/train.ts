/** From a table to everything that is published of a model; no file is touched and no clock read. */
import {
  type AlgorithmName,
  type Examples,
  type Metrics,
  type ModelSignature,
  readParameters,
} from '@slipway/contract';
import type { Log } from '../log.ts';
import type { Design, Encoding, FeatureColumn, FittedModel, OnProgress, Table, Target } from '../model.ts';
import { encodeModel } from '../onnx/encode-model.ts';
import { signatureFor } from '../onnx/signature.ts';
import { type Answers, answersOf } from './answers.ts';
import { designOf, ENCODING_RULES, encodingsFor } from './encode.ts';
import { examplesFor } from './examples.ts';
import { FITS, type Parameters, type Problem, targetOf } from './fit.ts';
import { metricsFor } from './metrics.ts';
import { foldsOf, type Split, splitRows } from './split.ts';

export interface Trained {
  readonly model: FittedModel;
  readonly encodings: readonly Encoding[];
  /** Of the training rows. */
  readonly design: Design;
  readonly split: Split;
  readonly validation: Answers;
  readonly onnx: Uint8Array;
  readonly signature: ModelSignature;
  readonly examples: Examples;
  readonly metrics: Metrics;
  /** What was really used, defaults included. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface TrainOptions {
  readonly log: Log;
  readonly onProgress: OnProgress;
}

interface Fitted {
  readonly model: FittedModel;
  readonly encodings: readonly Encoding[];
  readonly train: Problem;
}

/** The problem of those rows, encoded as was learnt elsewhere. */
const problemOf = (
  features: readonly FeatureColumn[],
  target: Target,
  rows: Int32Array,
  encodings: readonly Encoding[],
): Problem => ({
  design: designOf(features, rows, encodings),
  target: targetOf(target, rows),
});

function fitRows(
  table: Table,
  name: AlgorithmName,
  rows: Int32Array,
  parameters: Parameters,
  onProgress: OnProgress,
): Fitted {
  const encodings = encodingsFor(table.features, rows, ENCODING_RULES[name]);
  const train = problemOf(table.features, table.target, rows, encodings);
  return { model: FITS[name](train, parameters, onProgress), encodings, train };
}

/** What models that never saw the fold say of it, fold by fold. Only training rows take part. */
function crossValidate(
  table: Table,
  name: AlgorithmName,
  { train }: Split,
  parameters: Parameters,
  onProgress: OnProgress,
): Answers[] {
  const count = parameters['cv'] as number;
  if (count === 0) return [];
  const folds = foldsOf(table.target, train, count, parameters['random_state'] as number);
  return folds.map((fold, i) => {
    const progress: OnProgress = ({ fraction }) =>
      onProgress({ fraction: (i + fraction) / count, message: `fold ${i + 1} of ${count}` });
    const { model, encodings } = fitRows(table, name, fold.train, parameters, progress);
    return answersOf(model, problemOf(table.features, table.target, fold.validation, encodings));
  });
}

/** A part of the whole progress. */
const part =
  (onProgress: OnProgress, from: number, to: number): OnProgress =>
  (at) =>
    onProgress({ ...at, fraction: from + at.fraction * (to - from) });

function tell(log: Log, { model }: Fitted): void {
  if (model.kind !== 'linear-classifier') return;
  const { iterations, converged } = model;
  log(converged ? 'info' : 'warn', converged ? 'training converged' : 'training stopped before it converged', {
    iterations,
    ...(!converged && { next: 'raise max_iter, or scale the features' }),
  });
}

function warnIfWide(log: Log, name: AlgorithmName, design: Design): void {
  if (name !== 'linear-regression' || design.columns.length < design.rows) return;
  log('warn', 'there are no fewer columns than rows, so the training rows can be hit exactly whatever they say', {
    columns: design.columns.length,
    rows: design.rows,
    next: 'use ridge, or name fewer columns with features',
  });
}

const asText = (parameters: Parameters) =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value ?? 'none')]));

/**
 * The model is fitted to the training rows alone; the validation rows only judge it. `given` must be what
 * `parameterProblem` finds nothing wrong with. Same input, same bytes. Throws InvalidParameter, InvalidTarget when the rows
 * are too few for what is asked.
 */
export function train(
  table: Table,
  name: AlgorithmName,
  given: Readonly<Record<string, string>>,
  { log, onProgress }: TrainOptions,
): Trained {
  const parameters = readParameters(name, given);
  const { features, target } = table;
  const split = splitRows(target, parameters['test_size'] as number, parameters['random_state'] as number);
  log('info', 'training starts', {
    algorithm: name,
    task: target.task,
    rows: split.train.length,
    features: features.length,
    ...(target.task === 'classification' && { classes: target.labels.length }),
  });
  const folds = parameters['cv'] as number;
  // Each fold has fewer rows than the whole, so it takes about the same.
  const share = folds / (folds + 1);
  const across = crossValidate(table, name, split, parameters, part(onProgress, 0, share));
  const fitted = fitRows(table, name, split.train, parameters, part(onProgress, share, 1));
  tell(log, fitted);
  warnIfWide(log, name, fitted.train.design);
  const { model, encodings } = fitted;
  const validation = answersOf(model, problemOf(features, target, split.validation, encodings));
  const signature = signatureFor({ features, ...(target.task === 'classification' && { labels: target.labels }) });
  return {
    model,
    encodings,
    design: fitted.train.design,
    split,
    validation,
    onnx: encodeModel({ model, features, encodings }),
    signature,
    examples: examplesFor(features, split.validation, validation, signature),
    metrics: metricsFor(answersOf(model, fitted.train), validation, across),
    parameters: asText(parameters),
  };
}
