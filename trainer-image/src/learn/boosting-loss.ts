/** What boosting lessens: the score it starts from, and the derivatives at the scores reached. */
import type { TreeEnsemble } from '../model.ts';

/** A loss, and the scores that the trees so far give every row. */
export interface Loss {
  readonly outputs: number;
  readonly link: TreeEnsemble['link'];
  /** What every row's score starts from, by output. */
  readonly base: Float64Array;
  /** The greatest second derivative there can be; undefined when all are 1. */
  readonly largestSecond: number | undefined;
  /** Takes the present scores for those that the derivatives of all outputs belong to, and the loss. */
  settle(): void;
  /** The mean over the rows `of`. */
  meanOver(of: Int32Array): number;
  /** Writes the derivatives by output `k` for every row; the second ones where there is room. */
  derivatives(k: number, gradients: Float32Array, seconds: Float32Array | undefined): void;
  /** Adds a leaf's value to the scores of its rows, rows[start … end). */
  add(k: number, value: number, rows: Int32Array, start: number, end: number): void;
}

function addTo(scores: Float64Array | Float32Array, value: number, rows: Int32Array, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const row = rows[i] as number;
    scores[row] = (scores[row] as number) + value;
  }
}

/** Half the squared error. */
export function squaredError(y: Float64Array, learning: Int32Array): Loss {
  let sum = 0;
  for (const row of learning) sum += y[row] as number;
  const mean = sum / learning.length;
  const scores = new Float64Array(y.length);
  return {
    outputs: 1,
    link: 'identity',
    base: Float64Array.of(mean),
    largestSecond: undefined,
    settle: () => {},
    meanOver: (of) => {
      let loss = 0;
      for (let i = 0; i < of.length; i++) {
        const row = of[i] as number;
        const error = (y[row] as number) - mean - (scores[row] as number);
        loss += error * error;
      }
      return loss / (2 * of.length);
    },
    derivatives: (_k, gradients) => {
      for (let i = 0; i < y.length; i++) gradients[i] = mean + (scores[i] as number) - (y[i] as number);
    },
    add: (_k, value, rows, start, end) => addTo(scores, value, rows, start, end),
  };
}

/** The least and greatest share of a class that a score can stand for. */
const within = (share: number): number => Math.min(Math.max(share, Number.EPSILON), 1 - Number.EPSILON);

function sharesOf(ids: Int32Array, learning: Int32Array, classes: number): Float64Array {
  const shares = new Float64Array(classes);
  for (const row of learning) shares[ids[row] as number] = (shares[ids[row] as number] as number) + 1 / learning.length;
  return shares.map(within);
}

/** So many factors of at most 2 have a product that a number can hold. */
const FACTORS = 512;

/** The loss of rows of[start … end), with one logarithm for all of them. */
function logLoss(scores: Float64Array, ids: Int32Array, of: Int32Array, start: number, end: number): number {
  let loss = 0;
  let product = 1;
  for (let i = start; i < end; i++) {
    const row = of[i] as number;
    const margin = ids[row] === 1 ? (scores[row] as number) : -(scores[row] as number);
    if (margin < 0) loss -= margin;
    product *= 1 + Math.exp(margin < 0 ? margin : -margin);
  }
  return loss + Math.log(product);
}

/** Minus the logarithm of the probability of the class, of two; the score is the second's. */
export function logisticLoss(ids: Int32Array, learning: Int32Array): Loss {
  const share = sharesOf(ids, learning, 2)[1] as number;
  const base = Math.log(share / (1 - share));
  const scores = new Float64Array(ids.length).fill(base);
  return {
    outputs: 1,
    link: 'logistic',
    base: Float64Array.of(base),
    largestSecond: 0.25,
    settle: () => {},
    meanOver: (of) => {
      let loss = 0;
      for (let start = 0; start < of.length; start += FACTORS) {
        loss += logLoss(scores, ids, of, start, Math.min(start + FACTORS, of.length));
      }
      return loss / of.length;
    },
    derivatives: (_k, gradients, seconds = new Float32Array(0)) => {
      for (let i = 0; i < ids.length; i++) {
        const p = 1 / (1 + Math.exp(-(scores[i] as number)));
        gradients[i] = p - (ids[i] as number);
        seconds[i] = p * (1 - p);
      }
    },
    add: (_k, value, rows, start, end) => addTo(scores, value, rows, start, end),
  };
}

/** The same of any number of classes, with a score for each. */
export function softmaxLoss(ids: Int32Array, learning: Int32Array, classes: number): Loss {
  const rows = ids.length;
  const base = sharesOf(ids, learning, classes).map(Math.log);
  const scores = Array.from(base, (start) => new Float32Array(rows).fill(start));
  const shares = Array.from(base, () => new Float32Array(rows));
  const most = new Float32Array(rows);
  const totals = new Float32Array(rows);
  return {
    outputs: classes,
    link: 'softmax',
    base,
    largestSecond: 0.25,
    settle: () => {
      most.fill(Number.NEGATIVE_INFINITY);
      totals.fill(0);
      for (const z of scores) for (let i = 0; i < rows; i++) most[i] = Math.max(most[i] as number, z[i] as number);
      scores.forEach((z, k) => {
        exponentials(z, most, shares[k] as Float32Array, totals);
      });
      for (const share of shares) {
        for (let i = 0; i < rows; i++) share[i] = (share[i] as number) / (totals[i] as number);
      }
    },
    meanOver: (of) => {
      let loss = 0;
      for (let i = 0; i < of.length; i++) {
        const row = of[i] as number;
        const own = (scores[ids[row] as number] as Float32Array)[row] as number;
        loss += (most[row] as number) + Math.log(totals[row] as number) - own;
      }
      return loss / of.length;
    },
    derivatives: (k, gradients, seconds = new Float32Array(0)) => {
      const share = shares[k] as Float32Array;
      for (let i = 0; i < rows; i++) {
        const p = share[i] as number;
        gradients[i] = ids[i] === k ? p - 1 : p;
        seconds[i] = p * (1 - p);
      }
    },
    add: (k, value, of, start, end) => addTo(scores[k] as Float32Array, value, of, start, end),
  };
}

function exponentials(z: Float32Array, most: Float32Array, out: Float32Array, totals: Float32Array): void {
  for (let i = 0; i < z.length; i++) {
    const e = Math.exp((z[i] as number) - (most[i] as number));
    out[i] = e;
    totals[i] = (totals[i] as number) + e;
  }
}
