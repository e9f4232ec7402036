/** Cutting a stream into parts of one length, two of which are ever in memory. */

/** Fails, before the last piece is passed on, when the body is not of the length that was announced. */
export async function* exactly(body: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of body) {
    seen += chunk.length;
    if (seen > size) break;
    yield chunk;
  }
  if (seen !== size) throw new RangeError(`expected ${size} bytes, got ${seen > size ? 'more' : seen}`);
}

export interface Part {
  readonly bytes: Buffer;
  /** Nothing comes after it. */
  readonly last: boolean;
}

/**
 * Parts of exactly `partBytes`, but for the last (which is the only one, and may be empty, of a short body). A part's
 * memory is used again for the part after the next.
 */
export async function* partsOf(body: AsyncIterable<Buffer>, partBytes: number): AsyncGenerator<Part> {
  const memory: Buffer[] = [];
  let number = 0;
  let pending: Buffer[] = [];
  let length = 0;
  /** A body of one part is not worth a whole part's memory. */
  const memoryFor = (bytes: number): Buffer => {
    if (number === 0 && bytes < partBytes) return Buffer.allocUnsafe(bytes);
    const slot = number % 2;
    memory[slot] = memory[slot] ?? Buffer.allocUnsafeSlow(partBytes);
    return memory[slot];
  };
  const cut = (bytes: number): Buffer => {
    const into = memoryFor(bytes);
    pending = copyInto(into, pending, bytes);
    number += 1;
    length -= bytes;
    return into.subarray(0, bytes);
  };
  for await (const chunk of body) {
    pending.push(chunk);
    length += chunk.length;
    // Longer than a part, not as long: the last part is known only when the body has ended.
    while (length > partBytes) yield { bytes: cut(partBytes), last: false };
  }
  yield { bytes: cut(length), last: true };
}

/** Fills `into` with the first `upTo` bytes of the chunks; returns what is left of them. */
function copyInto(into: Buffer, chunks: readonly Buffer[], upTo: number): Buffer[] {
  let filled = 0;
  for (const [index, chunk] of chunks.entries()) {
    const take = Math.min(chunk.length, upTo - filled);
    chunk.copy(into, filled, 0, take);
    filled += take;
    if (take < chunk.length) return [chunk.subarray(take), ...chunks.slice(index + 1)];
  }
  return [];
}
