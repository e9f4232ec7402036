/** KServe's V1 protocol, `POST /v1/models/{name}:predict` with rows under `instances` or `inputs`. */

import { typeName } from '../model/column.ts';
import { whenThere } from '../model/engine.ts';
import type { ModelIdentity, ServedModel } from '../model/served-model.ts';
import type { Tensor } from '../model/tensor.ts';
import { Refusal } from '../request/refusal.ts';
import { parserFor } from './invocations.ts';
import { NO_PREDICTIONS, writePredictions } from './invocations-answer.ts';
import { bad, tensorsOfRows } from './invocations-rows.ts';
import { scannedRows } from './invocations-scan.ts';
import { isObject, readExactly } from './json.ts';
import type { Answer, Protocol } from './protocol.ts';

const PATH = /^\/v1\/models\/([^/]{1,1024}):predict$/;

export const kserveV1Protocol: Protocol = {
  endpoint: 'v1_predict',
  matches: (path) => path.startsWith('/v1/models/') && PATH.test(path),
  contentTypes: ['application/json'],
  answer: ({ path, body }, model) => {
    checkModel(model.identity, PATH.exec(path)?.[1] ?? '');
    const scanned = scannedRows(body, model, false);
    if (scanned) return predicted(scanned, model);
    const tensors = readExactly(body, parserFor(model), (parsed) => {
      const [field, rows] = rowsIn(parsed);
      return tensorsOfRows(rows, field, model);
    });
    return tensors ? predicted(tensors, model) : { body: NO_PREDICTIONS };
  },
  refuse: ({ message }) => JSON.stringify({ error: message }),
};

const predicted = (tensors: readonly Tensor[], model: ServedModel) =>
  whenThere(
    model.score(tensors),
    (scored): Answer => ({ body: writePredictions(model.read(scored.outputs), model), scored }),
  );

function rowsIn(parsed: unknown): [field: string, rows: unknown] {
  if (!isObject(parsed)) throw bad(`Expected an object with "instances" or "inputs", got ${typeName(parsed)}`);
  const given = ['instances', 'inputs'].filter((name) => Object.hasOwn(parsed, name));
  const [field, another] = given;
  if (field !== undefined && another === undefined) return [field, parsed[field]];
  throw bad(`Expected "instances" or "inputs" in the body, got ${field === undefined ? 'neither' : 'both'}`);
}

/** What a name may look like to be said back. */
const SANE_NAME = /^[\w.-]{1,253}$/;

/** Throws Refusal(404) in KServe's words unless the path's segment names the model that is served here. */
export function checkModel(identity: ModelIdentity, segment: string): void {
  const name = decoded(segment);
  if (name === identity.name) return;
  const shown = name !== undefined && SANE_NAME.test(name) ? `Model with name ${name}` : 'Model with that name';
  throw new Refusal(404, `${shown} does not exist.`);
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
