/** The answers of `POST /predict`, each in the shape its request asks for by its own. */
import type { Classes, Prediction, Probabilities, Values } from '../model/outputs.ts';
import type { Tensor } from '../model/tensor.ts';
import { rowsText, shortSingle, singlesText } from './print/singles.ts';

/** `samples`: a list of rows; `record`: one row; `spaced`: one row with a space in a feature's name. */
export type Shape = 'samples' | 'record' | 'spaced';

/** `withProbabilities` is only asked of what `hasProbabilities`. */
export function writeAnswer(prediction: Prediction, shape: Shape, withProbabilities: boolean): string {
  if (prediction.kind === 'values') return writeValues(prediction, shape);
  const more = withProbabilities ? probabilitiesText(prediction, shape) : '';
  if (shape === 'samples') {
    return `{"class_id":[${idsText(prediction.ids)}],"class_label":[${labelsText(prediction.labels)}]${more}}`;
  }
  if (shape === 'spaced') return `{"prediction":[${prediction.ids[0] ?? JSON.stringify(prediction.labels[0])}]${more}}`;
  const label = JSON.stringify(prediction.labels[0]);
  return `{"status":"success","prediction":${label}${confidenceText(prediction)}${more}}`;
}

function writeValues(prediction: Values, shape: Shape): string {
  const { tensor } = prediction;
  const rows = tensor?.type === 'float32' ? floatsText(tensor) : JSON.stringify(prediction.values).slice(1, -1);
  return shape === 'record' ? `{"prediction":${rows}}` : `{"prediction":[${rows}]}`;
}

/** A number for each row, or a list where the output is wider. */
function floatsText({ data, dims }: Tensor): string {
  const floats = data as Float32Array;
  const width = floats.length / (dims[0] || 1);
  return width === 1 ? singlesText(floats) : rowsText(floats, width);
}

/** Ids beyond what a JavaScript number holds are digits already; a missing one is null. */
function idsText(ids: Classes['ids']): string {
  if (ids.length === 1) return String(ids[0]);
  return (ids.includes(null) ? ids.map(String) : ids).join(',');
}

/** So many classes are remembered; whoever knows more quotes them anew. */
const MOST_QUOTED = 1024;
const quoted = new Map<string, string>();

/** Quoted once for each class and not for each row. */
function quotedLabel(label: string): string {
  const known = quoted.get(label);
  if (known !== undefined) return known;
  if (quoted.size >= MOST_QUOTED) quoted.clear();
  const literal = JSON.stringify(label);
  quoted.set(label, literal);
  return literal;
}

function labelsText(labels: readonly string[]): string {
  let text = '';
  let last: string | undefined;
  let literal = '';
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row] as string;
    // Rows that follow each other are often of one class; a look at the string is cheaper than at the table.
    if (label !== last) literal = quotedLabel(label);
    last = label;
    text += row === 0 ? literal : `,${literal}`;
  }
  return text;
}

/** Between 0 and 1, with what rounding may add to a probability. */
export const isShare = (score: number): boolean => score >= 0 && score <= 1.0001;

/** True when every row has a probability for each class: margins and distances are scores, but no probabilities. */
export const hasProbabilities = (prediction: Prediction): boolean => {
  if (prediction.kind !== 'classes' || !prediction.probabilities) return false;
  const { probabilities, ids } = prediction;
  return ids.every((_, row) => probabilities.of(row).every(isShare));
};

/** Scores that are no probabilities are not called so. */
function confidenceText({ probabilities }: Classes): string {
  if (!probabilities) return '';
  const highest = Math.max(...probabilities.of(0));
  if (!isShare(highest)) return '';
  return `,"probability":${Math.min(1, Math.round(highest * 10_000) / 10_000)}`;
}

function probabilitiesText({ probabilities, ids }: Classes, shape: Shape): string {
  if (!probabilities) return '';
  const rows = ids.map((_, row) => byLabel(probabilities, row));
  return `,"probabilities":${shape === 'record' ? rows[0] : `[${rows.join(',')}]`}`;
}

function byLabel(probabilities: Probabilities, row: number): string {
  const { labels } = probabilities;
  const pairs = probabilities.of(row).map((share, i) => `${JSON.stringify(labels[i])}:${shortest(share)}`);
  return `{${pairs.join(',')}}`;
}

const shortest = (value: number): number => (Math.fround(value) === value ? shortSingle(value) : value);
