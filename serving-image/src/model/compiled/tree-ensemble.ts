/** Trees as the kernels walk them, whichever operator they came from. */
import type { Layout, Threshold } from './forest.ts';
import type { Transform } from './post-transform.ts';

export const AGGREGATES = ['AVERAGE', 'SUM', 'MIN', 'MAX'] as const;
export type Aggregate = (typeof AGGREGATES)[number];

/** What the leaves say: to which targets what is added. */
export type Votes =
  /** Every leaf of a tree adds one number to the tree's own target; its value is that number. */
  | { readonly kind: 'single'; readonly targetOf: Int32Array }
  /** Every leaf adds to all targets; its value is the row of a table. */
  | { readonly kind: 'dense'; readonly table: Threshold }
  /** Leaf `i` adds `weights` to `targets`, both from `from[i]` to `from[i + 1]`; its value is `i`. */
  | { readonly kind: 'sparse'; readonly from: Int32Array; readonly targets: Int32Array; readonly weights: Threshold };

export interface Ensemble {
  readonly layout: Layout;
  readonly votes: Votes;
  readonly targets: number;
  readonly aggregate: Aggregate;
  readonly transform: Transform;
  readonly base: Threshold;
  /** Sums are formed in double precision. */
  readonly isDouble: boolean;
  /** Classes that any leaf votes for, and whether any vote is negative. */
  readonly voted: ReadonlySet<number>;
  readonly hasNegative: boolean;
}
