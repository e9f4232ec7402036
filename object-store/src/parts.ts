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
  let filled = 0;
  const room = (): Buffer => {
    const slot = number % 2;
    memory[slot] = memory[slot] ?? Buffer.allocUnsafeSlow(partBytes);
    return memory[slot];
  };
  for await (const chunk of body) {
    let taken = 0;
    while (taken < chunk.length) {
      // A full part is given away when more comes, not before: only then is it known not to be the last.
      if (filled === partBytes) {
        yield { bytes: room(), last: false };
        number += 1;
        filled = 0;
      }
      const copied = chunk.copy(room(), filled, taken);
      taken += copied;
      filled += copied;
    }
  }
  yield { bytes: filled === 0 ? Buffer.alloc(0) : room().subarray(0, filled), last: true };
}
