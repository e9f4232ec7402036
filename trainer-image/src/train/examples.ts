/** Rows with the model's own answers, by which whoever serves the model proves that it answers the same. */
import type { Examples, ModelSignature } from '@slipway/contract';
import type { FeatureColumn } from '../model.ts';
import type { Answers } from './answers.ts';
import { spread, valueAt } from './rows.ts';

const MOST_EXAMPLES = 10;
/** Looked at for rows without a near tie. */
const CANDIDATES = 200;
/** Two classes closer than this may change places in float32; such a row would prove nothing. */
const NEAR_TIE = 1e-4;

const scoresOf = (answers: Answers, i: number): Float64Array =>
  answers.task === 'regression'
    ? new Float64Array(0)
    : answers.probabilities.subarray(i * answers.classes, (i + 1) * answers.classes);

function isNearTie(scores: Float64Array): boolean {
  const [first = 1, second = 0] = scores.toSorted().reverse();
  return first - second < NEAR_TIE;
}

function inputOf(features: readonly FeatureColumn[], row: number): Examples['inputs'][number] {
  const cells = features.map((column) => [column.name, valueAt(column, row)] as const);
  // A value that is missing is left out, as a client would.
  return Object.fromEntries(cells.filter(([, value]) => value !== undefined)) as Examples['inputs'][number];
}

/** `answers[i]` are those for row `rows[i]` of the features. Outputs carry the signature's names. */
export function examplesFor(
  features: readonly FeatureColumn[],
  rows: Int32Array,
  answers: Answers,
  signature: ModelSignature,
): Examples {
  const usable = spread(rows.length, CANDIDATES).filter((i) => !isNearTie(scoresOf(answers, i)));
  const chosen = spread(usable.length, MOST_EXAMPLES).map((at) => usable[at] as number);
  const names = signature.outputs.map(({ name }) => name);
  const values =
    answers.task === 'regression'
      ? [chosen.map((i) => answers.predicted[i] as number)]
      : [chosen.map((i) => answers.predicted[i] as number), chosen.map((i) => Array.from(scoresOf(answers, i)))];
  return {
    inputs: chosen.map((i) => inputOf(features, rows[i] as number)),
    outputs: Object.fromEntries(names.map((name, output) => [name, values[output] as unknown[]])),
  };
}
