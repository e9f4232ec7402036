/** `POST /predict`: named features in, the reference stacks' answers out, refusals as FastAPI writes them. */
import { Refusal } from '../http/refusal.ts';
import { typeName } from '../model/column.ts';
import type { Prediction } from '../model/outputs.ts';
import { RowError } from '../model/row-error.ts';
import { isObject, NotJsonError, parseJson, parseJsonWithNaN } from './json.ts';
import type { Protocol } from './protocol.ts';

/** A name taken from the request is cut to this length before it is named in a refusal. */
const MAX_NAME = 128;

export const predictProtocol: Protocol = {
  endpoint: 'predict',
  matches: (path) => path === '/predict',
  contentTypes: ['application/json'],
  answer: async ({ body }, model) => {
    const samples = samplesOf(
      body,
      model.signature.inputs.some(({ optional }) => optional) ? parseJsonWithNaN : parseJson,
    );
    try {
      return written(await model.predict(samples));
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      const at =
        error.row === -1 ? [] : [error.row, ...(error.field === undefined ? [] : [error.field.slice(0, MAX_NAME)])];
      throw invalid(['body', 'samples', ...at], error.type, error.message);
    }
  },
  refuse: ({ message, detail }) =>
    JSON.stringify({ detail: detail ? [{ loc: detail.loc, msg: message, type: detail.type }] : message }),
};

const invalid = (loc: readonly (string | number)[], type: string, message: string): Refusal =>
  new Refusal(422, message, {}, { type, loc });

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

function parsedBody(body: Buffer, parse: (body: Buffer) => unknown): unknown {
  try {
    return parse(body);
  } catch (error) {
    if (!(error instanceof NotJsonError)) throw error;
    const at = error.position === undefined ? [] : [error.position];
    throw invalid(['body', ...at], 'json_invalid', 'JSON decode error');
  }
}

function written(prediction: Prediction): string {
  if (prediction.kind === 'values') return JSON.stringify({ prediction: prediction.values });
  // Ids beyond what a JavaScript number holds are digits already.
  return `{"class_id":[${prediction.ids.map(String).join(',')}],"class_label":${JSON.stringify(prediction.labels)}}`;
}
