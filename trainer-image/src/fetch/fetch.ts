/** `fetch`: brings a run's inputs and parameters to a folder the trainer only reads. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type FetchInputs, INPUT_DIGESTS_FILE, type InputDigests, PARAMS_FILE } from '@slipway/contract';
import type { ObjectStore } from '@slipway/object-store';
import { FailureError, quoted } from '../failure.ts';
import type { Log } from '../log.ts';
import type { Persist } from '../persist.ts';
import { checkInputNames, locate, needsBucket, type Source } from './locate.ts';

export interface FetchContext {
  readonly inputDir: string;
  readonly configMapsDir: string;
  readonly builtinDir: string;
  /** Opens the tenant's store with the credentials as they are at that moment. Not called without an s3:// input. */
  readonly openStore: () => Promise<ObjectStore>;
  readonly persist: Persist;
  readonly log: Log;
}

type Input = FetchInputs['inputs'][number];
type Digest = InputDigests[number];

/** Writes params.json, every input and the list of what was read. Repeating it writes the same again. */
export async function fetchInputs(asked: FetchInputs, context: FetchContext): Promise<void> {
  checkInputNames(asked);
  await writeJson(join(context.inputDir, PARAMS_FILE), asked.parameters);
  const digests: Digest[] = [];
  for (const input of asked.inputs) digests.push(await bring(input, asked.namespace, context));
  await writeJson(join(context.inputDir, INPUT_DIGESTS_FILE), digests);
  context.log('info', 'all inputs fetched', { inputs: digests.length });
}

async function bring(input: Input, namespace: string, context: FetchContext): Promise<Digest> {
  const got = await context.persist(input.uri, async () => {
    const store = needsBucket(input.uri) ? await context.openStore() : undefined;
    const source = locate(input.uri, namespace, store?.bucket);
    const target = join(context.inputDir, input.name);
    const measure = await copy(await open(source, store, context), `${target}.partial`, notFound(input));
    checkDigest(input, measure.sha256);
    await rename(`${target}.partial`, target);
    return measure;
  });
  context.log('info', 'input fetched', { name: input.name, uri: input.uri, ...got });
  return { name: input.name, uri: input.uri, ...got };
}

async function open(source: Source, store: ObjectStore | undefined, context: FetchContext): Promise<Readable> {
  if (source.kind === 's3') return (store as ObjectStore).get(source.key);
  if (source.kind === 'builtin') return createReadStream(join(context.builtinDir, source.file));
  return createReadStream(join(context.configMapsDir, source.name, source.key));
}

async function copy(
  from: Readable,
  target: string,
  missing: (error: unknown) => unknown,
): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(from, meter, createWriteStream(target)).catch((error) => {
    throw missing(error);
  });
  return { sha256: hash.digest('hex'), size };
}

/** A file that is not mounted; what the object store says of a missing object is turned by `persist`. */
const notFound = (input: Input) => (error: unknown) => {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'ENOENT' && code !== 'EISDIR') return error;
  return new FailureError(
    'InputNotFound',
    `input ${input.name}: ${quoted(input.uri, 300)} does not exist; create it, or correct the URI`,
  );
};

function checkDigest({ name, uri, sha256 }: Input, got: string): void {
  if (sha256 === undefined || sha256 === got) return;
  throw new FailureError(
    'DigestMismatch',
    `input ${name} (${quoted(uri, 300)}): expected sha256 ${quoted(sha256, 70)}, got ${got}; restore the data or correct sha256`,
  );
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(value)}\n`);
}
