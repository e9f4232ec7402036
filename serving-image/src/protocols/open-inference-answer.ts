/** The answer of `infer`: JSON, with the tensors in it or, where that was asked for, as bytes behind it. */
import type { ServedModel } from '../model/served-model.ts';
import { elementCount, isFloat, type Tensor } from '../model/tensor.ts';
import { HEADER_LENGTH, writeBinary } from './binary-tensor.ts';
import type { InferRequest, WantedOutput } from './open-inference-form.ts';
import type { Answer } from './protocol.ts';
import { writeBinaryHead, writeTensor } from './tensor-json.ts';

/** `results` are all outputs of the model, in their order. */
export function writeInferAnswer(
  { id, outputs: wanted }: InferRequest,
  model: ServedModel,
  results: readonly Tensor[],
): Answer {
  const pieces: Buffer[] = [];
  const { begin, names } = wordsOf(model);
  let json = `${begin}${id === undefined ? '' : `"id":${JSON.stringify(id)},`}"outputs":[`;
  for (let i = 0; i < wanted.length; i++) {
    const output = wanted[i] as WantedOutput;
    const name = names[output.index] as string;
    const tensor = shown(results[output.index] as Tensor, output, model);
    if (i > 0) json += ',';
    if (output.isBinary) {
      const piece = writeBinary(tensor.data);
      pieces.push(piece);
      json += writeBinaryHead(name, tensor, piece.length);
    } else json += writeTensor(name, tensor);
  }
  json += ']}';
  if (pieces.length === 0) return { body: json };
  const head = Buffer.from(json);
  return {
    body: Buffer.concat([head, ...pieces]),
    contentType: 'application/octet-stream',
    headers: { [HEADER_LENGTH]: String(head.length) },
  };
}

/** What is the same in every answer of a model. */
interface Words {
  readonly begin: string;
  /** Of its outputs, as JSON. */
  readonly names: readonly string[];
}

const words = new WeakMap<ServedModel, Words>();

function wordsOf(model: ServedModel): Words {
  const known = words.get(model);
  if (known) return known;
  const { name, version } = model.identity;
  const begin = `{"model_name":${JSON.stringify(name)},"model_version":${JSON.stringify(version)},`;
  const made = { begin, names: model.outputs.map((output) => JSON.stringify(output.name)) };
  words.set(model, made);
  return made;
}

function shown(tensor: Tensor, { topClasses, index }: WantedOutput, { outputs, signature }: ServedModel): Tensor {
  if (topClasses === undefined) return tensor;
  const labels = signature.outputs.find(({ name }) => name === outputs[index]?.name)?.labels;
  return topOf(tensor, topClasses, labels);
}

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
