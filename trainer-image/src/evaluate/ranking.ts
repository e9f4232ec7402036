/** The area under the ROC curve. */

/**
 * How likely a row of the class scores higher than one that is not of it, ties counting half: the area under the ROC curve
 * (Mann and Whitney's U over its maximum; equals scikit-learn's roc_auc_score). Undefined when all rows are of one kind.
 */
export function areaUnderRoc(scores: Float64Array, isPositive: (row: number) => boolean): number | undefined {
  const order = Uint32Array.from(scores, (_, row) => row).sort((a, b) => (scores[a] as number) - (scores[b] as number));
  let positives = 0;
  let rankSum = 0;
  for (let from = 0; from < order.length; ) {
    const score = scores[order[from] as number];
    let to = from;
    let here = 0;
    for (; to < order.length && scores[order[to] as number] === score; to++)
      if (isPositive(order[to] as number)) here++;
    // Ranks count from 1; equals share their mean.
    rankSum += here * ((from + 1 + to) / 2);
    positives += here;
    from = to;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
