/** Rows of a node parted into those of its children, each side in its old order. */

/** What decides the side of a row. */
export interface Cut {
  readonly codes: Uint8Array;
  /** A bin up to this goes left. */
  readonly bin: number;
  /** Whether MISSING (greater than any bin) goes left too. */
  readonly missingLeft: boolean;
}

/** Parts rows[start … end) in place, with `spare` (as long as rows) to hold the right side; returns where that begins. */
export function partition(rows: Int32Array, start: number, end: number, cut: Cut, spare: Int32Array): number {
  const { codes, bin } = cut;
  // As an unsigned byte MISSING + 1 is 0: with missing values on the left all codes are compared one higher.
  const shift = cut.missingLeft ? 1 : 0;
  const last = bin + shift;
  let left = start;
  let right = 0;
  for (let i = start; i < end; i++) {
    const row = rows[i] as number;
    // Both are written and one is kept: no branch to guess wrong.
    const goesLeft = (((codes[row] as number) + shift) & 255) <= last ? 1 : 0;
    rows[left] = row;
    spare[right] = row;
    left += goesLeft;
    right += 1 - goesLeft;
  }
  rows.set(spare.subarray(0, right), left);
  return left;
}
