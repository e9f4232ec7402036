/** One measure of two models that were asked about the same rows; the functions are those the built-in trainer reports by. */
import type { HeldOutAnswers } from '@slipway/contract';
import { classificationMetrics } from '../evaluate/classification.ts';
import { regressionMetrics } from '../evaluate/regression.ts';

/** The measures that can be compared, and which end of each is good. */
const IS_LOWER_BETTER: Readonly<Record<string, boolean>> = {
  accuracy: false,
  log_loss: true,
  f1_macro: false,
  precision_macro: false,
  recall_macro: false,
  roc_auc: false,
  mse: true,
  rmse: true,
  mae: true,
  r2: false,
};
export const COMPARABLE: readonly string[] = Object.keys(IS_LOWER_BETTER);
const NEEDS_PROBABILITIES = new Set(['log_loss', 'roc_auc']);

/** What a metric's name measures: `validation_accuracy` is accuracy. Undefined for one that cannot be compared. */
export function measureNamed(metric: string): { readonly name: string; readonly isLowerBetter: boolean } | undefined {
  const name = metric.replace(/^validation_/, '');
  const isLowerBetter = Object.hasOwn(IS_LOWER_BETTER, name) ? IS_LOWER_BETTER[name] : undefined;
  return isLowerBetter === undefined ? undefined : { name, isLowerBetter };
}

/** A number, or why there is none. */
export type Measured = number | { readonly problem: string };

type ClassAnswers = Extract<HeldOutAnswers, { labels: string[] }>;

/** `1`, `1.0` and ` 1` are one class, whoever wrote them. */
const asLabel = (text: string): string => {
  const trimmed = text.trim();
  return trimmed !== '' && Number.isFinite(Number(trimmed)) ? String(Number(trimmed)) : trimmed;
};

function ofClasses(name: string, targets: readonly string[], answers: ClassAnswers): Measured {
  const { labels, probabilities } = answers;
  if (NEEDS_PROBABILITIES.has(name) && probabilities.length !== labels.length) {
    return { problem: `it gives no probabilities, which ${name} needs` };
  }
  const actual = targets.map(asLabel);
  const known = answers.classes.map(asLabel);
  // A class that no row has makes no area under a curve.
  const more = name === 'roc_auc' ? [] : [...known, ...labels.map(asLabel)];
  const classes = [...new Set([...actual, ...more])].sort();
  const ids = new Map(classes.map((label, id) => [label, id]));
  const places = known.map((label) => ids.get(label));
  const spread = new Float64Array(actual.length * classes.length);
  for (const [row, shares] of probabilities.entries()) {
    for (const [i, id] of places.entries()) if (id !== undefined) spread[row * classes.length + id] = shares[i] ?? 0;
  }
  const value = classificationMetrics({
    classes: classes.length,
    actual: Int32Array.from(actual, (label) => ids.get(label) as number),
    predicted: Int32Array.from(labels, (label) => ids.get(asLabel(label)) ?? 0),
    probabilities: spread,
  })[name as 'accuracy'];
  return value ?? { problem: `${name} cannot be told: every held-out row is of one class` };
}

function ofQuantities(name: string, targets: readonly string[], values: readonly number[]): Measured {
  const actual = targets.map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
  const odd = actual.findIndex((value) => !Number.isFinite(value));
  if (odd !== -1) return { problem: `it answers with numbers, and the target of held-out row ${odd + 1} is none` };
  const value = regressionMetrics(actual, values)[name as 'mse'];
  return value ?? { problem: `${name} cannot be told of a single row` };
}

/** `name` is one of COMPARABLE; `targets` are the known answers to the rows that were asked. */
export function measure(name: string, targets: readonly string[], answers: HeldOutAnswers): Measured {
  if ('problem' in answers) return answers;
  const given = 'values' in answers ? answers.values.length : answers.labels.length;
  if (given !== targets.length) {
    return { problem: `it answered ${given} rows, and the trainer held out ${targets.length}` };
  }
  if (given === 0) return { problem: 'the trainer held out no row' };
  const forClasses = COMPARABLE.indexOf(name) < COMPARABLE.indexOf('mse');
  if ('values' in answers) {
    return forClasses
      ? { problem: `it answers with quantities, and ${name} is a measure of classes` }
      : ofQuantities(name, targets, answers.values);
  }
  return forClasses
    ? ofClasses(name, targets, answers)
    : { problem: `it answers with classes, and ${name} is a measure of quantities` };
}
