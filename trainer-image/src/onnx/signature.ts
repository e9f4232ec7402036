import type { InputColumn, ModelSignature } from '@slipway/contract';
import type { FeatureColumn } from '../model.ts';
import { outputNames } from './outputs.ts';

/** What of a feature the signature and the graph's inputs tell. */
export type Feature =
  | Pick<Extract<FeatureColumn, { kind: 'number' }>, 'kind' | 'name' | 'missing'>
  | Pick<Extract<FeatureColumn, { kind: 'category' }>, 'kind' | 'name' | 'missing' | 'categories'>;

const optional = ({ missing }: Feature) => (missing > 0 ? { optional: true } : {});

const columnOf = (feature: Feature): InputColumn =>
  feature.kind === 'number'
    ? { name: feature.name, type: 'float32', ...optional(feature) }
    : { name: feature.name, type: 'string', ...optional(feature), categories: [...feature.categories] };

/**
 * What a model that `encodeModel` writes takes and gives. A feature that was ever missing is optional, a text must be one
 * of its categories. With `labels` the model classifies (`label`, `probabilities`), without it predicts a quantity.
 */
export function signatureFor({
  features,
  labels,
}: {
  readonly features: readonly Feature[];
  readonly labels?: readonly string[] | undefined;
}): ModelSignature {
  const { label, probabilities, prediction } = outputNames(features);
  const outputs: ModelSignature['outputs'] = labels
    ? [
        { name: label, type: 'int64', labels: [...labels] },
        { name: probabilities, type: 'float32', labels: [...labels] },
      ]
    : [{ name: prediction, type: 'float32' }];
  return { inputs: features.map(columnOf), outputs };
}
