import type { Encoding, FeatureColumn, FittedModel } from '../model.ts';

export interface ModelToEncode {
  readonly model: FittedModel;
  /** With their values: where linear models are centred and scaled by them, so that float32 loses no digits. */
  readonly features: readonly FeatureColumn[];
  /** Of the design the model was fitted to, in its order. */
  readonly encodings: readonly Encoding[];
}

/**
 * The model and the encoding of its features as an ONNX file; same model, same bytes. Inputs: `features` float [N,d] when
 * all features are numbers, else one input for every feature under its name, float or string [N,1]. Outputs: `label`
 * int64 [N] and `probabilities` float [N,classes], or `prediction` float [N,1].
 */
export function encodeModel(_: ModelToEncode): Uint8Array {
  throw new Error('not written yet');
}
