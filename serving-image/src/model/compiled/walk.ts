/** Walking trees: four walks in step, so that what one waits for in memory the others do not. */
import type { Layout, Threshold } from './forest.ts';

/** Rows of the columns a layout asks for, column 0 (NaN) among them. */
export type Rows = Float32Array | Float64Array;

/** What the leaf of every tree says of the row at `at`, in the order of the trees. */
export function walkTrees({ links, values, roots }: Layout, rows: Rows, at: number, said: Threshold): void {
  const trees = roots.length;
  let tree = 0;
  for (; tree + 4 <= trees; tree += 4) {
    let a = roots[tree] as number;
    let b = roots[tree + 1] as number;
    let c = roots[tree + 2] as number;
    let d = roots[tree + 3] as number;
    for (;;) {
      const toA = links[a] as number;
      const toB = links[b] as number;
      const toC = links[c] as number;
      const toD = links[d] as number;
      if ((toA | toB | toC | toD) === 0) break;
      a += (toA >>> 12) + +((rows[at + (toA & 4095)] as number) <= (values[a] as number));
      b += (toB >>> 12) + +((rows[at + (toB & 4095)] as number) <= (values[b] as number));
      c += (toC >>> 12) + +((rows[at + (toC & 4095)] as number) <= (values[c] as number));
      d += (toD >>> 12) + +((rows[at + (toD & 4095)] as number) <= (values[d] as number));
    }
    said[tree] = values[a] as number;
    said[tree + 1] = values[b] as number;
    said[tree + 2] = values[c] as number;
    said[tree + 3] = values[d] as number;
  }
  for (; tree < trees; tree++) said[tree] = values[leafOf(links, values, rows, at, roots[tree] as number)] as number;
}

/** What the leaf of the tree at `root` says of each of the first `count` rows. */
export function walkRows(
  { links, values }: Layout,
  root: number,
  { rows, stride, count }: { readonly rows: Rows; readonly stride: number; readonly count: number },
  said: Threshold,
): void {
  let row = 0;
  for (; row + 4 <= count; row += 4) {
    let [a, b, c, d] = [root, root, root, root];
    const atA = row * stride;
    const atB = atA + stride;
    const atC = atB + stride;
    const atD = atC + stride;
    for (;;) {
      const toA = links[a] as number;
      const toB = links[b] as number;
      const toC = links[c] as number;
      const toD = links[d] as number;
      if ((toA | toB | toC | toD) === 0) break;
      a += (toA >>> 12) + +((rows[atA + (toA & 4095)] as number) <= (values[a] as number));
      b += (toB >>> 12) + +((rows[atB + (toB & 4095)] as number) <= (values[b] as number));
      c += (toC >>> 12) + +((rows[atC + (toC & 4095)] as number) <= (values[c] as number));
      d += (toD >>> 12) + +((rows[atD + (toD & 4095)] as number) <= (values[d] as number));
    }
    said[row] = values[a] as number;
    said[row + 1] = values[b] as number;
    said[row + 2] = values[c] as number;
    said[row + 3] = values[d] as number;
  }
  for (; row < count; row++) said[row] = values[leafOf(links, values, rows, row * stride, root)] as number;
}

function leafOf(links: Int32Array, values: Threshold, rows: Rows, at: number, root: number): number {
  let slot = root;
  for (let to = links[slot] as number; to !== 0; to = links[slot] as number) {
    slot += (to >>> 12) + +((rows[at + (to & 4095)] as number) <= (values[slot] as number));
  }
  return slot;
}
