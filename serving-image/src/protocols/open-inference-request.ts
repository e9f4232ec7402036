/** What a request of `infer` asks for: the model's inputs, checked, and which outputs in which form. */
import type { IncomingHttpHeaders } from 'node:http';
import { typeName } from '../model/column.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor, TensorSpec } from '../model/tensor.ts';
import { Refusal } from '../request/refusal.ts';
import { readBinary, type SplitBody, splitBody } from './binary-tensor.ts';
import { isObject, NotJsonError, parseJson, parseJsonExactly } from './json.ts';
import { scanRequest } from './open-inference-scan.ts';
import type { Scanned } from './scan/numbers.ts';
import { fitsShape, InexactIntegerError, parseHead, parseTensor } from './tensor-json.ts';

export interface WantedOutput {
  /** Of the model's output. */
  readonly index: number;
  readonly isBinary: boolean;
  /** Instead of the tensor, so many of its highest values with place and label. */
  readonly topClasses: number | undefined;
}

export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: readonly Tensor[];
  /** In the order asked for. */
  readonly outputs: readonly WantedOutput[];
}

type Json = Readonly<Record<string, unknown>>;

const bad = (message: string): Refusal => new Refusal(400, message);

/** Throws Refusal(400) for the first thing that is wrong. The tensors may be views of the body. */
export function readInferRequest(body: Buffer, headers: IncomingHttpHeaders, model: ServedModel): InferRequest {
  const { json, raw } = splitBody(body, headers);
  const scanned = scannedRequest(json, raw, model);
  if (scanned) return scanned;
  try {
    try {
      return parseRequest(parseJson(json), raw, model);
    } catch (error) {
      if (error instanceof InexactIntegerError) return parseRequest(parseJsonExactly(json), raw, model);
      throw error;
    }
  } catch (error) {
    if (!(error instanceof NotJsonError)) throw error;
    const what = raw ? 'The first part of the body' : 'The body';
    throw bad(`${what} is not JSON${error.position === undefined ? '' : ` (at character ${error.position})`}`);
  }
}

/** The request read the fast way; undefined where that is not possible, or not worth it. */
function scannedRequest(json: Buffer, raw: SplitBody['raw'], model: ServedModel): InferRequest | undefined {
  // What the signature says of single values is looked at value by value.
  if (model.rules.some((rules) => rules.length > 0)) return undefined;
  const scanned = scanRequest(json, model.inputs);
  if (!scanned) return undefined;
  try {
    return parseRequest(parseJson(scanned.json), raw, model, scanned.numbers);
  } catch {
    // The careful way says what is wrong, and where in the whole body.
    return undefined;
  }
}

function parseRequest(
  request: unknown,
  raw: SplitBody['raw'],
  model: ServedModel,
  numbers: ReadonlyMap<string, Scanned> = NO_NUMBERS,
): InferRequest {
  if (!isObject(request)) throw bad(`Expected an object with "inputs", got ${typeName(request)}`);
  const { inputs } = request;
  // Clients write null for what they do not set.
  const id = request['id'] ?? undefined;
  if (id !== undefined && typeof id !== 'string') throw bad(`Expected "id" as a string, got ${typeName(id)}`);
  if (!Array.isArray(inputs)) throw bad(`Expected "inputs" as a list of tensors, got ${typeName(inputs)}`);
  const byName = inputsByName(inputs, model.inputs);
  const pieces = binaryPieces([...byName], raw);
  const tensors = model.inputs.map((spec, index) => {
    const input = byName.get(spec.name);
    if (!input) throw bad(`Input ${JSON.stringify(spec.name)} is missing`);
    const limits = { maxRows: model.maxRows, rules: model.rules[index] ?? [] };
    const piece = pieces.get(spec.name);
    if (piece) return readBinary(piece, spec, parseHead(input, spec, limits), limits.rules);
    const read = numbers.get(spec.name);
    return read ? tensorOf(read, spec, parseHead(input, spec, limits)) : parseTensor(input, spec, limits);
  });
  checkRows(tensors, model.inputs);
  return { id, inputs: tensors, outputs: wantedOutputs(request, model.outputs) };
}

/** Rows are counted by the first input alone, and put beside those of others: every input must have as many. */
function checkRows(tensors: readonly Tensor[], specs: readonly TensorSpec[]): void {
  const rows = tensors[0]?.dims[0];
  const index = tensors.findIndex(({ dims }) => dims[0] !== rows);
  if (index === -1) return;
  const [first, other] = [specs[0]?.name, specs[index]?.name].map((name) => JSON.stringify(name));
  throw bad(`input ${other}: expected ${rows} rows like ${first}, got ${tensors[index]?.dims[0] ?? 'none'}`);
}

const NO_NUMBERS: ReadonlyMap<string, Scanned> = new Map();

function tensorOf({ dims: nested, data }: Scanned, { type }: TensorSpec, dims: readonly number[]): Tensor {
  if (!fitsShape(nested, dims)) throw bad('"data" does not fit its shape');
  return { type, dims, data };
}

