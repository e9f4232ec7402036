/** What a request of `infer` says, once it has been read. */
import type { Tensor } from '../model/tensor.ts';

export interface WantedOutput {
  /** Of the model's output. */
  readonly index: number;
  readonly isBinary: boolean;
  /** Instead of the tensor, so many of its highest values with place and label. */
  readonly topClasses: number | undefined;
}

export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: readonly Tensor[];
  /** In the order asked for. */
  readonly outputs: readonly WantedOutput[];
}
