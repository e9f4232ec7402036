/** The only module that knows the runtime. Loads by path, asks for tensors only, and hides the runtime's own words. */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { FailureError } from '../failure.ts';
import type { MaybePromise } from './engine.ts';
import { withOutsideWeights } from './onnx/outside-weights.ts';
import { fileBytes } from './onnx/wire.ts';
import { type Rewriting, rewriteFile, type ZipMapPlan } from './onnx/zip-map.ts';
import { TENSOR_TYPES, type Tensor, type TensorSpec, type TensorType } from './tensor.ts';

// It would tell its makers over the network what it is used for, and keep a thread, a database in the home folder and
// 3 MB for that. It reads the process's environment, which another thread cannot change: so it is done here, not later.
process.env['ORT_DISABLE_TELEMETRY'] = '1';

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

/** What the runtime loads. Plain data, so that another thread can be told it. */
export interface ModelSource {
  readonly path: string;
  /** What to change before the runtime sees it; the whole file is then held in memory for a moment. */
  readonly plan?: ZipMapPlan;
  readonly threads: number;
  /** Names under which outputs are known outside, where those are not the graph's own. */
  readonly outputNames?: ReadonlyMap<string, string>;
}

/** Throws InvalidModel when the runtime refuses the file, SignatureMismatch for values it cannot hand over. */
export async function openSession({ path, plan, threads, outputNames }: ModelSource): Promise<Session> {
  const ort = await import('onnxruntime-node');
  ort.env.logLevel = 'error';
  // Either overload takes the same options; the type of the union is not one of them.
  const loaded = await ort.InferenceSession.create(modelFor(path, plan) as string, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    // More threads than work only burn the pod's processor time while they wait.
    extra: {
      session: {
        intra_op: { allow_spinning: threads > 1 ? '0' : '1' },
        model_external_initializers_file_folder_path: dirname(path),
        // Weights laid out anew for the processor would be held beside those in the file.
        ...(isLarge(path) && { disable_prepacking: '1' }),
      },
    },
  }).catch((error: unknown) => {
    throw loadFailure(error);
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
        const tensor = new ort.Tensor(type as 'float32', data as Float32Array, dims);
        if (type === 'float16') asBits(tensor, data as Float16Array);
        feeds[(inputs[i] as TensorSpec).name] = tensor;
      });
      const results = await loaded.run(feeds, names);
      return names.map((name) => results[name] as unknown as Tensor);
    },
    release: () => loaded.release(),
  };
}

/** A larger file is not held twice while it is loaded: its weights stay in it. */
const LARGE_BYTES = 128 * 1024 * 1024;
const isLarge = (path: string): boolean => statSync(path).size > LARGE_BYTES;

/** A path, or the bytes of a model that says less, or something else, than the file. */
function modelFor(path: string, plan: ZipMapPlan | undefined): string | Buffer {
  const rewriting = isLarge(path) ? weightsLeft(path, plan) : plan;
  return rewriting ? rewriteFile(path, rewriting) : path;
}

function weightsLeft(path: string, plan: ZipMapPlan | undefined): Rewriting | undefined {
  const fd = openSync(path, 'r');
  try {
    return withOutsideWeights(fileBytes(fd, fstatSync(fd).size), basename(path), plan) ?? plan;
  } finally {
    closeSync(fd);
  }
}

/** The runtime's native side does not know Float16Array, though its own JavaScript makes one: it is shown the bits. */
function asBits(tensor: object, { buffer, byteOffset, length }: Float16Array): void {
  (tensor as { cpuData: unknown }).cpuData = new Uint16Array(buffer, byteOffset, length);
}

/** ONNX's numbers of element types that the runtime takes and nothing here can hold. */
const UNSERVED_TYPES: ReadonlyMap<string, string> = new Map([
  ['14', 'complex64'],
  ['15', 'complex128'],
  ['16', 'bfloat16'],
  ['17', 'float8'],
  ['18', 'float8'],
  ['19', 'float8'],
  ['20', 'float8'],
]);

function loadFailure(error: unknown): FailureError {
  const message = runtimeMessage(error);
  const type = UNSERVED_TYPES.get(/Unsupported data type: (\d+)/.exec(message)?.[1] ?? '');
  if (type === undefined) {
    return new FailureError('InvalidModel', `the runtime cannot load it: ${message}`, { cause: error });
  }
  return new FailureError(
    'SignatureMismatch',
    `an input or output has type ${type}, which is not served; cast it to float32 inside the model (Cast) and export again`,
    { cause: error },
  );
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
