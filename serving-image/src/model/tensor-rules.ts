/** What the signature says of single values of an input tensor: for clients that send tensors instead of named columns. */
import type { InputColumn, ModelSignature } from '@slipway/contract';
import { inputIndex, isMatrix } from './binding.ts';
import type { TensorSpec } from './tensor.ts';

/** By place within one row of a tensor. */
export interface ValueRule {
  readonly isOptional: boolean;
  /** The texts the model knows; undefined: any. */
  readonly known: ReadonlySet<string> | undefined;
}

/** The rules of one input's values, in the order of a row; empty where nothing needs to be looked at. */
export type TensorRules = readonly ValueRule[];

const NONE: TensorRules = [];

const ruleOf = ({ optional, categories }: InputColumn): ValueRule => ({
  isOptional: optional === true,
  known: categories && new Set(categories),
});

/** In the order of `inputs`. */
export function tensorRules(
  { inputs: columns }: ModelSignature,
  inputs: readonly TensorSpec[],
): readonly TensorRules[] {
  const needsRules = columns.some(({ optional, categories }) => optional || categories);
  if (!needsRules) return inputs.map(() => NONE);
  if (isMatrix(columns, inputs)) return [columns.map(ruleOf)];
  return inputs.map((_, input) => columns.filter(({ name }) => inputIndex(name, inputs) === input).map(ruleOf));
}
