/** What the thread that answers requests and the thread that computes the model say to each other. */
import { isMainThread, workerData } from 'node:worker_threads';
import type { FailureReason } from '@slipway/contract';
import type { ReadModel } from '../compiled/compile.ts';
import type { ModelSummary } from '../onnx/inspect.ts';
import type { ZipMapPlan } from '../onnx/zip-map.ts';
import type { ModelSource } from '../session.ts';
import { type Tensor, type TensorSpec, type TensorType, viewOf } from '../tensor.ts';

/** What the second thread is started with: a model to compute, a file to look through, or one to read for the compiler. */
export type ThreadData =
  | { readonly modelHost: ModelSource }
  | { readonly modelFile: string }
  | { readonly toCompile: { readonly path: string; readonly zipMaps: ZipMapPlan | undefined } };

const WORK = ['modelHost', 'modelFile', 'toCompile'];

/** True in the thread that works on a model: the program then has nothing else to do. */
export const isModelHost = (): boolean => !isMainThread && WORK.some((work) => work in Object(workerData));

export type Order =
  | { readonly kind: 'run'; readonly id: number; readonly inputs: readonly SentTensor[] }
  | { readonly kind: 'stop' };

export type Report =
  | { readonly kind: 'opened'; readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] }
  | { readonly kind: 'inspected'; readonly summary: ModelSummary }
  | { readonly kind: 'read'; readonly model: ReadModel }
  | { readonly kind: 'refused'; readonly reason: FailureReason; readonly message: string }
  | { readonly kind: 'done'; readonly id: number; readonly outputs: readonly SentTensor[] }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

/** A tensor on its way: numbers as bytes of their own, which change hands. */
export interface SentTensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly data: ArrayBuffer | string[];
}

/**
 * Numbers are copied once, for the sender may still need them and they may be a small part of a large body. `transfer`
 * is what changes hands with the message.
 */
export function packTensors(tensors: readonly Tensor[]): { sent: SentTensor[]; transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = [];
  const sent = tensors.map(({ type, dims, data }): SentTensor => {
    if (Array.isArray(data)) return { type, dims: [...dims], data };
    const copy = data.slice().buffer as ArrayBuffer;
    transfer.push(copy);
    return { type, dims: [...dims], data: copy };
  });
  return { sent, transfer };
}

export const unpackTensors = (sent: readonly SentTensor[]): Tensor[] =>
  sent.map(({ type, dims, data }) =>
    type === 'string' || Array.isArray(data)
      ? { type, dims, data: data as string[] }
      : { type, dims, data: viewOf(type, new Uint8Array(data)) },
  );
