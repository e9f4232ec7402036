/** The only module that knows the runtime. Loads by path, asks for tensors only, and hides the runtime's own words. */
import { FailureError } from '../failure.ts';
import type { MaybePromise } from './engine.ts';
import { TENSOR_TYPES, type Tensor, type TensorSpec, type TensorType } from './tensor.ts';

/**
 * A loaded model. `run` blocks the event loop while it computes and answers in the order of `outputs`: at once where
 * the model is compiled. It throws or rejects.
 */
export interface Session {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  run(inputs: readonly Tensor[]): MaybePromise<readonly Tensor[]>;
  release(): Promise<void>;
}

interface Metadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

/** What the runtime loads: a file by its path, or a model in memory, whose weights are then held twice for a moment. */
export interface ModelSource {
  readonly model: string | Buffer;
  readonly threads: number;
  /** Names under which outputs are known outside, where those are not the graph's own. */
  readonly outputNames?: ReadonlyMap<string, string>;
}

/** Throws InvalidModel when the runtime refuses the file, SignatureMismatch for values it cannot hand over. */
export async function openSession({ model, threads, outputNames }: ModelSource): Promise<Session> {
  const ort = await import('onnxruntime-node');
  ort.env.logLevel = 'error';
  // Either overload takes the same options; the type of the union is not one of them.
  const loaded = await ort.InferenceSession.create(model as string, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    // More threads than work only burn the pod's processor time while they wait.
    extra: { session: { intra_op: { allow_spinning: threads > 1 ? '0' : '1' } } },
  }).catch((error: unknown) => {
    throw new FailureError('InvalidModel', `the runtime cannot load it: ${runtimeMessage(error)}`, { cause: error });
  });
  const inputs = loaded.inputMetadata.map((metadata) => specOf(metadata, 'input'));
  const outputs = loaded.outputMetadata.map((metadata) => specOf(metadata, 'output'));
  const names = outputs.map(({ name }) => name);
  return {
    inputs,
    outputs: outputs.map((spec) => ({ ...spec, name: outputNames?.get(spec.name) ?? spec.name })),
    run: async (tensors) => {
      const feeds: Record<string, InstanceType<typeof ort.Tensor>> = {};
      tensors.forEach(({ type, data, dims }, i) => {
        feeds[(inputs[i] as TensorSpec).name] = new ort.Tensor(type as 'float32', data as Float32Array, dims);
      });
      const results = await loaded.run(feeds, names);
      return names.map((name) => results[name] as unknown as Tensor);
    },
    release: () => loaded.release(),
  };
}

function specOf(metadata: Metadata, role: 'input' | 'output'): TensorSpec {
  if (!metadata.isTensor) {
    throw new FailureError(
      'UnsupportedOperator',
      `${role} ${metadata.name} is not a tensor (a map or a sequence); export the model with tensors only`,
    );
  }
  const type = TENSOR_TYPES.find((known) => known === metadata.type) as TensorType | undefined;
  if (!type) {
    throw new FailureError(
      'SignatureMismatch',
      `${role} ${metadata.name} has type ${metadata.type}, which is not served`,
    );
  }
  return { name: metadata.name, type, dims: (metadata.shape ?? []).map((dim) => (typeof dim === 'number' ? dim : -1)) };
}

/** The runtime's message without the paths of its build and of this container; one line, at most 300 characters. */
export function runtimeMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .split('\n', 1)[0]!
    .slice(0, 2000)
    .replace(/(?:\/[\w.+@-]+){2,}(?::\d+)?/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}
