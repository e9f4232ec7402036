/** Taking an upload: its bytes as they come, counted and digested on the way, and given up when they stop coming. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, invalid } from '../errors.ts';
import { streamedBy } from './young-memory.ts';

export interface Patience {
  /** How long nothing may come. */
  readonly idleMs: number;
  /** How fast the bytes must come on the whole, beyond that. */
  readonly bytesPerSecond: number;
}

export const PATIENCE: Patience = { idleMs: 60_000, bytesPerSecond: 4 * 1024 };

/** As large as S3 stores one object. */
const LARGEST = 5 * 2 ** 40;
/** What is left of a refused upload is read so far, so that the client, which sends first and reads then, hears why. */
const DISCARD_BYTES = 32 * 1024 * 1024;
const DISCARD_MS = 5_000;

const tooSlow = () =>
  new ApiError('BAD_REQUEST', 'The upload stood still for too long and was given up: send it again.', { status: 408 });

/** The length that was announced; undefined for a chunked body. Throws 413 for more than S3 can store. */
export function announcedSize({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  const size = Number(headers['content-length'] ?? 0);
  if (size > LARGEST)
    throw new ApiError('INVALID_PARAMETER_VALUE', 'An upload may have 5 TiB at most.', { status: 413 });
  return size;
}

/** The next chunk, or a refusal when none comes in time. */
async function nextInTime<T>(next: Promise<T>, ms: number): Promise<T> {
  const timer = new AbortController();
  const late = delay(ms, undefined, { signal: timer.signal }).then(() => {
    throw tooSlow();
  });
  try {
    return await Promise.race([next, late]);
  } finally {
    timer.abort();
    late.catch(() => {});
  }
}

/** The bytes of a body; fails with 408 when they stop coming. Time in which nobody asked for more does not count. */
export async function* arriving(body: AsyncIterator<Buffer>, patience: Patience): AsyncGenerator<Buffer> {
  let seen = 0;
  let waited = 0;
  let asked = false;
  try {
    for (;;) {
      const allowed = patience.idleMs + (seen / patience.bytesPerSecond) * 1000 - waited;
      const started = performance.now();
      asked = true;
      const { value, done } = await nextInTime(body.next(), Math.min(patience.idleMs, allowed));
      asked = false;
      waited += performance.now() - started;
      if (done) return;
      seen += value.length;
      yield value;
    }
  } finally {
    // Of a body that owes an answer the end would have to be waited for too.
    if (!asked) await body.return?.();
  }
}

export interface Received {
  readonly bytes: AsyncIterable<Buffer>;
  /** Lower-case hex; of everything, once `bytes` has ended. */
  readonly sha256: () => string;
}

/** The body of a request. Its stream is not destroyed by a reader that stops: an answer can still be sent. */
export function received(request: IncomingMessage, expected?: string, patience: Patience = PATIENCE): Received {
  const hash = createHash('sha256');
  let digest = '';
  async function* digested(): AsyncGenerator<Buffer> {
    const body = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
    for await (const chunk of arriving(body as AsyncIterator<Buffer>, patience)) {
      hash.update(chunk);
      streamedBy(chunk.length);
      yield chunk;
    }
    digest = hash.digest('hex');
    // Thrown before the last part is stored: what does not match is not stored at all.
    if (expected !== undefined && digest !== expected)
      throw invalid(
        `The bytes have the sha256 ${digest}, but ${expected} was announced: nothing was stored. Send it again.`,
      );
  }
  return { bytes: digested(), sha256: () => digest };
}

/** Reads on for a while and forgets it, unless it was refused because nothing comes. Never throws. */
export async function discard(request: IncomingMessage, refusal: unknown): Promise<void> {
  if (request.complete || request.destroyed || (refusal instanceof ApiError && refusal.status === 408)) return;
  const limit = AbortSignal.timeout(DISCARD_MS);
  await new Promise<void>((resolve) => {
    let seen = 0;
    request.on('data', (chunk: Buffer) => {
      seen += chunk.length;
      if (seen > DISCARD_BYTES) resolve();
    });
    for (const event of ['end', 'close', 'error']) request.once(event, () => resolve());
    limit.addEventListener('abort', () => resolve(), { once: true });
    request.resume();
  });
}
