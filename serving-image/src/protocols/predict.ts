/**
 * `POST /predict`: named features in, the reference stacks' answers out, refusals as FastAPI writes them.
 *
 * The shape of the answer is that of the request, whatever its values:
 * - an object with `samples` (unless the model has a feature of that name and the value is no list): rows;
 *   `{"class_id":[0],"class_label":["setosa"]}`, of a regressor `{"prediction":[9.87]}`
 * - else an object with a key that names a feature: one record. With a space in any of its keys, as in
 *   `"sepal length (cm)"`: `{"prediction":[0]}`, the class's number or the value; without: of a classifier
 *   `{"status":"success","prediction":"setosa","probability":0.9766}`, of a regressor `{"prediction":9.87}`
 * - anything else is taken for a failed attempt at the first.
 *
 * `?probabilities=true` adds the probability of every class by its label.
 */
import { typeName } from '../model/column.ts';
import { whenThere } from '../model/engine.ts';
import { RowError } from '../model/row-error.ts';
import type { Scored, ServedModel } from '../model/served-model.ts';
import type { Tensor } from '../model/tensor.ts';
import { detailOf, invalid, parsedBody } from './fastapi.ts';
import { isObject, parseJson, parseJsonWithNaN, readExactly, repeatedKeyIn } from './json.ts';
import { hasProbabilities, type Shape, writeAnswer } from './predict-answer.ts';
import type { Answer, Protocol } from './protocol.ts';
import { createRecordScanner, type ScanRecords } from './scan/records.ts';

export const predictProtocol: Protocol = {
  endpoint: 'predict',
  matches: (path) => path === '/predict',
  contentTypes: ['application/json'],
  answer: ({ body, query }, model) => {
    const withProbabilities = query !== '' && wantsProbabilities(query);
    const { inputs, shape } = scanned(body, model) ?? parsed(body, model);
    return whenThere(model.score(inputs), (scored) => answerTo(scored, model, shape, withProbabilities));
  },
  refuse: (refusal) => JSON.stringify({ detail: detailOf(refusal) }),
};

function answerTo(scored: Scored, model: ServedModel, shape: Shape, withProbabilities: boolean): Answer {
  const prediction = model.read(scored.outputs);
  if (withProbabilities && !hasProbabilities(prediction)) throw NO_PROBABILITIES();
  return { body: writeAnswer(prediction, shape, withProbabilities), scored, isRecord: shape !== 'samples' };
}

interface Rows {
  readonly inputs: readonly Tensor[];
  readonly shape: Shape;
}

const shapeOf = (isRecord: boolean, hasSpaces: boolean): Shape =>
  isRecord ? (hasSpaces ? 'spaced' : 'record') : 'samples';

const scanners = new WeakMap<ServedModel, ScanRecords>();

function scannerOf(model: ServedModel): ScanRecords {
  const known = scanners.get(model);
  if (known) return known;
  const scan = model.layout ? createRecordScanner(model.layout, model.maxRows) : () => undefined;
  scanners.set(model, scan);
  return scan;
}

/** What is usual, straight from the bytes; undefined for everything else. */
function scanned(body: Buffer, model: ServedModel): Rows | undefined {
  const records = scannerOf(model)(body);
  if (!records || !model.takesRows?.(records.rows)) return undefined;
  return { inputs: records.inputs, shape: shapeOf(records.isRecord, records.hasSpaces) };
}

/** Everything else. Throws 422 where the first fault stands. */
function parsed(body: Buffer, model: ServedModel): Rows {
  return readExactly(
    body,
    (bytes) => objectIn(bytes, model),
    (json) => rowsOf(body, json as Record<string, unknown>, model),
  );
}

function rowsOf(body: Buffer, value: Record<string, unknown>, model: ServedModel): Rows {
  const shape = isRecord(value, model)
    ? shapeOf(
        true,
        Object.keys(value).some((key) => key.includes(' ')),
      )
    : 'samples';
  const inputs =
    shape === 'samples' ? encoded(samplesOf(value), model, samplesLoc) : encoded([value], model, recordLoc);
  const repeated = repeatedKeyIn(body, value);
  if (!repeated) return { inputs, shape };
  throw invalid(['body', ...repeated], 'duplicate_field', 'The same name is given twice in one object; give it once');
}

function objectIn(body: Buffer, model: ServedModel): Record<string, unknown> {
  if (body.length === 0) throw invalid(['body'], 'missing', 'Field required');
  const value = parsedBody(
    body,
    model.signature.inputs.some(({ optional }) => optional) ? parseJsonWithNaN : parseJson,
  );
  if (isObject(value)) return value;
  throw invalid(['body'], 'dict_type', `Input should be an object with "samples", got ${typeName(value)}`);
}

function isRecord(value: Record<string, unknown>, model: ServedModel): boolean {
  const names = (key: string): boolean => model.layout?.placeOf(key) !== undefined;
  if (Object.hasOwn(value, 'samples') && (Array.isArray(value['samples']) || !names('samples'))) return false;
  return Object.keys(value).some(names);
}

type LocOf = (row: number, field: string | undefined) => readonly (string | number)[];

const samplesLoc: LocOf = (row, field) => {
  if (row === -1) return ['body', 'samples'];
  return ['body', 'samples', row, ...(field === undefined ? [] : [field])];
};
const recordLoc: LocOf = (_, field) => ['body', ...(field === undefined ? [] : [field])];

function encoded(rows: readonly unknown[], model: ServedModel, locOf: LocOf): readonly Tensor[] {
  try {
    return model.encode(rows);
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    const fault = invalid(locOf(error.row, error.field), error.type, error.message);
    throw Object.assign(fault, { cause: error });
  }
}

function samplesOf(value: Record<string, unknown>): readonly unknown[] {
  if (!Object.hasOwn(value, 'samples')) throw invalid(['body', 'samples'], 'missing', 'Field required');
  const extra = Object.keys(value).find((key) => key !== 'samples');
  if (extra !== undefined) {
    throw invalid(['body', extra], 'extra_forbidden', 'Extra inputs are not permitted beside "samples"');
  }
  const { samples } = value;
  if (Array.isArray(samples)) return samples;
  throw invalid(['body', 'samples'], 'list_type', `Input should be a list of objects, got ${typeName(samples)}`);
}

const NO_PROBABILITIES = () =>
  invalid(['query', 'probabilities'], 'value_error', 'The model gives no probabilities; ask without them');

/** Throws 422 for what is no question of ours: to go on as if nothing had been asked would be an answer to another one. */
function wantsProbabilities(query: string): boolean {
  let isWanted = false;
  for (const [name, value] of new URLSearchParams(query)) {
    const loc = ['query', name];
    if (name !== 'probabilities') {
      throw invalid(loc, 'extra_forbidden', 'Unknown query parameter; expected probabilities=true or nothing');
    }
    if (value !== 'true' && value !== 'false') {
      throw invalid(loc, 'bool_parsing', 'Input should be true or false');
    }
    isWanted = value === 'true';
  }
  return isWanted;
}
