/** The best split of a node of a forest's tree: what the two kinds of target have in common. */
import { type BinnedColumn, MISSING } from './bins.ts';

/** Up to so many rows the bins that have any are noted while they are filled; with more, all bins are looked at. */
export const FEW = 160;

/** What is known of a node's best split so far. */
export interface BestSplit {
  feature: number;
  /** The last bin that goes left, and the next one that has rows; -1 when only missing values go right. */
  low: number;
  high: number;
  missingLeft: boolean;
  /** What the split makes of the criterion: higher is better. */
  score: number;
}

/** How a target is looked at: sums by bin, and the best cut through them. */
export interface Criterion {
  /** Outputs of a leaf. */
  readonly width: number;
  /** Takes the rows of a node. Returns whether all have the same target. */
  begin(rows: Int32Array, start: number, end: number): boolean;
  /** Sums up the node's rows by bins of a column, and betters `best`. Returns whether there was anything to split. */
  tryColumn(column: BinnedColumn, feature: number, best: BestSplit): boolean;
  /** The criterion of the node as it is, to compare `best.score` with. */
  score(): number;
  /** What output k of the node would be as a leaf. */
  value(k: number): number;
}

/** The numbers of the bits set in `occupied` (8 × 32), in ascending order, into `list`; clears them and returns how many. */
export function takeOccupied(occupied: Int32Array, list: Uint8Array): number {
  let count = 0;
  for (let word = 0; word < 8; word++) {
    let bits = occupied[word] as number;
    if (bits === 0) continue;
    occupied[word] = 0;
    while (bits !== 0) {
      const lowest = bits & -bits;
      list[count++] = (word << 5) | (31 - Math.clz32(lowest));
      bits ^= lowest;
    }
  }
  return count;
}

/** Whether the last of the occupied bins is that of missing values. */
export const endsMissing = (list: Uint8Array, count: number): boolean => list[count - 1] === MISSING;