function inputsByName(inputs: readonly unknown[], specs: readonly TensorSpec[]): Map<string, Json> {
  const byName = new Map<string, Json>();
  inputs.forEach((input, index) => {
    const name = isObject(input) ? input['name'] : undefined;
    if (!isObject(input) || typeof name !== 'string') throw bad(`inputs[${index}]: expected an object with a "name"`);
    if (!specs.some((spec) => spec.name === name)) {
      throw bad(`inputs[${index}]: unknown name; the model takes ${listed(specs)}`);
    }
    if (byName.has(name)) throw bad(`Input ${JSON.stringify(name)} is given twice`);
    byName.set(name, input);
  });
  return byName;
}

/** By input, its part of what follows the JSON: in the order of the request, all of it, and no byte more. */
function binaryPieces(inputs: readonly (readonly [string, Json])[], raw: SplitBody['raw']): Map<string, Buffer> {
  const pieces = new Map<string, Buffer>();
  let at = 0;
  for (const [name, input] of inputs) {
    const size = binarySize(input, name);
    if (size === undefined) continue;
    const label = `input ${JSON.stringify(name)}`;
    if (!raw) throw bad(`${label}: has "binary_data_size", but the header Inference-Header-Content-Length is missing`);
    if (input['data'] !== undefined)
      throw bad(`${label}: has both "data" and "binary_data_size", expected one of them`);
    if (size > raw.length - at) {
      throw bad(`${label}: "binary_data_size" is ${size}, only ${raw.length - at} bytes of the body are left for it`);
    }
    pieces.set(name, raw.subarray(at, at + size));
    at += size;
  }
  if (raw && at !== raw.length) {
    throw bad(
      `The body goes on for ${raw.length - at} bytes after the tensors; expected as many as "binary_data_size"`,
    );
  }
  return pieces;
}

function binarySize(input: Json, name: string): number | undefined {
  const label = `input ${JSON.stringify(name)}`;
  const parameters = parametersOf(input, label);
  if ('shared_memory_region' in parameters) throw bad(`${label}: shared memory is not supported, send the values`);
  const size = parameters['binary_data_size'];
  if (size === undefined) return undefined;
  if (Number.isSafeInteger(size) && (size as number) >= 0) return size as number;
  throw bad(`${label}: expected "binary_data_size" as a number of bytes, got ${typeName(size)}`);
}

const NO_PARAMETERS: Json = {};

/** The object under `parameters`, of the request or of a tensor; an empty one where there is none. */
function parametersOf({ parameters }: Json, where: string): Json {
  if (parameters === undefined || parameters === null) return NO_PARAMETERS;
  if (isObject(parameters)) return parameters;
  throw bad(`${where}: expected "parameters" as an object, got ${typeName(parameters)}`);
}

function wantedOutputs(request: Json, specs: readonly TensorSpec[]): WantedOutput[] {
  const wanted = request['outputs'] ?? undefined;
  const areBinary = flag(parametersOf(request, 'The request'), 'binary_data_output', 'The request') ?? false;
  const all = specs.map((_, index) => ({ index, isBinary: areBinary, topClasses: undefined }));
  if (wanted === undefined) return all;
  if (!Array.isArray(wanted)) throw bad(`Expected "outputs" as a list, got ${typeName(wanted)}`);
  if (wanted.length === 0) return all;
  if (wanted.length > specs.length)
    throw bad(`"outputs" lists ${wanted.length} tensors; the model gives ${listed(specs)}`);
  return wanted.map((output: unknown, at) => {
    const index = specs.findIndex(({ name }) => isObject(output) && name === output['name']);
    const spec = specs[index];
    if (!isObject(output) || !spec) throw bad(`outputs[${at}]: unknown name; the model gives ${listed(specs)}`);
    const parameters = parametersOf(output, `outputs[${at}]`);
    const isBinary = flag(parameters, 'binary_data', `outputs[${at}]`) ?? areBinary;
    return { index, isBinary, topClasses: topClassesOf(parameters, spec, `outputs[${at}]`) };
  });
}

function flag(parameters: Json, name: string, where: string): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw bad(`${where}: expected "${name}" as true or false, got ${typeName(value)}`);
}

function topClassesOf(parameters: Json, spec: TensorSpec, where: string): number | undefined {
  if ('shared_memory_region' in parameters) throw bad(`${where}: shared memory is not supported`);
  const count = parameters['classification'];
  if (count === undefined || count === 0) return undefined;
  if (!Number.isSafeInteger(count) || (count as number) < 0) {
    throw bad(`${where}: expected "classification" as a number of classes, got ${typeName(count)}`);
  }
  if (spec.type === 'string' || spec.type === 'bool') {
    throw bad(`${where}: "classification" asks for the highest values; ${JSON.stringify(spec.name)} has no numbers`);
  }
  return count as number;
}

const listed = (specs: readonly TensorSpec[]): string =>
  specs
    .map(({ name }) => JSON.stringify(name))
    .join(', ')
    .slice(0, 400);
