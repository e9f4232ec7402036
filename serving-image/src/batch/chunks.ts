/** The cutting of rows into chunks: the same file in the same size gives the same chunks, whoever cuts it. */
import type { Row } from './rows.ts';

export interface Chunk {
  /** From 0. */
  readonly index: number;
  /** Of its first row in the file, from 0. */
  readonly start: number;
  readonly rows: readonly Row[];
}

/** Every chunk has `size` rows but the last, which may have fewer; no rows, no chunks. */
export async function* chunksOf(rows: AsyncIterable<Row>, size: number): AsyncGenerator<Chunk> {
  let [index, start] = [0, 0];
  let held: Row[] = [];
  for await (const row of rows) {
    held.push(row);
    if (held.length < size) continue;
    yield { index: index++, start, rows: held };
    start += held.length;
    held = [];
  }
  if (held.length > 0) yield { index, start, rows: held };
}
