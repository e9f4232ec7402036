/** What a request of `infer` asks for: the model's inputs, checked, and which outputs in which form. */
import type { IncomingHttpHeaders } from 'node:http';
import { typeName } from '../model/column.ts';
import { listed } from '../model/cut.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor, TensorSpec } from '../model/tensor.ts';
import { Refusal } from '../request/refusal.ts';
import { readBinary, type SplitBody, splitBody } from './binary-tensor.ts';
import { isObject, NotJsonError, parseJson, parseJsonExactly, pointerTo, repeatedKeyIn } from './json.ts';
import type { InferRequest, WantedOutput } from './open-inference-form.ts';
import { createLearntWays, type LearntWays } from './open-inference-learnt.ts';
import { scanRequest } from './open-inference-scan.ts';
import type { Scanned } from './scan/numbers.ts';
import { fitsShape, InexactIntegerError, parseHead, parseTensor, placeOf } from './tensor-json.ts';

type Json = Readonly<Record<string, unknown>>;

const bad = (message: string): Refusal => new Refusal(400, message);

/** Throws Refusal(400) for the first thing that is wrong. The tensors may be views of the body. */
export function readInferRequest(body: Buffer, headers: IncomingHttpHeaders, model: ServedModel): InferRequest {
  const { json, raw } = splitBody(body, headers);
  const ways = waysOf(model);
  const known = ways?.read(json, raw) ?? (ways && scannedRequest(json, raw, model, ways));
  if (known) return known;
  try {
    try {
      const parsed = parseJson(json);
      checkKeys(json, parsed);
      return parseRequest(parsed, raw, model).request;
    } catch (error) {
      if (error instanceof InexactIntegerError) return parseRequest(parseJsonExactly(json), raw, model, EXACT).request;
      throw error;
    }
  } catch (error) {
    if (!(error instanceof NotJsonError)) throw error;
    const what = raw ? 'The first part of the body' : 'The body';
    throw bad(`${what} is not JSON${error.position === undefined ? '' : ` (at character ${error.position})`}`);
  }
}

const learnt = new WeakMap<ServedModel, LearntWays | 'none'>();

/** Undefined for a model with values that the signature says something of: those are looked at one by one. */
function waysOf(model: ServedModel): LearntWays | undefined {
  let ways = learnt.get(model);
  if (!ways) {
    ways = model.rules.some((rules) => rules.length > 0) ? 'none' : createLearntWays(model.inputs);
    learnt.set(model, ways);
  }
  return ways === 'none' ? undefined : ways;
}

/** The request read the fast way, and remembered; undefined where that is not possible. */
function scannedRequest(
  json: Buffer,
  raw: SplitBody['raw'],
  model: ServedModel,
  ways: LearntWays,
): InferRequest | undefined {
  const scanned = scanRequest(json, model.inputs);
  if (!scanned) return undefined;
  try {
    const parsed = parseJson(scanned.json);
    checkKeys(scanned.json, parsed);
    const once = parseRequest(parsed, raw, model, scanned.numbers);
    ways.learn({ json, raw, holes: scanned.holes, ...once });
    return once.request;
  } catch {
    // The careful way says what is wrong, and where in the whole body.
    return undefined;
  }
}

/** Throws Refusal(400) when an object has a name twice: which of the two would count is anybody's guess. */
function checkKeys(json: Buffer, parsed: unknown): void {
  const repeated = repeatedKeyIn(json, parsed);
  if (repeated) throw bad(`${pointerTo(repeated)}: the same name is given twice in one object; give it once`);
}

interface Parsed {
  readonly request: InferRequest;
  /** By input, its part of what follows the JSON. */
  readonly pieces: ReadonlyMap<string, Buffer>;
  /** By input, where it stands, for people. */
  readonly places: ReadonlyMap<string, string>;
}

function parseRequest(
  request: unknown,
  raw: SplitBody['raw'],
  model: ServedModel,
  numbers: ReadonlyMap<string, Scanned> = NO_NUMBERS,
): Parsed {
  if (!isObject(request)) throw bad(`Expected an object with "inputs", got ${typeName(request)}`);
  const { inputs } = request;
  // Clients write null for what they do not set.
  const id = request['id'] ?? undefined;
  if (id !== undefined && typeof id !== 'string') throw bad(`/id: expected a string, got ${typeName(id)}`);
  if (!Array.isArray(inputs)) throw bad(`/inputs: expected a list of tensors, got ${typeName(inputs)}`);
  const byName = inputsByName(inputs, model.inputs);
  const pieces = binaryPieces([...byName], raw);
  const tensors = model.inputs.map((spec, index) => {
    const given = byName.get(spec.name);
    if (!given)
      throw bad(`/inputs: input ${JSON.stringify(spec.name)} is missing; the model takes ${namesOf(model.inputs)}`);
    const { input, at } = given;
    const limits = { maxRows: model.maxRows, rules: model.rules[index] ?? [], at, isExact: numbers === EXACT };
    const piece = pieces.get(spec.name);
    if (piece) return readBinary(piece, spec, parseHead(input, spec, limits), limits.rules, placeOf(at, spec.name));
    const read = numbers.get(spec.name);
    return read ? tensorOf(read, spec, parseHead(input, spec, limits)) : parseTensor(input, spec, limits);
  });
  checkRows(tensors, model.inputs, byName);
  const places = new Map([...byName].map(([name, { at }]) => [name, placeOf(at, name)]));
  return { request: { id, inputs: tensors, outputs: wantedOutputs(request, model.outputs) }, pieces, places };
}

