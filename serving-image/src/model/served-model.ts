/** A model as the protocols see it: rows or tensors in, predictions or tensors out. */
import type { ModelSignature } from '@slipway/contract';
import { createBatcher, createDirect } from './batcher.ts';
import type { InputLayout } from './binding.ts';
import { type EngineName, type MaybePromise, whenThere } from './engine.ts';
import type { LoadedModel } from './load.ts';
import type { ReadOutputs } from './outputs.ts';
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

/** What went into the model and what came out, in the order of its inputs and outputs; the first dimension counts rows. */
export interface Scored {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

export interface ServedModel {
  readonly identity: ModelIdentity;
  readonly signature: ModelSignature;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** In the order of `inputs`: which of their values may be missing, and which texts are known. */
  readonly rules: readonly TensorRules[];
  readonly maxRows: number;
  readonly engine: EngineName;
  /** Why this engine, for people. */
  readonly engineReason: string;
  /** Where each named value goes, for readers that fill the tensors themselves; absent: `encode` is the only way. */
  readonly layout?: InputLayout;
  /** So many rows may be asked for at once; `encode` says what is wrong with another number. */
  takesRows?(rows: number): boolean;
  /** Rows of named values as the model's inputs. Throws RowError for the first that is wrong, or for their number. */
  encode(rows: readonly unknown[]): readonly Tensor[];
  /** What `encode` made, run. Throws or rejects with OverloadedError, NonFiniteOutputError. */
  score(inputs: readonly Tensor[]): MaybePromise<Scored>;
  /** Tensors in the order of `inputs`, whose types and shapes the caller has checked. Fails as `score` does. */
  scoreTensors(inputs: readonly Tensor[]): MaybePromise<Scored>;
  /** What outputs of this model mean. */
  readonly read: ReadOutputs;
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
  const queue = { maxQueued: limits.maxQueued, ...(limits.onRun && { onRun: limits.onRun }) };
  const coalesce = loaded.canCoalesce && rowsAreOpen(session.inputs);
  const batcher =
    loaded.engine === 'compiled'
      ? createDirect(session, queue)
      : createBatcher(session, { ...queue, coalesce, maxRows: MAX_SHARED_ROWS });
  const size = fixedRows(session.inputs);
  const scored = (inputs: readonly Tensor[], outputs: readonly Tensor[]): Scored => {
    for (let i = 0; i < outputs.length; i++) {
      if (firstNonFinite(outputs[i] as Tensor) === -1) continue;
      throw new NonFiniteOutputError(`output ${session.outputs[i]?.name} is not finite`);
    }
    return { inputs, outputs };
  };
  return {
    identity,
    signature,
    inputs: session.inputs,
    outputs: session.outputs,
    rules: tensorRules(signature, session.inputs),
    maxRows: limits.maxRows,
    engine: loaded.engine,
    engineReason: loaded.engineReason,
    ...(encode.layout && { layout: encode.layout }),
    takesRows: (rows) => rows > 0 && rows <= limits.maxRows && (size === undefined || rows % size === 0),
    encode: (rows) => {
      checkRowCount(rows.length, limits.maxRows, size);
      return encode(rows);
    },
    score: (inputs) =>
      whenThere(size === undefined ? batcher.run(inputs) : runInParts(batcher.run, inputs, size), (outputs) =>
        scored(inputs, outputs),
      ),
    scoreTensors: (inputs) => whenThere(batcher.run(inputs), (outputs) => scored(inputs, outputs)),
    read,
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
