/** The metrics of a run by their names in the contract. */
import type { Metrics } from '@slipway/contract';
import { classScores, confusionMatrix } from '../evaluate/classification.ts';
import { namesForLabels } from '../evaluate/metric-names.ts';
import { type Answers, measuresOf } from './answers.ts';

/** Of more classes only the means are kept: nobody reads three hundred numbers. */
const MOST_CLASSES_APART = 100;

const prefixed = (prefix: string, measures: object): [string, number][] =>
  Object.entries(measures).map(([name, value]) => [`${prefix}_${name}`, value as number]);

function byClass(answers: Answers): [string, number][] {
  if (answers.task === 'regression' || answers.classes > MOST_CLASSES_APART) return [];
  const names = namesForLabels(answers.labels);
  return classScores(confusionMatrix(answers)).flatMap((score, id): [string, number][] =>
    score
      ? [
          [`validation_precision_${names[id]}`, score.precision],
          [`validation_recall_${names[id]}`, score.recall],
          [`validation_f1_${names[id]}`, score.f1],
        ]
      : [],
  );
}

/** Means and standard deviations (of the folds, as numpy's std) of measures that every fold has. */
function acrossFolds(folds: readonly Answers[]): [string, number][] {
  const measures = folds.map((fold) => measuresOf(fold) as unknown as Readonly<Record<string, number | undefined>>);
  const names = Object.keys(measures[0] ?? {}).filter((name) => name !== 'samples');
  return names.flatMap((name): [string, number][] => {
    const values = measures.map((measure) => measure[name]).filter((value) => value !== undefined);
    if (values.length < measures.length) return [];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return [
      [`cv_${name}_mean`, mean],
      [`cv_${name}_std`, Math.sqrt(variance)],
    ];
  });
}

/** `accuracy` or `r2` alone repeats the validation's. A measure that is not defined for these rows is left out. */
export function metricsFor(train: Answers, validation: Answers, folds: readonly Answers[]): Metrics {
  const measures = measuresOf(validation);
  const main =
    'accuracy' in measures ? { accuracy: measures.accuracy } : measures.r2 === undefined ? {} : { r2: measures.r2 };
  return Object.fromEntries([
    ...prefixed('train', measuresOf(train)),
    ...prefixed('validation', measures),
    ...byClass(validation),
    ...acrossFolds(folds),
    ...Object.entries(main),
  ]);
}
