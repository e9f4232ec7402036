/** What becomes of raw scores, in place and with the rounding of float32 where the runtime has it. */
import { NotCompiledError } from './not-compiled.ts';

export const TRANSFORMS = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO'] as const;
export type Transform = (typeof TRANSFORMS)[number];

export function transformOf(name: string): Transform {
  const transform = TRANSFORMS.find((known) => known === name);
  if (!transform) throw new NotCompiledError(`it ends in post_transform ${name.slice(0, 40)}`);
  return transform;
}

type Scores = Float32Array | Float64Array;
const { fround } = Math;

/** The 32 powers of two between one and two, and whole powers of two: what `expOf` puts results together from. */
const STEPS = 32;
const LEAST_POWER = -127;
const FRACTIONS = Float64Array.from({ length: STEPS }, (_, n) => 2 ** (n / STEPS));
const POWERS = Float64Array.from({ length: -LEAST_POWER + 1 }, (_, k) => 2 ** (k + LEAST_POWER));
const STEPS_PER_E = STEPS / Math.LN2;
const STEP = Math.LN2 / STEPS;

/**
 * e^x to nine digits, which is more than a float32 has, for what is at most zero, as exponents of scores are. A third of
 * what Math.exp takes.
 */
export function expOf(x: number): number {
  if (!(x > -87 && x <= 0)) return Math.exp(x);
  const n = (x * STEPS_PER_E - 0.5) | 0;
  const rest = x - n * STEP;
  // The rest is at most a hundredth. Two halves, so that neither waits for the other.
  const near = 1 + rest + rest * rest * (1 / 2 + rest * (1 / 6));
  return near * ((FRACTIONS[n & (STEPS - 1)] as number) * (POWERS[(n >> 5) - LEAST_POWER] as number));
}

export function logistic(score: number): number {
  const share = fround(1 / fround(1 + fround(expOf(-Math.abs(score)))));
  return score < 0 ? fround(1 - share) : share;
}

const LEAST = -3.4028234663852886e38;

/** As `softmax`, without putting down what is between. */
function softmaxThree(scores: Float32Array, at: number): void {
  const a = scores[at] as number;
  const b = scores[at + 1] as number;
  const c = scores[at + 2] as number;
  const most = Math.max(a, b, c);
  const x = fround(expOf(a - most));
  const y = fround(expOf(b - most));
  const z = fround(expOf(c - most));
  const share = 1 / (x + y + z);
  scores[at] = x * share;
  scores[at + 1] = y * share;
  scores[at + 2] = z * share;
}

function softmax(scores: Scores, at: number, width: number): void {
  const isSingle = scores instanceof Float32Array;
  if (isSingle && width === 3) {
    softmaxThree(scores, at);
    return;
  }
  let most = LEAST;
  for (let k = at; k < at + width; k++) if ((scores[k] as number) > most) most = scores[k] as number;
  let sum = 0;
  for (let k = at; k < at + width; k++) {
    const exponent = (scores[k] as number) - most;
    scores[k] = isSingle ? expOf(exponent) : Math.exp(exponent);
    sum += scores[k] as number;
  }
  for (let k = at; k < at + width; k++) scores[k] = (scores[k] as number) / sum;
}

/** A score of zero stays so. */
function softmaxZero(scores: Scores, at: number, width: number): void {
  let most = LEAST;
  for (let k = at; k < at + width; k++) if ((scores[k] as number) > most) most = scores[k] as number;
  const scale = fround(Math.exp(-most));
  let sum = 0;
  for (let k = at; k < at + width; k++) {
    const score = scores[k] as number;
    const isZero = !(score > 0.0000001 || score < -0.0000001);
    scores[k] = isZero ? score * scale : Math.exp(score - most);
    if (!isZero) sum += scores[k] as number;
  }
  for (let k = at; k < at + width; k++) scores[k] = (scores[k] as number) / sum;
}

/** Of the scores of one row, which begin at `at`. */
export function transform(kind: Transform, scores: Scores, at: number, width: number): void {
  if (kind === 'SOFTMAX') softmax(scores, at, width);
  else if (kind === 'SOFTMAX_ZERO') softmaxZero(scores, at, width);
  else if (kind === 'LOGISTIC') {
    for (let k = at; k < at + width; k++) scores[k] = logistic(fround(scores[k] as number));
  }
}
