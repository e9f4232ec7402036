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

export function logistic(score: number): number {
  const share = fround(1 / fround(1 + fround(Math.exp(-Math.abs(score)))));
  return score < 0 ? fround(1 - share) : share;
}

const LEAST = -3.4028234663852886e38;

function softmax(scores: Scores, at: number, width: number): void {
  let most = LEAST;
  for (let k = at; k < at + width; k++) if ((scores[k] as number) > most) most = scores[k] as number;
  let sum = 0;
  for (let k = at; k < at + width; k++) {
    scores[k] = Math.exp((scores[k] as number) - most);
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
