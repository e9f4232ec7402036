/** A model's outputs as answers that can be scored, with every probability where the model gives them. */
import type { HeldOutAnswers, ModelSignature } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import { bindOutputs } from '../model/outputs.ts';
import { elementCount, type Tensor, type TensorSpec } from '../model/tensor.ts';

export type Answers = Exclude<HeldOutAnswers, { problem: string }>;

/** float32 needs no more than nine digits, and files are half as long. */
const short = (value: number): number => Number(value.toPrecision(9));

const isFloat = ({ type }: Pick<TensorSpec, 'type'>): boolean => type.startsWith('float');

/**
 * Reads one run's outputs. Labels and classes are the signature's names, else those in `listed`, else the ids. A classifier
 * without an output of probabilities has none, and no classes. Throws FailureError(SignatureMismatch) as the server would.
 */
export function bindAnswers(
  signature: ModelSignature,
  outputs: readonly TensorSpec[],
  listed: readonly string[] | undefined,
): (results: readonly Tensor[]) => Answers {
  const read = bindOutputs(signature, outputs);
  const scores = scoresOf(signature, outputs);
  return (results) => {
    const prediction = read(results);
    if (prediction.kind === 'values') {
      return { values: prediction.values.map(oneNumber) };
    }
    if (scores === undefined) return { labels: [...prediction.labels], probabilities: [], classes: [] };
    const { probabilities, width } = probabilitiesIn(results[scores.output] as Tensor);
    const named = scores.labels ?? listed;
    const classes = named?.length === width ? [...named] : Array.from({ length: width }, (_, id) => String(id));
    return { labels: [...prediction.labels], probabilities, classes };
  };
}

function oneNumber(value: unknown): number {
  if (typeof value === 'number') return short(value);
  throw new FailureError(
    'SignatureMismatch',
    'its first output has several numbers for every row; name classes (labels) in signature.json, or give one number',
  );
}

interface Scores {
  readonly output: number;
  readonly labels: string[] | undefined;
}

/** The floating-point output with one column for every class: the labelled one, else the only one beside the label. */
function scoresOf(signature: ModelSignature, outputs: readonly TensorSpec[]): Scores | undefined {
  const floats = signature.outputs.filter(({ type }) => type === 'float32' || type === 'float64');
  const column = floats.find(({ labels }) => labels !== undefined) ?? (floats.length === 1 ? floats[0] : undefined);
  const output = outputs.findIndex((spec) => spec.name === column?.name && isFloat(spec) && spec.dims.length === 2);
  if (output === -1) return undefined;
  const labels = column?.labels ?? signature.outputs.find((other) => other.labels !== undefined)?.labels;
  return { output, labels };
}

/** A single column is the probability of the second of two classes. */
function probabilitiesIn({ data, dims }: Tensor): { probabilities: number[][]; width: number } {
  const width = elementCount(dims.slice(1));
  const numbers = data as Float32Array;
  const probabilities = Array.from({ length: dims[0] ?? 0 }, (_, row) => {
    const shares = Array.from(numbers.subarray(row * width, (row + 1) * width), short);
    return width === 1 ? [short(1 - (shares[0] as number)), shares[0] as number] : shares;
  });
  return { probabilities, width: Math.max(2, width) };
}

/** The answers to rows that came one batch after the other. */
export function joinAnswers(parts: readonly Answers[]): Answers {
  const [first] = parts;
  if (!first || 'values' in first) return { values: parts.flatMap((part) => ('values' in part ? part.values : [])) };
  const classes = parts.flatMap((part) => ('labels' in part ? [part] : []));
  return {
    labels: classes.flatMap(({ labels }) => labels),
    probabilities: classes.flatMap(({ probabilities }) => probabilities),
    classes: first.classes,
  };
}
