/** The loss of a block of rows: scores become derivatives in place, and the loss is returned. */

/** So many factors of at most 2 have a product that a number can hold. */
const FACTORS = 512;

/**
 * Rows `from` up to `to` of two classes, whose first id is `ids[at]`. Of log(1 + exp(-|z|)) only the arguments are
 * multiplied: one logarithm does for all.
 */
function binaryPart(
  z: Float64Array,
  from: number,
  to: number,
  ids: Int32Array,
  at: number,
  weights: Float64Array,
  sums: Float64Array,
): number {
  const w0 = weights[0] as number;
  const w1 = weights[1] as number;
  let product0 = 1;
  let product1 = 1;
  let loss = 0;
  let sum = 0;
  for (let i = from; i < to; i++) {
    const second = ids[at + i - from] === 1;
    const margin = second ? (z[i] as number) : -(z[i] as number);
    const small = Math.exp(margin < 0 ? margin : -margin);
    if (second) product1 *= 1 + small;
    else product0 *= 1 + small;
    const weight = second ? w1 : w0;
    const missed = (weight * (margin < 0 ? 1 : small)) / (1 + small);
    if (margin < 0) loss -= weight * margin;
    const derivative = second ? -missed : missed;
    z[i] = derivative;
    sum += derivative;
  }
  sums[0] = (sums[0] as number) + sum;
  return loss + w0 * Math.log(product0) + w1 * Math.log(product1);
}

/** Two classes, one score. Adds the derivatives to sums[0]. */
export function binaryLoss(
  z: Float64Array,
  rows: number,
  ids: Int32Array,
  from: number,
  weights: Float64Array,
  sums: Float64Array,
): number {
  let loss = 0;
  for (let start = 0; start < rows; start += FACTORS) {
    loss += binaryPart(z, start, Math.min(start + FACTORS, rows), ids, from + start, weights, sums);
  }
  return loss;
}

/** One score for every class. Adds the derivatives to `sums`. */
export function softmaxLoss(
  scores: readonly Float64Array[],
  rows: number,
  ids: Int32Array,
  from: number,
  weights: Float64Array,
  sums: Float64Array,
): number {
  const classes = scores.length;
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    const label = ids[from + i] as number;
    const weight = weights[label] as number;
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) most = Math.max(most, (scores[k] as Float64Array)[i] as number);
    const own = (scores[label] as Float64Array)[i] as number;
    let total = 0;
    for (let k = 0; k < classes; k++) {
      const z = scores[k] as Float64Array;
      const e = Math.exp((z[i] as number) - most);
      z[i] = e;
      total += e;
    }
    loss += weight * (most + Math.log(total) - own);
    const factor = weight / total;
    for (let k = 0; k < classes; k++) {
      const z = scores[k] as Float64Array;
      const derivative = (z[i] as number) * factor - (k === label ? weight : 0);
      z[i] = derivative;
      sums[k] = (sums[k] as number) + derivative;
    }
  }
  return loss;
}
