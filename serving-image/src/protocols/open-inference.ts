/** Open Inference Protocol V2, `POST /v2/models/{name}[/versions/{version}]/infer` with tensors as JSON. */
import { Refusal } from '../http/refusal.ts';
import { typeName } from '../model/column.ts';
import { whenThere } from '../model/engine.ts';
import type { ModelIdentity, ServedModel } from '../model/served-model.ts';
import type { Tensor, TensorSpec } from '../model/tensor.ts';
import { isObject, NotJsonError, parseJson, parseJsonExactly } from './json.ts';
import type { Protocol } from './protocol.ts';
import { InexactIntegerError, parseTensor, writeTensor } from './tensor-json.ts';

const PATH = /^\/v2\/models\/([^/]{1,1024})(?:\/versions\/([^/]{1,256}))?\/infer$/;

export const openInferenceProtocol: Protocol = {
  endpoint: 'v2_infer',
  matches: (path) => path.startsWith('/v2/models/') && path.endsWith('/infer') && PATH.test(path),
  contentTypes: ['application/json'],
  answer: ({ path, body }, model) => {
    const [, name, version] = PATH.exec(path) ?? [];
    checkAddress(model.identity, name ?? '', version);
    const request = requestFor(body, model);
    return whenThere(model.scoreTensors(request.inputs), (scored) => ({
      body: written(request, model, scored.outputs),
      scored,
    }));
  },
  refuse: ({ message }) => JSON.stringify({ error: message }),
};

function written(request: InferRequest, { identity, outputs }: ServedModel, results: readonly Tensor[]): string {
  const tensors = request.outputs.map((i) => writeTensor(outputs[i]?.name as string, results[i] as Tensor));
  const id = request.id === undefined ? '' : `"id":${JSON.stringify(request.id)},`;
  return (
    `{"model_name":${JSON.stringify(identity.name)},"model_version":${JSON.stringify(identity.version)},` +
    `${id}"outputs":[${tensors.join(',')}]}`
  );
}

/** Throws Refusal(404) unless the path's segments name the model and, if given, the version that is served here. */
export function checkAddress(identity: ModelIdentity, name: string, version: string | undefined): void {
  if (decoded(name) !== identity.name) throw new Refusal(404, `Model not found; this server has ${identity.name}`);
  if (version === undefined || decoded(version) === identity.version) return;
  throw new Refusal(404, `Version not found; this server has version ${identity.version} of ${identity.name}`);
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: readonly Tensor[];
  /** Indexes of the model's outputs, in the order asked for. */
  readonly outputs: readonly number[];
}

const bad = (message: string): Refusal => new Refusal(400, message);

function requestFor(body: Buffer, model: ServedModel): InferRequest {
  try {
    try {
      return parseRequest(parseJson(body), model);
    } catch (error) {
      if (error instanceof InexactIntegerError) return parseRequest(parseJsonExactly(body), model);
      throw error;
    }
  } catch (error) {
    if (!(error instanceof NotJsonError)) throw error;
    throw bad(`The body is not JSON${error.position === undefined ? '' : ` (at character ${error.position})`}`);
  }
}

function parseRequest(request: unknown, model: ServedModel): InferRequest {
  if (!isObject(request)) throw bad(`Expected an object with "inputs", got ${typeName(request)}`);
  const { id, inputs } = request;
  if (id !== undefined && typeof id !== 'string') throw bad(`Expected "id" as a string, got ${typeName(id)}`);
  if (!Array.isArray(inputs)) throw bad(`Expected "inputs" as a list of tensors, got ${typeName(inputs)}`);
  const byName = inputsByName(inputs, model.inputs);
  const tensors = model.inputs.map((spec, index) => {
    const input = byName.get(spec.name);
    if (!input) throw bad(`Input ${JSON.stringify(spec.name)} is missing`);
    return parseTensor(input, spec, { maxRows: model.maxRows, rules: model.rules[index] ?? [] });
  });
  return { id, inputs: tensors, outputs: selectedOutputs(request['outputs'], model.outputs) };
}

function inputsByName(inputs: readonly unknown[], specs: readonly TensorSpec[]): Map<string, Record<string, unknown>> {
  const byName = new Map<string, Record<string, unknown>>();
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

function selectedOutputs(wanted: unknown, specs: readonly TensorSpec[]): number[] {
  if (wanted === undefined) return specs.map((_, index) => index);
  if (!Array.isArray(wanted)) throw bad(`Expected "outputs" as a list, got ${typeName(wanted)}`);
  if (wanted.length === 0) return specs.map((_, index) => index);
  if (wanted.length > specs.length)
    throw bad(`"outputs" lists ${wanted.length} tensors; the model gives ${listed(specs)}`);
  return wanted.map((output, index) => {
    const found = specs.findIndex(({ name }) => isObject(output) && name === output['name']);
    if (found === -1) throw bad(`outputs[${index}]: unknown name; the model gives ${listed(specs)}`);
    return found;
  });
}

const listed = (specs: readonly TensorSpec[]): string =>
  specs
    .map(({ name }) => JSON.stringify(name))
    .join(', ')
    .slice(0, 400);
