/** The signature of a model that was brought without one: what its tensors say, and the names MLflow wrote down. */
import type { ColumnType, InputColumn, ModelSignature, OutputColumn } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import { bindInputs } from './binding.ts';
import type { MLmodelColumn } from './mlmodel.ts';
import type { TensorSpec, TensorType } from './tensor.ts';

const COLUMN_TYPES: Readonly<Partial<Record<TensorType, ColumnType>>> = {
  // Columns know no half precision: what they hold is rounded when the tensor is filled.
  float16: 'float32',
  float32: 'float32',
  float64: 'float64',
  int64: 'int64',
  uint64: 'int64',
  int32: 'int32',
  uint32: 'int64',
  int16: 'int32',
  uint16: 'int32',
  int8: 'int32',
  uint8: 'int32',
  string: 'string',
  bool: 'bool',
};
const MAX_COLUMNS = 1024;

const columnType = (type: TensorType): ColumnType => COLUMN_TYPES[type] as ColumnType;

/** What else is known of a model than its tensors. */
export interface Hints {
  /** The columns of MLflow's signature. */
  readonly columns?: readonly MLmodelColumn[];
  /** Class names by output. */
  readonly labels?: ReadonlyMap<string, readonly string[]>;
}

/** The model's columns and outputs. Throws SignatureMismatch when neither the tensors nor MLflow tell the columns. */
export function deriveSignature(
  inputs: readonly TensorSpec[],
  outputs: readonly TensorSpec[],
  { columns, labels }: Hints = {},
): ModelSignature {
  const described = outputs.map(({ name, type }): OutputColumn => {
    const names = servable(labels?.get(name));
    return { name, type: columnType(type), ...(names && { labels: names }) };
  });
  const named = columns && columnsByMLflow(columns, inputs, described);
  return { inputs: named ?? columnsByTensors(inputs), outputs: described };
}

/** A signature holds so many class names of such a length; a model with more answers without them. */
const servable = (labels: readonly string[] | undefined): string[] | undefined =>
  labels && labels.length > 0 && labels.length <= 1024 && labels.every(({ length }) => length <= 256)
    ? [...labels]
    : undefined;

const MLFLOW_TYPES: Readonly<Record<string, ColumnType>> = {
  boolean: 'bool',
  integer: 'int32',
  long: 'int64',
  float: 'float32',
  double: 'float64',
  string: 'string',
};

/** MLflow's columns, where all of them can be handed to the model's inputs; undefined otherwise. */
function columnsByMLflow(
  columns: readonly MLmodelColumn[],
  inputs: readonly TensorSpec[],
  outputs: ModelSignature['outputs'],
): InputColumn[] | undefined {
  const typed = columns.flatMap(({ name, type }): InputColumn[] => {
    const known = Object.hasOwn(MLFLOW_TYPES, type) ? MLFLOW_TYPES[type] : undefined;
    return known && name.length <= 256 ? [{ name, type: known }] : [];
  });
  if (typed.length !== columns.length || typed.length > MAX_COLUMNS) return undefined;
  try {
    bindInputs({ inputs: typed, outputs }, inputs);
    return typed;
  } catch (error) {
    if (error instanceof FailureError) return undefined;
    throw error;
  }
}

/** A matrix input `x` of width 3 becomes the columns x_0, x_1, x_2. Throws SignatureMismatch when shapes do not tell. */
function columnsByTensors(inputs: readonly TensorSpec[]): InputColumn[] {
  const [only, another] = inputs;
  return only && another === undefined && only.dims.length === 2 && only.dims[1] !== 1
    ? matrixColumns(only)
    : inputs.map(singleColumn);
}

function matrixColumns({ name, type, dims }: TensorSpec): InputColumn[] {
  const width = dims[1] as number;
  if (width < 1 || width > MAX_COLUMNS) {
    const got = width === -1 ? 'is open' : `is ${width}`;
    throw mismatch(`the width of input ${name} ${got}, expected 1 to ${MAX_COLUMNS}`);
  }
  return Array.from({ length: width }, (_, i) => ({ name: `${name}_${i}`, type: columnType(type) }));
}

function singleColumn({ name, type, dims }: TensorSpec): InputColumn {
  if (dims.length === 1 || (dims.length === 2 && dims[1] === 1)) return { name, type: columnType(type) };
  throw mismatch(`input ${name} has ${dims.length} dimensions, expected one matrix [N,width] or columns [N] or [N,1]`);
}

const mismatch = (message: string): FailureError =>
  new FailureError(
    'SignatureMismatch',
    `the model has no signature that fits and none can be derived: ${message}; add a signature.json beside the model`,
  );
