/** Bodies a client may send as they stand, each with what the server really answers to it. */

import type { ServedModel } from '../model/served-model.ts';
import { invocationsProtocol } from '../protocols/invocations.ts';
import { kserveV1Protocol } from '../protocols/kserve-v1.ts';
import { openInferenceProtocol } from '../protocols/open-inference.ts';
import { predictProtocol } from '../protocols/predict.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { writeTensor } from '../protocols/tensor-json.ts';
import { Refusal } from '../request/refusal.ts';
import type { ModelFacts, Row } from './facts.ts';
import { spacedName } from './schemas.ts';

export interface Example {
  readonly summary: string;
  readonly contentType: string;
  /** A JSON value, or a text. */
  readonly body: unknown;
  /** What is answered. */
  readonly answer: unknown;
}

/** By name. */
export type Examples = Readonly<Record<string, Example>>;

interface Sent {
  readonly summary: string;
  readonly body: unknown;
  readonly contentType?: string;
}

/** Sends each body to the protocol; one the model does not take is left out. */
async function answered(
  protocol: Protocol,
  path: string,
  model: ServedModel,
  sent: Readonly<Record<string, Sent>>,
): Promise<Examples> {
  const examples: Record<string, Example> = {};
  for (const [name, { summary, body, contentType = 'application/json' }] of Object.entries(sent)) {
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const headers = { 'content-type': contentType, 'content-length': String(bytes.length) };
    try {
      const answer = await protocol.answer({ path, query: '', headers, body: bytes }, model);
      examples[name] = { summary, contentType, body, answer: JSON.parse(answer.body.toString()) };
    } catch {
      // Such a model has no example of this form.
    }
  }
  return examples;
}

/** What is said of a body without the first column of its first row; undefined where the model does not mind. */
async function refused(
  protocol: Protocol,
  path: string,
  model: ServedModel,
  bodyOf: (rows: readonly Row[]) => unknown,
  { columns, rows }: ModelFacts,
): Promise<unknown> {
  const needed = columns.find(({ optional }) => !optional)?.name;
  const broken = rows.map((row, i) =>
    i > 0 ? row : Object.fromEntries(Object.entries(row).filter(([name]) => name !== needed)),
  );
  const body = Buffer.from(JSON.stringify(bodyOf(broken)));
  try {
    await protocol.answer({ path, query: '', headers: { 'content-type': 'application/json' }, body }, model);
    return undefined;
  } catch (error) {
    return error instanceof Refusal ? JSON.parse(protocol.refuse(error)) : undefined;
  }
}

/** How `POST /predict` says what is wrong. */
export const predictRefusal = (model: ServedModel, facts: ModelFacts): Promise<unknown> =>
  refused(predictProtocol, '/predict', model, (rows) => ({ samples: rows }), facts);
/** How `POST /invocations` says it. */
export const invocationsRefusal = (model: ServedModel, facts: ModelFacts): Promise<unknown> =>
  refused(invocationsProtocol, '/invocations', model, (rows) => ({ dataframe_records: rows }), facts);
/** How KServe V1 says it. */
export const kserveV1Refusal = (model: ServedModel, facts: ModelFacts, path: string): Promise<unknown> =>
  refused(kserveV1Protocol, path, model, (rows) => ({ instances: rows }), facts);

const renamed = (row: Row, rename: (name: string) => string): Row =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [rename(name), value]));

/** `POST /predict` in its forms. */
export function predictExamples(model: ServedModel, { columns, rows }: ModelFacts): Promise<Examples> {
  const [first] = rows;
  if (!first) return Promise.resolve({});
  const isSpaced = columns.some(({ name }) => spacedName(name) !== name);
  return answered(predictProtocol, '/predict', model, {
    samples: { summary: 'Several rows by the names of their features', body: { samples: rows } },
    record: { summary: 'One row by the names of its features', body: first },
    ...(isSpaced && {
      spaced: { summary: 'One row, its names with spaces', body: renamed(first, spacedName) },
    }),
  });
}

const positional = ({ columns, rows }: ModelFacts): unknown[][] =>
  rows.map((row) => columns.map(({ name }) => row[name] ?? null));

/** `POST /invocations` in its forms. */
export function invocationsExamples(model: ServedModel, facts: ModelFacts): Promise<Examples> {
  const { columns, rows } = facts;
  if (rows.length === 0) return Promise.resolve({});
  const names = columns.map(({ name }) => name);
  const table = positional(facts);
  const byColumn = Object.fromEntries(names.map((name, i) => [name, table.map((row) => row[i])]));
  return answered(invocationsProtocol, '/invocations', model, {
    dataframe_split: {
      summary: 'A table: the columns, then the rows',
      body: { dataframe_split: { columns: names, data: table } },
    },
    dataframe_records: { summary: 'Records', body: { dataframe_records: rows } },
    instances: { summary: 'Rows by position', body: { instances: table } },
    inputs: { summary: 'Columns', body: { inputs: byColumn } },
    probabilities: {
      summary: 'Probabilities instead of classes',
      body: { inputs: table, params: { probabilities: true } },
    },
    csv: { summary: 'A table as text', body: csvOf([names, ...table]), contentType: 'text/csv' },
  });
}

const csvOf = (lines: readonly (readonly unknown[])[]): string =>
  lines.map((cells) => `${cells.map(csvCell).join(',')}\n`).join('');

function csvCell(value: unknown): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** KServe V1's `:predict`. */
export function kserveV1Examples(model: ServedModel, facts: ModelFacts, path: string): Promise<Examples> {
  if (facts.rows.length === 0) return Promise.resolve({});
  return answered(kserveV1Protocol, path, model, {
    instances: { summary: 'Rows by position', body: { instances: positional(facts) } },
    records: { summary: 'Rows by the names of their columns', body: { instances: facts.rows } },
  });
}

/** Open Inference Protocol's `infer`. */
export async function inferExamples(model: ServedModel, { rows }: ModelFacts, path: string): Promise<Examples> {
  if (rows.length === 0) return {};
  try {
    const tensors = model.encode(rows);
    const texts = tensors.map((tensor, i) => writeTensor(JSON.stringify(model.inputs[i]?.name ?? ''), tensor));
    // Missing numbers are NaN in a tensor and null in JSON.
    const inputs = texts.map((json) => JSON.parse(json.replace(/\bNaN\b/g, 'null')) as unknown);
    return await answered(openInferenceProtocol, path, model, {
      tensors: { summary: 'The input tensors', body: { id: 'request-1', inputs } },
    });
  } catch {
    return {};
  }
}
