/** How much each feature has to do with what the model says (`artifacts/feature_importance.json`). */
import { featureGains } from '../learn/predict.ts';
import type { Design, FeatureColumn, FittedModel } from '../model.ts';

export interface Importance {
  readonly name: string;
  readonly importance: number;
}

export interface Importances {
  /** `gain`: how much the splits at the feature lessened the loss; `coefficient`: its coefficients times its spread. */
  readonly method: 'gain' | 'coefficient';
  /** The most important first; they add up to 1, or are all 0. */
  readonly features: readonly Importance[];
}

/** Categories are several columns; theirs are added up. */
export function importancesOf(model: FittedModel, design: Design, features: readonly FeatureColumn[]): Importances {
  const gains = featureGains(model, design);
  const sums = new Float64Array(features.length);
  design.encodings.forEach(({ feature }, j) => {
    sums[feature] = (sums[feature] as number) + (gains[j] as number);
  });
  const total = sums.reduce((sum, gain) => sum + gain, 0);
  const named = features.map(({ name }, i) => ({ name, importance: total > 0 ? (sums[i] as number) / total : 0 }));
  return {
    method: model.kind === 'trees' ? 'gain' : 'coefficient',
    features: named.sort((a, b) => b.importance - a.importance),
  };
}
