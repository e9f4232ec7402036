/** The answer of `infer`: JSON, with the tensors in it or, where that was asked for, as bytes behind it. */
import type { ServedModel } from '../model/served-model.ts';
import { elementCount, isFloat, type Tensor } from '../model/tensor.ts';
import { HEADER_LENGTH, writeBinary } from './binary-tensor.ts';
import type { InferRequest, WantedOutput } from './open-inference-request.ts';
import type { Answer } from './protocol.ts';
import { writeBinaryHead, writeTensor } from './tensor-json.ts';

/** `results` are all outputs of the model, in their order. */
export function writeInferAnswer(
  { id, outputs: wanted }: InferRequest,
  { identity, outputs, signature }: ServedModel,
  results: readonly Tensor[],
): Answer {
  const pieces: Buffer[] = [];
  const tensors = wanted.map((output) => {
    const name = outputs[output.index]?.name as string;
    const labels = signature.outputs.find((column) => column.name === name)?.labels;
    const tensor = shown(results[output.index] as Tensor, output, labels);
    if (!output.isBinary) return writeTensor(name, tensor);
    const piece = writeBinary(tensor.data);
    pieces.push(piece);
    return writeBinaryHead(name, tensor, piece.length);
  });
  const json =
    `{"model_name":${JSON.stringify(identity.name)},"model_version":${JSON.stringify(identity.version)},` +
    `${id === undefined ? '' : `"id":${JSON.stringify(id)},`}"outputs":[${tensors.join(',')}]}`;
  if (pieces.length === 0) return { body: json };
  const head = Buffer.from(json);
  return {
    body: Buffer.concat([head, ...pieces]),
    contentType: 'application/octet-stream',
    headers: { [HEADER_LENGTH]: String(head.length) },
  };
}

const shown = (tensor: Tensor, { topClasses }: WantedOutput, labels: readonly string[] | undefined): Tensor =>
  topClasses === undefined ? tensor : topOf(tensor, topClasses, labels);

/** The highest values of each row as `value:place` or `value:place:label`, as Triton writes them. */
function topOf({ type, data, dims }: Tensor, most: number, labels: readonly string[] | undefined): Tensor {
  const rows = dims[0] ?? 1;
  const width = elementCount(dims.slice(1));
  const count = Math.min(most, width);
  const texts: string[] = [];
  for (let row = 0; row < rows; row++) {
    const values = Array.from(data.slice(row * width, (row + 1) * width) as ArrayLike<number | bigint>);
    const places = values.map((_, place) => place).sort((a, b) => descending(values, a, b));
    for (const place of places.slice(0, count)) {
      const value = values[place] as number | bigint;
      const number = isFloat(type) ? (value as number).toFixed(6) : String(value);
      const label = labels?.[place];
      texts.push(label === undefined ? `${number}:${place}` : `${number}:${place}:${label}`);
    }
  }
  return { type: 'string', dims: [rows, count], data: texts };
}

function descending(values: readonly (number | bigint)[], a: number, b: number): number {
  const [x, y] = [values[a] as number, values[b] as number];
  return x === y ? a - b : x > y ? -1 : 1;
}
