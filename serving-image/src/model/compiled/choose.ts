/** Whether a loaded model is computed by its compiled scorer, and what is then left of the runtime. */
import type { EngineChoice } from '@slipway/contract';
import { FailureError } from '../../failure.ts';
import type { ZipMapPlan } from '../onnx/zip-map.ts';
import { fixedRows } from '../rows.ts';
import type { Session } from '../session.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorRules } from '../tensor-rules.ts';
import { compilePath } from '../worker/reading-model.ts';
import { isRefusal, type Proven, proveAndMeasure } from './compile.ts';
import { DiffersError } from './proof.ts';

export interface ToCompile {
  readonly path: string;
  readonly zipMaps: ZipMapPlan | undefined;
  /** The runtime's, with the model loaded; given back (released) here when it is not needed any more. */
  readonly session: Session;
  readonly rules: readonly TensorRules[];
  /** Real rows: examples and probes. */
  readonly given: readonly Tensor[];
}

export interface CompiledSession {
  /** Answers at once; for more rows than it is good for through the runtime. */
  readonly session: Session;
  readonly reason: string;
  /** What a row of a small request takes. */
  readonly microsPerRow: number;
}

/** Why a model that could be compiled is not, for people. */
export const RUNTIME_IS_FASTER = 'onnxruntime is faster for this model';

/** A scorer, or why the runtime computes. */
export type Choice = { readonly compiled: CompiledSession } | { readonly refused: string };

/**
 * Compiles the model, proves it equal to the runtime and measures both. With `compiled` asked for, throws FailureError
 * (UnsupportedOperator, ParityFailed) where that does not work; with `onnxruntime` nothing is tried.
 */
export async function chooseCompiled(choice: EngineChoice, model: ToCompile): Promise<Choice> {
  if (choice === 'onnxruntime') return { refused: 'engine onnxruntime was asked for, so nothing was compiled' };
  try {
    const proven = await tryCompiling(model);
    const isForced = choice === 'compiled';
    if (proven.mostRows < 1 && !isForced) return { refused: RUNTIME_IS_FASTER };
    return { compiled: await sessionOf(proven, model.session, isForced) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const why = error instanceof DiffersError ? `compiled it is not the same: ${error.message}` : error.message;
    if (choice === 'compiled') throw forcedFailure(error, why);
    return { refused: why };
  }
}

async function tryCompiling({ path, zipMaps, session, rules, given }: ToCompile): Promise<Proven> {
  const compiled = await compilePath(path, zipMaps);
  const { outputs, inputs } = session;
  return proveAndMeasure(compiled, session, { rules, given, outputs, size: fixedRows(inputs) });
}

const forcedFailure = (error: Error, why: string): FailureError =>
  new FailureError(
    error instanceof DiffersError ? 'ParityFailed' : 'UnsupportedOperator',
    `engine is "compiled", which this model cannot be: ${why}; set engine (spec.engine) to auto or onnxruntime`,
    { cause: error },
  );

async function sessionOf(
  { score, mostRows, reason, microsPerRow }: Proven,
  runtime: Session,
  isForced: boolean,
): Promise<CompiledSession> {
  const { inputs, outputs } = runtime;
  if (isForced || mostRows === Number.POSITIVE_INFINITY) {
    await runtime.release();
    return { session: { inputs, outputs, run: score, release: async () => undefined }, reason, microsPerRow };
  }
  return {
    session: {
      inputs,
      outputs,
      run: (tensors) => ((tensors[0]?.dims[0] ?? 0) > mostRows ? runtime.run(tensors) : score(tensors)),
      release: () => runtime.release(),
    },
    reason: `${reason}; requests of more than ${mostRows} rows are left to onnxruntime`,
    microsPerRow,
  };
}
