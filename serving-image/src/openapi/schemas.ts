/** JSON Schemas (2020-12, the dialect of OpenAPI 3.1) of what the model takes and of what the protocols answer. */
import type { ColumnType } from '@slipway/contract';
import { cut } from '../model/cut.ts';
import type { DescribedColumn, ModelFacts } from './facts.ts';

export type Json = Record<string, unknown>;

export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
export const listOf = (items: Json, description?: string): Json => ({
  type: 'array',
  items,
  ...(description && { description }),
});
export const objectOf = (properties: Json, required: readonly string[] = Object.keys(properties)): Json => ({
  type: 'object',
  properties,
  required: [...required],
});
const text = (description: string): Json => ({ type: 'string', description });

const TYPES: Readonly<Record<ColumnType, Json>> = {
  float32: { type: 'number', format: 'float' },
  float64: { type: 'number', format: 'double' },
  int32: { type: 'integer', format: 'int32', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  // Its ends are no numbers most readers of JSON could hold.
  int64: { type: 'integer', format: 'int64' },
  string: { type: 'string' },
  bool: { type: 'boolean' },
};

/** What one value of the column may be. */
export function valueSchema({ type, optional, categories, range }: DescribedColumn): Json {
  const { type: plain, ...rest } = TYPES[type];
  const isNullable = optional === true;
  const notes = [
    ...(range ? [`Between ${range[0]} and ${range[1]} when the model was trained.`] : []),
    ...(isNullable ? ['May be left out or null.'] : []),
  ];
  return {
    type: isNullable ? [plain, 'null'] : plain,
    ...rest,
    ...(categories && type === 'string' && { enum: [...categories, ...(isNullable ? [null] : [])] }),
    ...(notes.length > 0 && { description: notes.join(' ') }),
  };
}

/** A name as somebody would write it who puts spaces where ours has underscores; it means the same column. */
export const spacedName = (name: string): string => name.replaceAll('_', ' ');

/** A row by the names of its columns, as `rename` writes them. */
export const rowSchema = (columns: readonly DescribedColumn[], rename: (name: string) => string = String): Json => ({
  type: 'object',
  properties: Object.fromEntries(columns.map((column) => [rename(column.name), valueSchema(column)])),
  required: columns.filter(({ optional }) => !optional).map(({ name }) => rename(name)),
});

function positionalSchema(columns: readonly DescribedColumn[]): Json {
  const values = columns.map(valueSchema);
  const names = columns.map(({ name }) => name).join(', ');
  const description = `In this order: ${cut(names, 400, '...')}.`;
  return { type: 'array', description, prefixItems: values, minItems: values.length, maxItems: values.length };
}

const PREDICTIONS: Json = {
  type: 'array',
  description: 'One for each row: a class id (its name where the model gives names), a value, or probabilities.',
  items: { type: ['number', 'string', 'array'] },
};

const TENSOR_JSON = objectOf({
  name: { type: 'string' },
  shape: listOf({ type: 'integer', minimum: 0 }),
  datatype: {
    type: 'string',
    enum: [
      ...['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'],
      ...['FP16', 'FP32', 'FP64', 'BYTES'],
    ],
  },
  data: { type: 'array', description: 'Flat or nested, row by row.', items: true },
});

const TENSOR_SPEC = objectOf({
  name: { type: 'string' },
  datatype: { type: 'string' },
  shape: listOf({ type: 'integer' }, '-1: any size.'),
});

const VERSION = objectOf({
  model_name: { type: 'string' },
  version: { type: 'string' },
  model_uri: { type: 'string' },
  model_loaded: { type: 'boolean' },
});

const RUN = objectOf(
  {
    status: { type: 'string', enum: ['RUNNING', 'FINISHED', 'FAILED'] },
    run_id: { type: 'string' },
    version: { type: 'integer', description: 'The version the run published.' },
    metrics: { type: 'object', additionalProperties: { type: ['number', 'null'] } },
    location: text('Where to look again while it runs.'),
  },
  ['status', 'run_id'],
);

const HEALTH = objectOf(
  {
    status: { type: 'string', enum: ['ok', 'loading', 'draining'] },
    model_name: { type: 'string' },
    model_version: { type: 'string' },
    version: { type: 'string' },
    model_uri: { type: 'string' },
    model_loaded: { type: 'boolean' },
    sha256: text('The digest of the files that are served.'),
    engine: { type: 'string', enum: ['compiled', 'onnxruntime', 'onnxruntime-worker'] },
    engine_reason: { type: 'string' },
    uptime_seconds: { type: 'integer' },
    tracking: { type: 'string', enum: ['ok', 'unavailable', 'disabled'] },
  },
  [
    'status',
    'model_name',
    'model_version',
    'version',
    'model_uri',
    'model_loaded',
    'sha256',
    'uptime_seconds',
    'tracking',
  ],
);

const DETAIL_ERROR = objectOf({
  detail: {
    anyOf: [
      text('What is wrong.'),
      listOf(
        objectOf({
          loc: listOf({ type: ['string', 'integer'] }, 'Where it stands in the body.'),
          msg: { type: 'string' },
          type: { type: 'string' },
        }),
        'The first fault of the body.',
      ),
    ],
  },
});

/** Everything the paths refer to. */
export const componentSchemas = ({ columns }: ModelFacts): Json => ({
  Row: { ...rowSchema(columns), description: 'One row by the names of its features.' },
  Record: {
    ...rowSchema(columns),
    description: 'One row by the names of its columns; what the model does not take is ignored.',
  },
  PositionalRow: positionalSchema(columns),
  Rows: {
    description: 'Rows by position or by name, or a dictionary of columns.',
    anyOf: [
      listOf({
        anyOf: [
          ref('PositionalRow'),
          ref('Record'),
          ...(columns.length === 1 ? [valueSchema(columns[0] as DescribedColumn)] : []),
        ],
      }),
      {
        type: 'object',
        properties: Object.fromEntries(columns.map((column) => [column.name, listOf(valueSchema(column))])),
      },
    ],
  },
  Predictions: objectOf({ predictions: PREDICTIONS }),
  InferRequest: objectOf(
    {
      id: { type: 'string' },
      inputs: listOf(ref('InferTensor')),
      outputs: listOf(objectOf({ name: { type: 'string' } }), 'Those that are wanted; absent: all.'),
      parameters: { type: 'object' },
    },
    ['inputs'],
  ),
  InferResponse: objectOf(
    {
      model_name: { type: 'string' },
      model_version: { type: 'string' },
      id: { type: 'string' },
      outputs: listOf(ref('InferTensor')),
    },
    ['model_name', 'model_version', 'outputs'],
  ),
  InferTensor: TENSOR_JSON,
  ModelMetadata: objectOf({
    name: { type: 'string' },
    versions: listOf({ type: 'string' }),
    platform: { type: 'string' },
    inputs: listOf(TENSOR_SPEC),
    outputs: listOf(TENSOR_SPEC),
  }),
  Version: VERSION,
  Run: RUN,
  Health: HEALTH,
  DetailError: DETAIL_ERROR,
  MLflowError: objectOf({ error_code: { type: 'string' }, message: { type: 'string' } }),
  Error: objectOf({ error: { type: 'string' } }),
});
