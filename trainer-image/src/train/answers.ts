/** What a model says of some rows, beside what is known of them. */
import {
  type ClassificationAnswers,
  type ClassificationMetrics,
  classificationMetrics,
  mostLikely,
} from '../evaluate/classification.ts';
import { type RegressionMetrics, regressionMetrics } from '../evaluate/regression.ts';
import { predictProbabilities, predictValues } from '../learn/predict.ts';
import type { FittedModel } from '../model.ts';
import type { Problem } from './fit.ts';

export type Answers =
  | ({ readonly task: 'classification'; readonly labels: readonly string[] } & ClassificationAnswers)
  | { readonly task: 'regression'; readonly actual: Float64Array; readonly predicted: Float64Array };

/** For every row of the problem, in its order. */
export function answersOf(model: FittedModel, { design, target }: Problem): Answers {
  if (target.task === 'regression') {
    return { task: 'regression', actual: target.values, predicted: predictValues(model, design) };
  }
  const classes = target.labels.length;
  const probabilities = predictProbabilities(model, design);
  const predicted = mostLikely(probabilities, classes);
  return { task: 'classification', labels: target.labels, classes, actual: target.ids, predicted, probabilities };
}

/** The measures of the task, by their name in the contract without a prefix. */
export const measuresOf = (answers: Answers): ClassificationMetrics | RegressionMetrics =>
  answers.task === 'classification'
    ? classificationMetrics(answers)
    : regressionMetrics(answers.actual, answers.predicted);
