/** The signature of a model that was brought without one: what its tensors say, and no more. */
import type { ColumnType, InputColumn, ModelSignature } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import type { TensorSpec, TensorType } from './tensor.ts';

const COLUMN_TYPES: Readonly<Partial<Record<TensorType, ColumnType>>> = {
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

/** A matrix input `x` of width 3 becomes the columns x_0, x_1, x_2. Throws SignatureMismatch when shapes do not tell. */
export function deriveSignature(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): ModelSignature {
  const [only, another] = inputs;
  const columns =
    only && another === undefined && only.dims.length === 2 && only.dims[1] !== 1
      ? matrixColumns(only)
      : inputs.map(singleColumn);
  return { inputs: columns, outputs: outputs.map(({ name, type }) => ({ name, type: columnType(type) })) };
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
    `the model has no signature.json and none can be derived: ${message}; add a signature.json beside the model`,
  );
