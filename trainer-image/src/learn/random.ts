/** The one source of chance: whatever is shuffled, drawn or held out comes from a seed, so that a run can be repeated. */

/** mulberry32: numbers from 0 up to 1, good enough to shuffle with, and the same on every machine. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Fisher and Yates, in place; every order is equally likely. */
export function shuffle<List extends Int32Array | number[]>(rows: List, random: () => number): List {
  for (let i = rows.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const moved = rows[i] as number;
    rows[i] = rows[j] as number;
    rows[j] = moved;
  }
  return rows;
}
