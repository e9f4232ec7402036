/** The area under the ROC curve. */

/** The scores of rows that are of the class, or of those that are not, in ascending order. */
function sortedScores(scores: Float64Array, isWanted: (row: number) => boolean): Float64Array {
  const found = new Float64Array(scores.length);
  let count = 0;
  for (let row = 0; row < scores.length; row++) if (isWanted(row)) found[count++] = scores[row] as number;
  return found.subarray(0, count).sort();
}

/**
 * How likely a row of the class scores higher than one that is not of it, ties counting half: the area under the ROC curve
 * (Mann and Whitney's U over its maximum; equals scikit-learn's roc_auc_score). Undefined when all rows are of one kind.
 */
export function areaUnderRoc(scores: Float64Array, isPositive: (row: number) => boolean): number | undefined {
  const positives = sortedScores(scores, isPositive);
  const negatives = sortedScores(scores, (row) => !isPositive(row));
  if (positives.length === 0 || negatives.length === 0) return undefined;
  let wins = 0;
  // How many negatives score lower than the positive at hand, and how many no higher.
  let lower = 0;
  let notHigher = 0;
  for (const score of positives) {
    while (lower < negatives.length && (negatives[lower] as number) < score) lower++;
    while (notHigher < negatives.length && (negatives[notHigher] as number) <= score) notHigher++;
    wins += (lower + notHigher) / 2;
  }
  return wins / positives.length / negatives.length;
}
