/** What a trained model is published with: signature, example rows, metrics. */
import type { Examples, Metrics, ModelSignature } from '@slipway/contract';
import { bestOf, type Evaluation, rowOf } from './evaluate.ts';
import { type LogisticRegression, type Matrix, probabilities } from './logistic-regression.ts';

export const signatureOf = (featureNames: readonly string[], labels: readonly string[]): ModelSignature => ({
  inputs: featureNames.map((name) => ({ name, type: 'float32' as const })),
  outputs: [
    { name: 'label', type: 'int64', labels: [...labels] },
    { name: 'probabilities', type: 'float32', labels: [...labels] },
  ],
});

const MOST_EXAMPLES = 10;
/** Two classes closer than this may change places in float32; such a row would prove nothing. */
const NEAR_TIE = 1e-4;

function isNearTie(scores: Float64Array): boolean {
  const [first = 0, second = 0] = scores.toSorted().reverse();
  return first - second < NEAR_TIE;
}

/** Rows spread over `data` with what the trainer itself, in double precision, makes of the float32 values a server gets. */
export function examplesOf(model: LogisticRegression, data: Matrix, featureNames: readonly string[]): Examples {
  const step = Math.max(1, Math.floor(data.rows / MOST_EXAMPLES));
  const chosen = Array.from({ length: data.rows }, (_, row) => row)
    .filter((row) => row % step === 0)
    .map((row) => ({ row: rowOf(data, row), scores: probabilities(model, rowOf(data, row).map(Math.fround)) }))
    .filter(({ scores }) => !isNearTie(scores))
    .slice(0, MOST_EXAMPLES);
  return {
    inputs: chosen.map(({ row }) => Object.fromEntries(featureNames.map((name, j) => [name, row[j] as number]))),
    outputs: {
      label: chosen.map(({ scores }) => bestOf(scores)),
      probabilities: chosen.map(({ scores }) => Array.from(scores)),
    },
  };
}

/** `accuracy` alone repeats the validation's. */
export const metricsOf = (train: Evaluation, validation: Evaluation): Metrics => ({
  train_accuracy: train.accuracy,
  validation_accuracy: validation.accuracy,
  train_log_loss: train.log_loss,
  validation_log_loss: validation.log_loss,
  train_samples: train.samples,
  validation_samples: validation.samples,
  accuracy: validation.accuracy,
});
