/** What the process that answers requests and the one that proves a compiled model to be equal say to each other. */
import type { Proven, ReadModel } from '../compiled/compile.ts';
import type { ModelSource } from '../session.ts';
import type { TensorSpec } from '../tensor.ts';
import type { TensorRules } from '../tensor-rules.ts';
import type { SentTensor } from './messages.ts';

/** `open` comes first, and once; `prove` comes last. */
export type ProofOrder =
  | { readonly kind: 'open'; readonly source: ModelSource }
  | { readonly kind: 'run'; readonly inputs: readonly SentTensor[] }
  | { readonly kind: 'prove'; readonly rules: readonly TensorRules[]; readonly given: readonly SentTensor[] };

/** Each is the answer to the order before it. */
export type ProofReport =
  | { readonly kind: 'opened'; readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] }
  | { readonly kind: 'done'; readonly outputs: readonly SentTensor[] }
  | { readonly kind: 'proven'; readonly model: ReadModel; readonly proven: ProvenApart }
  /** The model is the runtime's, and why. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/** What was found out of a model; whoever hears it makes the scorer from the model himself. */
export type ProvenApart = Omit<Proven, 'score'>;
