/** MLflow's scoring protocol: `POST /invocations` with one of four JSON forms or a table as text. */

import { typeName } from '../model/column.ts';
import { whenThere } from '../model/engine.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor } from '../model/tensor.ts';
import type { Refusal } from '../request/refusal.ts';
import { NO_PREDICTIONS, probabilityOutput, writePredictions, writeProbabilities } from './invocations-answer.ts';
import { tensorsOfCsv } from './invocations-csv.ts';
import { bad, pointer, tensorsByPosition, tensorsOfRecords, tensorsOfRows } from './invocations-rows.ts';
import { scannedRecords, scannedRows } from './invocations-scan.ts';
import { isObject, NotJsonError, parseJson, parseJsonWithNaN, pointerTo, readExactly, repeatedKeyIn } from './json.ts';
import type { Answer, Protocol } from './protocol.ts';

const FORMS = ['dataframe_split', 'dataframe_records', 'instances', 'inputs'] as const;
const EXPECTED =
  'The input must be a JSON dictionary with exactly one of the input fields ' +
  "{'dataframe_split', 'dataframe_records', 'instances', 'inputs'}.";

export const invocationsProtocol: Protocol = {
  endpoint: 'invocations',
  matches: (path) => path === '/invocations',
  contentTypes: ['application/json', 'text/csv'],
  answer: ({ headers, body }, model) => {
    if (/^\s*text\/csv\b/i.test(headers['content-type'] ?? '')) return scored(tensorsOfCsv(body, model), model);
    const rows = scannedRows(body, model, true) ?? scannedRecords(body, model);
    if (rows) return scored(rows, model);
    const { tensors, probabilities } = readExactly(body, parserFor(model), (json) => {
      const parsed = objectOf(json);
      const probabilities = wantsProbabilities(parsed['params']) ? probabilityOutput(model) : undefined;
      return { tensors: tensorsOf(parsed, model), probabilities };
    });
    return scored(tensors, model, probabilities);
  },
  // Its own server is a FastAPI application: only faults of a body are worded by MLflow.
  refuse: (refusal) => {
    const { status, message } = refusal;
    if (isPlain(refusal)) return message;
    return JSON.stringify(status === 405 ? { detail: 'Method Not Allowed' } : { error_code: codeOf(status), message });
  },
  refusalType: (refusal) => (isPlain(refusal) ? 'text/plain; charset=utf-8' : 'application/json'),
};

const isPlain = ({ status }: Refusal): boolean => status === 415;

/** MLflow's own names of what went wrong. */
const CODES: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  413: 'BAD_REQUEST',
  429: 'REQUEST_LIMIT_EXCEEDED',
  503: 'TEMPORARILY_UNAVAILABLE',
};
const codeOf = (status: number): string => CODES[status] ?? 'INTERNAL_ERROR';

function scored(tensors: readonly Tensor[] | undefined, model: ServedModel, probabilities?: number) {
  if (!tensors) return { body: NO_PREDICTIONS };
  return whenThere(
    model.score(tensors),
    (result): Answer => ({
      body:
        probabilities === undefined
          ? writePredictions(model.read(result.outputs), model)
          : writeProbabilities(result, probabilities),
      scored: result,
    }),
  );
}

function objectOf(parsed: unknown): Record<string, unknown> {
  if (isObject(parsed)) return parsed;
  throw bad(`${EXPECTED} Received a ${Array.isArray(parsed) ? 'list' : typeName(parsed)}.`);
}

/** Reads a body for this model. Throws Refusal 400 saying where it stops being JSON, or where a name comes twice. */
export const parserFor =
  ({ signature }: ServedModel): ((body: Buffer) => unknown) =>
  (body) => {
    const parse = signature.inputs.some(({ optional }) => optional) ? parseJsonWithNaN : parseJson;
    const parsed = parsedWith(parse, body);
    const repeated = repeatedKeyIn(body, parsed);
    if (repeated) throw bad(`${pointerTo(repeated)}: the same name is given twice in one object; give it once`);
    return parsed;
  };

function parsedWith(parse: (body: Buffer) => unknown, body: Buffer): unknown {
  try {
    return parse(body);
  } catch (error) {
    if (!(error instanceof NotJsonError)) throw error;
    const at = error.position === undefined ? '' : ` (at character ${error.position})`;
    throw bad(`Ensure that input is a valid JSON formatted string${at}`);
  }
}

/** MLflow hands every other parameter to the model; one that takes none lets them pass. */
function wantsProbabilities(params: unknown): boolean {
  if (params === undefined || params === null) return false;
  if (!isObject(params)) throw bad(`/params: expected an object, got ${typeName(params)}`);
  const wanted = params['probabilities'] ?? false;
  if (typeof wanted === 'boolean') return wanted;
  throw bad(`/params/probabilities: expected true or false, got ${typeName(wanted)}`);
}

function tensorsOf(parsed: Record<string, unknown>, model: ServedModel): readonly Tensor[] | undefined {
  const given = FORMS.filter((form) => Object.hasOwn(parsed, form));
  const [form, another] = given;
  if (form === undefined || another !== undefined) {
    const names = given.map((name) => `'${name}'`).join(', ');
    throw bad(`${EXPECTED} Received dictionary with input fields: [${names}].`);
  }
  const value = parsed[form];
  if (form === 'dataframe_split') return tensorsOfSplit(value, model);
  if (form !== 'dataframe_records') return tensorsOfRows(value, form, model);
  if (Array.isArray(value)) return tensorsOfRecords(value, form, model);
  throw bad(`/${form}: expected a list of records, got ${typeName(value)}`);
}

function tensorsOfSplit(split: unknown, model: ServedModel): readonly Tensor[] | undefined {
  if (!isObject(split))
    throw bad(`/dataframe_split: expected an object with "columns" and "data", got ${typeName(split)}`);
  const { columns, data } = split;
  if (!Array.isArray(data)) throw bad(`/dataframe_split/data: expected a list of rows, got ${typeName(data)}`);
  const place = pointer('dataframe_split/data');
  // Without names the values stand for the model's columns, in their order.
  if (columns === undefined) return tensorsByPosition(data, undefined, place, model);
  if (!Array.isArray(columns) || !columns.every((name) => typeof name === 'string')) {
    throw bad('/dataframe_split/columns: expected a list of names');
  }
  return tensorsByPosition(data, columns, place, model);
}
