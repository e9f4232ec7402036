/** `POST /predict`: named features in, the reference stacks' answers out, refusals as FastAPI writes them. */
import { typeName } from '../model/column.ts';
import { whenThere } from '../model/engine.ts';
import type { Prediction } from '../model/outputs.ts';
import { RowError } from '../model/row-error.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor } from '../model/tensor.ts';
import { detailOf, invalid, MAX_NAME, parsedBody } from './fastapi.ts';
import { isObject, parseJson, parseJsonWithNaN } from './json.ts';
import type { Protocol } from './protocol.ts';

export const predictProtocol: Protocol = {
  endpoint: 'predict',
  matches: (path) => path === '/predict',
  contentTypes: ['application/json'],
  answer: ({ body }, model) => {
    const samples = samplesOf(
      body,
      model.signature.inputs.some(({ optional }) => optional) ? parseJsonWithNaN : parseJson,
    );
    return whenThere(model.score(encoded(samples, model)), (scored) => ({
      body: written(model.read(scored.outputs)),
      scored,
    }));
  },
  refuse: (refusal) => JSON.stringify({ detail: detailOf(refusal) }),
};

/** Throws 422 where the first fault of the rows stands. */
function encoded(samples: readonly unknown[], model: ServedModel): readonly Tensor[] {
  try {
    return model.encode(samples);
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    const at =
      error.row === -1 ? [] : [error.row, ...(error.field === undefined ? [] : [error.field.slice(0, MAX_NAME)])];
    throw invalid(['body', 'samples', ...at], error.type, error.message);
  }
}

function samplesOf(body: Buffer, parse: (body: Buffer) => unknown): readonly unknown[] {
  if (body.length === 0) throw invalid(['body'], 'missing', 'Field required');
  const parsed = parsedBody(body, parse);
  if (!isObject(parsed)) {
    throw invalid(['body'], 'dict_type', `Input should be an object with "samples", got ${typeName(parsed)}`);
  }
  if (!Object.hasOwn(parsed, 'samples')) throw invalid(['body', 'samples'], 'missing', 'Field required');
  const extra = Object.keys(parsed).find((key) => key !== 'samples');
  if (extra !== undefined) {
    throw invalid(
      ['body', extra.slice(0, MAX_NAME)],
      'extra_forbidden',
      'Extra inputs are not permitted beside "samples"',
    );
  }
  const { samples } = parsed;
  if (Array.isArray(samples)) return samples;
  throw invalid(['body', 'samples'], 'list_type', `Input should be a list of objects, got ${typeName(samples)}`);
}

function written(prediction: Prediction): string {
  if (prediction.kind === 'values') return JSON.stringify({ prediction: prediction.values });
  // Ids beyond what a JavaScript number holds are digits already.
  return `{"class_id":[${prediction.ids.map(String).join(',')}],"class_label":${JSON.stringify(prediction.labels)}}`;
}
