/** A model as the protocols see it: rows or tensors in, predictions or tensors out. */
import type { ModelSignature } from '@slipway/contract';
import { createBatcher } from './batcher.ts';
import type { LoadedModel } from './load.ts';
import type { Prediction } from './outputs.ts';
import { RowError } from './row-error.ts';
import { fixedRows, rowsAreOpen, runInParts } from './rows.ts';
import { firstNonFinite, type Tensor, type TensorSpec } from './tensor.ts';
import { type TensorRules, tensorRules } from './tensor-rules.ts';

/** The model gave NaN or infinity: no answer is better than a wrong one. */
export class NonFiniteOutputError extends Error {
  override readonly name = 'NonFiniteOutputError';
}

export interface ModelIdentity {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
}

export interface ServedModel {
  readonly identity: ModelIdentity;
  readonly signature: ModelSignature;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** In the order of `inputs`: which of their values may be missing, and which texts are known. */
  readonly rules: readonly TensorRules[];
  readonly maxRows: number;
  /** Throws RowError for bad rows, OverloadedError, NonFiniteOutputError. */
  predict(rows: readonly unknown[]): Promise<Prediction>;
  /** Tensors in the order of `inputs`, whose types and shapes the caller has checked. Throws as `predict` does. */
  infer(inputs: readonly Tensor[]): Promise<readonly Tensor[]>;
  queued(): number;
  release(): Promise<void>;
}

export interface ServingLimits {
  readonly maxRows: number;
  readonly maxQueued: number;
  readonly onRun?: (requests: number, rows: number) => void;
}

/** Requests of one turn of the event loop share runs of up to this many rows. */
const MAX_SHARED_ROWS = 64;

export function serveModel(identity: ModelIdentity, loaded: LoadedModel, limits: ServingLimits): ServedModel {
  const { session, signature, encode, read } = loaded;
  const batcher = createBatcher(session, {
    coalesce: loaded.canCoalesce && rowsAreOpen(session.inputs),
    maxRows: MAX_SHARED_ROWS,
    maxQueued: limits.maxQueued,
    ...(limits.onRun && { onRun: limits.onRun }),
  });
  const size = fixedRows(session.inputs);
  const infer = async (inputs: readonly Tensor[]): Promise<readonly Tensor[]> => {
    const outputs = await batcher.run(inputs);
    const bad = outputs.findIndex((output) => firstNonFinite(output) !== -1);
    if (bad !== -1) throw new NonFiniteOutputError(`output ${session.outputs[bad]?.name} is not finite`);
    return outputs;
  };
  const predict = async (rows: readonly unknown[]): Promise<Prediction> => {
    checkRowCount(rows.length, limits.maxRows, size);
    const inputs = encode(rows);
    return read(size === undefined ? await infer(inputs) : await runInParts(infer, inputs, size));
  };
  return {
    identity,
    signature,
    inputs: session.inputs,
    outputs: session.outputs,
    rules: tensorRules(signature, session.inputs),
    maxRows: limits.maxRows,
    predict,
    infer,
    queued: batcher.queued,
    release: session.release,
  };
}

function checkRowCount(rows: number, most: number, size: number | undefined): void {
  if (rows === 0) throw new RowError(-1, undefined, 'too_short', 'List should have at least 1 item, got 0');
  if (rows > most) throw new RowError(-1, undefined, 'too_long', `List should have at most ${most} items, got ${rows}`);
  if (size === undefined || rows % size === 0) return;
  throw new RowError(-1, undefined, 'value_error', `The model takes rows in groups of ${size}, got ${rows}`);
}
