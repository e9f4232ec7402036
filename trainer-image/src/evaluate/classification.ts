/** How well predicted classes and probabilities fit the known ones; every measure is defined as in scikit-learn. */
import { areaUnderRoc } from './ranking.ts';

export interface ClassificationAnswers {
  /** How many classes there are; ids are 0 … classes-1. */
  readonly classes: number;
  /** The known class of every row. */
  readonly actual: Int32Array;
  /** The predicted class of every row. */
  readonly predicted: Int32Array;
  /** `probabilities[row * classes + id]`; a row adds up to 1. */
  readonly probabilities: Float64Array;
}

export interface ClassScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface ClassificationMetrics {
  readonly accuracy: number;
  /** Mean of -log(probability of the known class), probabilities bounded away from 0 and 1 by a double's epsilon. */
  readonly log_loss: number;
  /** Plain means over the classes that are known or predicted for some row; 0 where a class is never predicted. */
  readonly f1_macro: number;
  readonly precision_macro: number;
  readonly recall_macro: number;
  /** Of the second of two classes; of more, the mean over each against the rest. Absent when a class has no row. */
  readonly roc_auc?: number;
  readonly samples: number;
}

/** `confusion[actual][predicted]` counts rows. */
export function confusionMatrix({
  classes,
  actual,
  predicted,
}: Pick<ClassificationAnswers, 'classes' | 'actual' | 'predicted'>): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let row = 0; row < actual.length; row++) {
    const of = counts[actual[row] as number] as number[];
    of[predicted[row] as number] = (of[predicted[row] as number] as number) + 1;
  }
  return counts;
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Precision, recall and F1 of every class; undefined for a class that no row has and no row was given. */
export function classScores(confusion: readonly (readonly number[])[]): (ClassScore | undefined)[] {
  return confusion.map((row, id) => {
    const right = row[id] as number;
    const known = row.reduce((sum, count) => sum + count, 0);
    const given = confusion.reduce((sum, other) => sum + (other[id] as number), 0);
    if (known + given === 0) return undefined;
    return { precision: ratio(right, given), recall: ratio(right, known), f1: ratio(2 * right, known + given) };
  });
}

function logLoss({ classes, actual, probabilities }: ClassificationAnswers): number {
  let loss = 0;
  for (let row = 0; row < actual.length; row++) {
    const probability = probabilities[row * classes + (actual[row] as number)] as number;
    loss -= Math.log(Math.min(Math.max(probability, Number.EPSILON), 1 - Number.EPSILON));
  }
  return loss / actual.length;
}

function columnOf({ classes, probabilities }: ClassificationAnswers, id: number): Float64Array {
  const column = new Float64Array(probabilities.length / classes);
  for (let row = 0; row < column.length; row++) column[row] = probabilities[row * classes + id] as number;
  return column;
}

function rocAuc(answers: ClassificationAnswers): number | undefined {
  const { classes, actual } = answers;
  const areas: number[] = [];
  for (let id = classes === 2 ? 1 : 0; id < classes; id++) {
    const area = areaUnderRoc(columnOf(answers, id), (row) => actual[row] === id);
    if (area === undefined) return undefined;
    areas.push(area);
  }
  return mean(areas);
}

/** At least one row is expected. */
export function classificationMetrics(answers: ClassificationAnswers): ClassificationMetrics {
  const confusion = confusionMatrix(answers);
  const scores = classScores(confusion).filter((score) => score !== undefined);
  const roc_auc = rocAuc(answers);
  return {
    accuracy: confusion.reduce((sum, row, id) => sum + (row[id] as number), 0) / answers.actual.length,
    log_loss: logLoss(answers),
    f1_macro: mean(scores.map(({ f1 }) => f1)),
    precision_macro: mean(scores.map(({ precision }) => precision)),
    recall_macro: mean(scores.map(({ recall }) => recall)),
    ...(roc_auc !== undefined && { roc_auc }),
    samples: answers.actual.length,
  };
}

/** The class with the highest probability of every row; of equals the lowest id. */
export function mostLikely(probabilities: ArrayLike<number>, classes: number): Int32Array {
  const best = new Int32Array(probabilities.length / classes);
  for (let row = 0; row < best.length; row++) {
    for (let id = 1; id < classes; id++) {
      const at = row * classes;
      if ((probabilities[at + id] as number) > (probabilities[at + (best[row] as number)] as number)) best[row] = id;
    }
  }
  return best;
}
