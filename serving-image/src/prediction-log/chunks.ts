/** Lines on their way to where they are kept: so many bytes of them at most, the oldest given up for the newest. */

export interface Chunk {
  /** Whole lines. */
  readonly bytes: Buffer;
  readonly lines: number;
}

/** Where lines end up. Neither call waits, throws, or slows whoever calls it. */
export interface Sink {
  /** The bytes are the caller's again afterwards: what is kept of them is copied. */
  offer(chunk: Chunk): void;
  /** What was offered is there afterwards, or has been given up; at most so long. */
  close(patienceMs: number): Promise<void>;
}

export interface ChunkQueue {
  /** Keeps a copy. */
  push(chunk: Chunk): void;
  /** The oldest chunk, which stays until `shift`. */
  first(): Chunk | undefined;
  shift(): void;
  readonly isEmpty: boolean;
}

/** `onDropped` is told how many lines were given up. */
export function createChunkQueue(maxBytes: number, onDropped: (lines: number) => void): ChunkQueue {
  const chunks: Chunk[] = [];
  let held = 0;
  const shift = (): Chunk | undefined => {
    const chunk = chunks.shift();
    held -= chunk?.bytes.length ?? 0;
    return chunk;
  };
  return {
    push({ bytes, lines }) {
      chunks.push({ bytes: Buffer.from(bytes), lines });
      held += bytes.length;
      let dropped = 0;
      while (held > maxBytes) dropped += shift()?.lines ?? 0;
      if (dropped > 0) onDropped(dropped);
    },
    first: () => chunks[0],
    shift,
    get isEmpty() {
      return chunks.length === 0;
    },
  };
}
