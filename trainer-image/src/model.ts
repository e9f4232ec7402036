/**
 * The shapes that reading, learning, evaluating and writing hand to each other. Everything is kept by column in typed arrays,
 * and nothing here computes.
 */
import type { Task } from '@slipway/contract';

/** A column of numbers; NaN stands for a missing value. */
export interface NumberColumn {
  readonly kind: 'number';
  /** As it stands in the header. */
  readonly name: string;
  readonly values: Float32Array;
  /** How many are missing. */
  readonly missing: number;
}

/** A column of text: `ids[row]` is the place in `categories`, -1 a missing value. */
export interface CategoryColumn {
  readonly kind: 'category';
  readonly name: string;
  readonly ids: Int16Array;
  /** Sorted by code point. */
  readonly categories: readonly string[];
  readonly missing: number;
}

export type FeatureColumn = NumberColumn | CategoryColumn;

export type Target =
  /** `ids[row]` is the place of the row's class in `labels`. */
  | { readonly task: 'classification'; readonly ids: Int32Array; readonly labels: readonly string[] }
  | { readonly task: 'regression'; readonly values: Float64Array };

/** A data set as it was read: the features, and what is to be predicted. */
export interface Table {
  readonly rows: number;
  readonly features: readonly FeatureColumn[];
  readonly target: Target;
  readonly targetName: string;
}

/** How one column of a design is made from a feature; the exported graph does exactly this, in the order of the design. */
export type Encoding =
  /** The number itself; `impute` in place of a missing one, or NaN kept for models that learn where it goes. */
  | { readonly feature: number; readonly kind: 'number'; readonly impute: number | 'keep' }
  /** 1 where the text is `category`, else 0; a missing text is 0 everywhere. */
  | { readonly feature: number; readonly kind: 'is'; readonly category: string };

/** What a learner sees: rows of numbers, column by column. */
export interface Design {
  readonly rows: number;
  readonly columns: readonly (Float32Array | Uint8Array)[];
  /** `encodings[j]` says what `columns[j]` is. */
  readonly encodings: readonly Encoding[];
}

/** Predicts a class from scores that are linear in the columns: softmax over one row of coefficients for every class. */
export interface LinearClassifier {
  readonly kind: 'linear-classifier';
  readonly classes: number;
  /** With two classes one row (the second class's; the first scores 0), else one for every class. */
  readonly coefficients: Float64Array;
  readonly intercepts: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
}

export interface LinearRegressor {
  readonly kind: 'linear-regressor';
  readonly coefficients: Float64Array;
  readonly intercept: number;
}

/** A binary tree in arrays; node 0 is the root, children come after their parent. */
export interface Tree {
  /** The column a node asks about; -1 for a leaf. */
  readonly feature: Int32Array;
  /** A row goes left when its value is at most this (compared as float32). */
  readonly threshold: Float32Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** 1: a missing value (NaN) goes left. */
  readonly missingLeft: Uint8Array;
  /** `values[node * width + k]`: what a leaf gives, for every output or (width 1) for `output` alone. */
  readonly values: Float32Array;
  readonly width: number;
  readonly output: number;
  /** How much the split of a node lessened the loss, summed over its rows; 0 for a leaf. For feature importance. */
  readonly gain: Float32Array;
}

/** Many trees, added up or averaged. */
export interface TreeEnsemble {
  readonly kind: 'trees';
  readonly task: Task;
  /** Outputs of the whole: 1 for a quantity, and for boosting of two classes (the second's score); else one for every class. */
  readonly outputs: number;
  readonly trees: readonly Tree[];
  /** `mean` over the trees (forests: their values are class shares or quantities), or `base` plus their sum (boosting). */
  readonly aggregate: 'mean' | 'sum';
  readonly base: Float64Array;
  /** What the sum becomes: itself, class probabilities by softmax, or (one score, two classes) by the logistic function. */
  readonly link: 'identity' | 'softmax' | 'logistic';
}

export type FittedModel = LinearClassifier | LinearRegressor | TreeEnsemble;

/** Told now and then while a model is fitted; `fraction` is 0 … 1 and never falls. */
export type OnProgress = (at: {
  readonly fraction: number;
  /** `tree 40 of 100`, `iteration 12`. */
  readonly message: string;
  /** Metrics worth a point of their own, with the step they belong to. */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly step?: number;
}) => void;
