/** Predictions as the clients of MLflow and of KServe V1 read them: `{"predictions": [...]}`. */
import type { Prediction, Values } from '../model/outputs.ts';
import type { Scored, ServedModel } from '../model/served-model.ts';
import { elementCount } from '../model/tensor.ts';
import { bad } from './invocations-rows.ts';
import { isShare } from './predict-answer.ts';
import { rowsText, singlesText } from './print/singles.ts';

/** The answer to a request without rows. */
export const NO_PREDICTIONS = '{"predictions":[]}';

/** Class ids, the classes' names where the model itself gives names, or values. */
export function writePredictions(prediction: Prediction, model: ServedModel): string {
  if (prediction.kind === 'values') return `{"predictions":[${valuesText(prediction)}]}`;
  if (givesNames(model)) return `{"predictions":${JSON.stringify(prediction.labels)}}`;
  // Ids beyond what a JavaScript number holds are digits already.
  return `{"predictions":[${prediction.ids.join(',')}]}`;
}

function valuesText({ values, tensor }: Values): string {
  if (tensor?.type !== 'float32') return JSON.stringify(values).slice(1, -1);
  const floats = tensor.data as Float32Array;
  const width = floats.length / (tensor.dims[0] || 1);
  return width === 1 ? singlesText(floats) : rowsText(floats, width);
}

const isFloat = (type: string): boolean => type.startsWith('float');

const givesNames = ({ signature }: ServedModel): boolean =>
  signature.outputs.find(({ type }) => !isFloat(type))?.type === 'string';

/** Which output holds a probability for each class. Throws Refusal 400 where the model gives none. */
export function probabilityOutput({ signature, outputs }: ServedModel): number {
  const isClassifier = signature.outputs.some(({ type, labels }) => !isFloat(type) || labels !== undefined);
  const column = isClassifier ? signature.outputs.find(({ type }) => isFloat(type)) : undefined;
  const index = outputs.findIndex(({ name }) => name === column?.name);
  if (index === -1) throw noProbabilities();
  return index;
}

const noProbabilities = () => bad('/params/probabilities: the model gives no probabilities; leave it out');

/**
 * A list of probabilities a row, in the order of the classes; one column is the probability of class 1. Throws Refusal 400
 * for scores that are none.
 */
export function writeProbabilities({ outputs }: Scored, index: number): string {
  const { data, dims, type } = outputs[index] as Scored['outputs'][number];
  const width = elementCount(dims.slice(1));
  const numbers = data as Float32Array;
  if (!numbers.every(isShare)) throw noProbabilities();
  if (type === 'float32' && width > 1) return `{"predictions":[${rowsText(numbers, width)}]}`;
  const rows = Array.from({ length: dims[0] ?? 0 }, (_, row) => {
    const own = Array.from(numbers.subarray(row * width, (row + 1) * width));
    return width === 1 ? [1 - (own[0] as number), own[0]] : own;
  });
  return `{"predictions":${JSON.stringify(rows)}}`;
}
