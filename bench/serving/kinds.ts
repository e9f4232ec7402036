/** The kinds of request that servers share with us, each with its body and how classes are read from its answer. */
import { z } from 'zod';
import type { Facts } from './models.ts';

export const KINDS = ['predict', 'v2', 'v2-binary', 'v1', 'invocations-split', 'invocations-records'] as const;
export type KindName = (typeof KINDS)[number];

/** As people know them. */
export const KIND_LABELS: Readonly<Record<KindName, string>> = {
  predict: '`/predict`, samples of named features',
  v2: 'Open Inference Protocol V2, JSON',
  'v2-binary': 'Open Inference Protocol V2, binary tensors',
  v1: 'KServe V1, rows as lists',
  'invocations-split': 'MLflow `/invocations`, dataframe_split',
  'invocations-records': 'MLflow `/invocations`, dataframe_records',
};

export interface KindOptions {
  /** The model's name in paths. */
  readonly model: string;
  /** What the server calls the classes in V2. */
  readonly output: string;
}

export interface Kind {
  readonly path: (options: KindOptions) => string;
  readonly encode: (rows: readonly (readonly number[])[], facts: Facts, options: KindOptions) => Encoded;
  /** The class of each row. Throws when the answer has none. */
  readonly classes: (answer: Buffer, headerLength: number | undefined, facts: Facts) => number[];
}

export interface Encoded {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const JSON_HEADERS = { 'content-type': 'application/json' };
const json = (value: unknown): Encoded => ({ body: Buffer.from(JSON.stringify(value)), headers: JSON_HEADERS });
const named = (rows: readonly (readonly number[])[], { features }: Facts) =>
  rows.map((row) => Object.fromEntries(features.map((name, i) => [name, row[i]])));

const Ids = z.object({ class_id: z.array(z.number()) });
const Predictions = z.object({ predictions: z.array(z.union([z.number(), z.string()])) });
const Outputs = z.object({
  outputs: z
    .array(
      z.object({
        data: z.array(z.number()).nullish(),
        datatype: z.string(),
        parameters: z.object({ binary_data_size: z.number().optional() }).nullish(),
      }),
    )
    .min(1),
});

/** By number or by name. */
function predictions(answer: Buffer, _: number | undefined, { labels }: Facts): number[] {
  const found = Predictions.parse(JSON.parse(answer.toString())).predictions;
  return found.map((value) => (typeof value === 'number' ? value : labels.indexOf(value)));
}

function tensor(rows: readonly (readonly number[])[], extra: object): object {
  return { name: 'features', shape: [rows.length, rows[0]?.length ?? 0], datatype: 'FP32', ...extra };
}

function binaryRequest(rows: readonly (readonly number[])[], output: string): Encoded {
  const data = Buffer.from(Float32Array.from(rows.flat()).buffer);
  const head = Buffer.from(
    JSON.stringify({
      inputs: [tensor(rows, { parameters: { binary_data_size: data.length } })],
      outputs: [{ name: output, parameters: { binary_data: true } }],
      parameters: { binary_data_output: true },
    }),
  );
  return {
    body: Buffer.concat([head, data]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.length),
    },
  };
}

function binaryClasses(answer: Buffer, headerLength: number | undefined): number[] {
  if (headerLength === undefined) throw new Error('the answer has no binary tensors');
  const [output] = Outputs.parse(JSON.parse(answer.toString('utf8', 0, headerLength))).outputs;
  const bytes = answer.subarray(headerLength, headerLength + (output?.parameters?.binary_data_size ?? 0));
  if (output?.datatype !== 'INT64') throw new Error(`classes of type ${output?.datatype}`);
  return Array.from({ length: bytes.length / 8 }, (_, i) => Number(bytes.readBigInt64LE(i * 8)));
}

export const REQUEST_KINDS: Readonly<Record<KindName, Kind>> = {
  predict: {
    path: () => '/predict',
    encode: (rows, facts) => json({ samples: named(rows, facts) }),
    classes: (answer) => Ids.parse(JSON.parse(answer.toString())).class_id,
  },
  v2: {
    path: ({ model }) => `/v2/models/${model}/infer`,
    // Only the class is asked for, as the others answer nothing else.
    encode: (rows, _, { output }) =>
      json({ inputs: [tensor(rows, { data: rows.flat() })], outputs: [{ name: output }] }),
    classes: (answer) => Outputs.parse(JSON.parse(answer.toString())).outputs[0]?.data ?? [],
  },
  'v2-binary': {
    path: ({ model }) => `/v2/models/${model}/infer`,
    encode: (rows, _, { output }) => binaryRequest(rows, output),
    classes: binaryClasses,
  },
  v1: {
    path: ({ model }) => `/v1/models/${model}:predict`,
    encode: (rows) => json({ instances: rows }),
    classes: predictions,
  },
  'invocations-split': {
    path: () => '/invocations',
    encode: (rows, { features }) => json({ dataframe_split: { columns: features, data: rows } }),
    classes: predictions,
  },
  'invocations-records': {
    path: () => '/invocations',
    encode: (rows, facts) => json({ dataframe_records: named(rows, facts) }),
    classes: predictions,
  },
};

/** Bodies that differ, so that no server lives of having seen the last one. */
const DISTINCT: Readonly<Record<number, number>> = { 1: 64, 32: 16, 1024: 2 };

/** So many requests of so many rows each, and the class of every row. */
export function requestsOf(kind: Kind, size: number, facts: Facts, options: KindOptions) {
  return Array.from({ length: DISTINCT[size] ?? 1 }, (_, i) => {
    const rows = facts.rows.slice(i * size, (i + 1) * size);
    return { ...kind.encode(rows, facts, options), expected: facts.classes.slice(i * size, (i + 1) * size) };
  });
}
