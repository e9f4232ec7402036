import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classificationMetrics, classScores, confusionMatrix, mostLikely } from './classification.ts';
import { namesForLabels } from './metric-names.ts';
import { areaUnderRoc } from './ranking.ts';
import { regressionMetrics } from './regression.ts';

const close = (got: number | undefined, expected: number, what: string) =>
  assert.ok(got !== undefined && Math.abs(got - expected) < 1e-12, `${what}: got ${got}, expected ${expected}`);

function answers(actual: readonly number[], probabilities: readonly (readonly number[])[]) {
  const classes = probabilities[0]?.length ?? 0;
  const flat = Float64Array.from(probabilities.flat());
  return { classes, actual: Int32Array.from(actual), predicted: mostLikely(flat, classes), probabilities: flat };
}

const threeClasses = answers(
  [0, 0, 1, 1, 2, 2, 2, 0],
  [
    [0.7, 0.2, 0.1],
    [0.3, 0.4, 0.3],
    [0.2, 0.5, 0.3],
    [0.1, 0.8, 0.1],
    [0.2, 0.2, 0.6],
    [0.5, 0.25, 0.25],
    [0.1, 0.1, 0.8],
    [0.4, 0.4, 0.2],
  ],
);

test('three classes: counted by hand', () => {
  // The last row's tie goes to the lower class.
  assert.deepEqual([...threeClasses.predicted], [0, 1, 1, 1, 2, 0, 2, 0]);
  const confusion = confusionMatrix(threeClasses);
  assert.deepEqual(confusion, [
    [2, 1, 0],
    [0, 2, 0],
    [1, 0, 2],
  ]);
  assert.deepEqual(classScores(confusion), [
    { precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 },
    { precision: 2 / 3, recall: 1, f1: 0.8 },
    { precision: 1, recall: 2 / 3, f1: 0.8 },
  ]);
  const got = classificationMetrics(threeClasses);
  const known = [0.7, 0.3, 0.5, 0.8, 0.6, 0.25, 0.8, 0.4];
  close(got.accuracy, 6 / 8, 'accuracy');
  close(got.log_loss, -known.reduce((sum, p) => sum + Math.log(p), 0) / 8, 'log_loss');
  close(got.f1_macro, (2 / 3 + 0.8 + 0.8) / 3, 'f1_macro');
  close(got.precision_macro, 7 / 9, 'precision_macro');
  close(got.recall_macro, 7 / 9, 'recall_macro');
  // Pairs in order: 13 of 15 for the first class, all for the second, 13 of 15 for the third.
  close(got.roc_auc, (13 / 15 + 1 + 13 / 15) / 3, 'roc_auc');
  assert.equal(got.samples, 8);
});

test('two classes: the area is that of the second, ties count half', () => {
  const scores = [0.1, 0.4, 0.35, 0.35, 1, 0];
  const got = classificationMetrics(
    answers(
      [0, 1, 1, 0, 1, 0],
      scores.map((p) => [1 - p, p]),
    ),
  );
  // 8 of 9 pairs in order, one tie.
  close(got.roc_auc, 8.5 / 9, 'roc_auc');
  close(got.accuracy, 4 / 6, 'accuracy');
  close(got.precision_macro, (3 / 5 + 1) / 2, 'precision_macro');
  close(got.recall_macro, (1 + 1 / 3) / 2, 'recall_macro');
  close(got.f1_macro, (6 / 8 + 2 / 4) / 2, 'f1_macro');
});

test('a probability of 0 for the known class costs much, but not everything', () => {
  const got = classificationMetrics(
    answers(
      [0, 1],
      [
        [0, 1],
        [0, 1],
      ],
    ),
  );
  close(got.log_loss, (-Math.log(Number.EPSILON) - Math.log(1 - Number.EPSILON)) / 2, 'log_loss');
});

test('a class that nobody has is no part of the means, one that is only guessed counts as 0', () => {
  const actual = Int32Array.from([0, 0, 1, 1]);
  const scores = classScores(confusionMatrix({ classes: 4, actual, predicted: Int32Array.from([0, 2, 1, 1]) }));
  assert.deepEqual(scores[2], { precision: 0, recall: 0, f1: 0 });
  assert.equal(scores[3], undefined);
});

test('without rows of a class there is no area under the curve', () => {
  assert.equal(
    areaUnderRoc(Float64Array.of(0.1, 0.9), () => true),
    undefined,
  );
  const { roc_auc } = classificationMetrics(
    answers(
      [0, 1],
      [
        [1, 0, 0],
        [0, 1, 0],
      ],
    ),
  );
  assert.equal(roc_auc, undefined);
});

test('quantities: counted by hand', () => {
  const got = regressionMetrics([3, -0.5, 2, 7], [2.5, 0, 2, 8]);
  close(got.mse, 1.5 / 4, 'mse');
  close(got.rmse, Math.sqrt(1.5 / 4), 'rmse');
  close(got.mae, 0.5, 'mae');
  close(got.r2, 1 - 1.5 / 29.1875, 'r2');
  assert.equal(got.samples, 4);
});

test('where nothing varies r2 is 1 for a hit and 0 otherwise; of one row there is none', () => {
  assert.equal(regressionMetrics([2, 2], [2, 2]).r2, 1);
  assert.equal(regressionMetrics([2, 2], [2, 3]).r2, 0);
  assert.equal(regressionMetrics([2], [2]).r2, undefined);
});

test('every label gets a name of its own that a tracking server takes, and none that is taken', () => {
  const names = namesForLabels(['a b', 'ä', 'ö', 'macro', '../x', '', 'x'.repeat(300)]);
  assert.deepEqual(names.slice(0, 6), ['a b', '_', '__2', 'macro_2', '.._x', '__3']);
  assert.equal(names[6]?.length, 200);
  for (const name of names) assert.match(`validation_precision_${name}`, /^[\w\-. /]{1,250}$/);
});
