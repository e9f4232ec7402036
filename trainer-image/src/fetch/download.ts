/** Brings bytes into a file: measured while they stream, under the file's name only when they are right. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FailureError } from '../failure.ts';

export interface Measure {
  readonly sha256: string;
  readonly size: number;
}

async function measured(from: Readable, most: number, to?: string): Promise<Measure> {
  const hash = createHash('sha256');
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      // One byte too many settles it: the rest need not fill the disk.
      if (size > most) return done(new FailureError('DigestMismatch', `expected at most ${most} bytes, got more`));
      hash.update(chunk);
      done(null, to === undefined ? undefined : chunk);
    },
  });
  await (to === undefined ? pipeline(from, meter.resume()) : pipeline(from, meter, createWriteStream(to)));
  return { sha256: hash.digest('hex'), size };
}

/** Size and digest of a file; undefined when there is none. */
export const measureFile = (path: string): Promise<Measure | undefined> =>
  measured(createReadStream(path), Number.POSITIVE_INFINITY).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });

/** Writes what `open` gives to `target`, at most `most` bytes, unless `check` throws for its measure. */
export async function download(
  open: () => Promise<Readable>,
  target: string,
  most: number,
  check: (got: Measure) => void,
): Promise<Measure> {
  // Before the stream is there: nobody would hear it fail in between.
  await mkdir(dirname(target), { recursive: true });
  const got = await measured(await open(), most, `${target}.partial`);
  check(got);
  await rename(`${target}.partial`, target);
  return got;
}