/** Rows are counted by the first input alone, and put beside those of others: every input must have as many. */
function checkRows(tensors: readonly Tensor[], specs: readonly TensorSpec[], byName: ReadonlyMap<string, Given>): void {
  const rows = tensors[0]?.dims[0];
  const index = tensors.findIndex(({ dims }) => dims[0] !== rows);
  if (index === -1) return;
  const [first = '', other = ''] = [specs[0]?.name, specs[index]?.name];
  const place = placeOf(`${byName.get(other)?.at}/shape`, other);
  throw bad(`${place}: expected ${rows} rows like ${JSON.stringify(first)}, got ${tensors[index]?.dims[0] ?? 'none'}`);
}

const NO_NUMBERS: ReadonlyMap<string, Scanned> = new Map();
/** As the other, of a request that was read with all digits. */
const EXACT: ReadonlyMap<string, Scanned> = new Map();

function tensorOf({ dims: nested, data }: Scanned, { type }: TensorSpec, dims: readonly number[]): Tensor {
  if (!fitsShape(nested, dims)) throw bad('"data" does not fit its shape');
  return { type, dims, data };
}

/** An input as the request has it. */
interface Given {
  readonly input: Json;
  /** As a JSON pointer. */
  readonly at: string;
}

function inputsByName(inputs: readonly unknown[], specs: readonly TensorSpec[]): Map<string, Given> {
  const byName = new Map<string, Given>();
  inputs.forEach((input, index) => {
    const at = `/inputs/${index}`;
    const name = isObject(input) ? input['name'] : undefined;
    if (!isObject(input) || typeof name !== 'string') {
      const got = isObject(input) ? `one whose "name" is ${typeName(name)}` : typeName(input);
      throw bad(`${at}: expected an object with a "name", got ${got}`);
    }
    if (!specs.some((spec) => spec.name === name)) {
      throw bad(`${at}/name: unknown name; the model takes ${namesOf(specs)}`);
    }
    if (byName.has(name)) throw bad(`${at}/name: input ${JSON.stringify(name)} is given twice; give it once`);
    byName.set(name, { input, at });
  });
  return byName;
}

/** By input, its part of what follows the JSON: in the order of the request, all of it, and no byte more. */
function binaryPieces(inputs: readonly (readonly [string, Given])[], raw: SplitBody['raw']): Map<string, Buffer> {
  const pieces = new Map<string, Buffer>();
  let at = 0;
  for (const [name, { input, at: pointer }] of inputs) {
    const size = binarySize(input, pointer);
    if (size === undefined) continue;
    const label = placeOf(pointer, name);
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

function binarySize(input: Json, pointer: string): number | undefined {
  const parameters = parametersOf(input, pointer);
  const where = `${pointer}/parameters`;
  if ('shared_memory_region' in parameters) throw bad(`${where}: shared memory is not supported, send the values`);
  const size = parameters['binary_data_size'];
  if (size === undefined) return undefined;
  if (Number.isSafeInteger(size) && (size as number) >= 0) return size as number;
  throw bad(`${where}/binary_data_size: expected a number of bytes, got ${typeName(size)}`);
}

const NO_PARAMETERS: Json = {};

/** The object under `parameters` of what stands at this pointer; an empty one where there is none. */
function parametersOf({ parameters }: Json, where: string): Json {
  if (parameters === undefined || parameters === null) return NO_PARAMETERS;
  if (isObject(parameters)) return parameters;
  throw bad(`${where}/parameters: expected an object, got ${typeName(parameters)}`);
}

function wantedOutputs(request: Json, specs: readonly TensorSpec[]): WantedOutput[] {
  const wanted = request['outputs'] ?? undefined;
  const areBinary = flag(parametersOf(request, ''), 'binary_data_output', '') ?? false;
  const all = specs.map((_, index) => ({ index, isBinary: areBinary, topClasses: undefined }));
  if (wanted === undefined) return all;
  if (!Array.isArray(wanted)) throw bad(`/outputs: expected a list, got ${typeName(wanted)}`);
  if (wanted.length === 0) return all;
  if (wanted.length > specs.length)
    throw bad(`/outputs: lists ${wanted.length} tensors; the model gives ${namesOf(specs)}`);
  return wanted.map((output: unknown, at) => {
    const index = specs.findIndex(({ name }) => isObject(output) && name === output['name']);
    const spec = specs[index];
    if (!isObject(output) || !spec) throw bad(`/outputs/${at}/name: unknown name; the model gives ${namesOf(specs)}`);
    const parameters = parametersOf(output, `/outputs/${at}`);
    const isBinary = flag(parameters, 'binary_data', `/outputs/${at}`) ?? areBinary;
    return { index, isBinary, topClasses: topClassesOf(parameters, spec, `/outputs/${at}`) };
  });
}

function flag(parameters: Json, name: string, where: string): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw bad(`${where}/parameters/${name}: expected true or false, got ${typeName(value)}`);
}

function topClassesOf(parameters: Json, spec: TensorSpec, where: string): number | undefined {
  if ('shared_memory_region' in parameters) throw bad(`${where}/parameters: shared memory is not supported`);
  const count = parameters['classification'];
  if (count === undefined || count === 0) return undefined;
  if (!Number.isSafeInteger(count) || (count as number) < 0) {
    throw bad(`${where}/parameters/classification: expected a number of classes, got ${typeName(count)}`);
  }
  if (spec.type === 'string' || spec.type === 'bool') {
    throw bad(
      `${where}/parameters/classification: asks for the highest values; ${JSON.stringify(spec.name)} has no numbers`,
    );
  }
  return count as number;
}

const namesOf = (specs: readonly TensorSpec[]): string => listed(specs.map(({ name }) => name));
