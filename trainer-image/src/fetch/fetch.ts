/** `fetch`: brings a run's inputs and parameters to a folder the trainer only reads. */
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { type FetchInputs, INPUT_DIGESTS_FILE, type InputDigests, PARAMS_FILE } from '@slipway/contract';
import type { ObjectStore } from '@slipway/object-store';
import { FailureError, quoted } from '../failure.ts';
import type { Log } from '../log.ts';
import type { Persist } from '../persist.ts';
import { download, type Measure, measureFile } from './download.ts';
import { brokenOff, MOST_BYTES, openWeb, type Web } from './https.ts';
import { checkInputNames, locate, needsBucket, type Source, shownUri } from './locate.ts';
import { fetchReferences } from './references.ts';

export interface FetchContext {
  readonly inputDir: string;
  readonly referencesDir: string;
  readonly configMapsDir: string;
  readonly builtinDir: string;
  /** Opens the tenant's store with the credentials as they are at that moment. Not called when nothing lies in it. */
  readonly openStore: () => Promise<ObjectStore>;
  readonly web: Omit<Web, 'httpsHosts'>;
  readonly persist: Persist;
  readonly log: Log;
}

type Input = FetchInputs['inputs'][number];
type Digest = InputDigests[number];

/** Writes params.json, every input, the list of what was read, and the references. Repeating it writes the same again. */
export async function fetchInputs(asked: FetchInputs, context: FetchContext): Promise<void> {
  checkInputNames(asked);
  await writeJson(join(context.inputDir, PARAMS_FILE), asked.parameters);
  const digests: Digest[] = [];
  for (const input of asked.inputs) digests.push(await bring(input, asked, context));
  await writeJson(join(context.inputDir, INPUT_DIGESTS_FILE), digests);
  const { references = [] } = asked;
  await fetchReferences(references, context);
  context.log('info', 'all inputs fetched', { inputs: digests.length, references: references.length });
}

async function bring(input: Input, asked: FetchInputs, context: FetchContext): Promise<Digest> {
  const uri = shownUri(input.uri);
  const target = join(context.inputDir, input.name);
  const got =
    (await alreadyThere(input, target)) ?? (await context.persist(uri, () => copy(input, asked, context, target)));
  context.log('info', 'input fetched', { name: input.name, uri, ...got });
  return { name: input.name, uri, ...got };
}

/** What an earlier start of this pod brought, when it can be told to be the same. */
async function alreadyThere({ sha256 }: Input, target: string): Promise<Measure | undefined> {
  const present = sha256 === undefined ? undefined : await measureFile(target);
  return present?.sha256 === sha256 ? present : undefined;
}

async function copy(input: Input, asked: FetchInputs, context: FetchContext, target: string): Promise<Measure> {
  const { namespace, httpsHosts = [] } = asked;
  const store = needsBucket(input) ? await context.openStore() : undefined;
  const source = locate(input, { namespace, bucket: store?.bucket, httpsHosts });
  const web = { ...context.web, httpsHosts };
  try {
    const from = () => open(source, store, context, web);
    return await download(from, target, MOST_BYTES, ({ sha256 }) => checkDigest(input, sha256));
  } catch (error) {
    throw source.kind === 'https' ? brokenOff(source.url, error) : notFound(input, error);
  }
}

async function open(
  source: Source,
  store: ObjectStore | undefined,
  context: FetchContext,
  web: Web,
): Promise<Readable> {
  if (source.kind === 's3') return (store as ObjectStore).get(source.key);
  if (source.kind === 'https') return openWeb(source.url, web);
  if (source.kind === 'builtin') return createReadStream(join(context.builtinDir, source.file));
  return createReadStream(join(context.configMapsDir, source.name, source.key));
}

/** A file that is not mounted; what the object store says of a missing object is turned by `persist`. */
function notFound({ name, uri }: Input, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'ENOENT' && code !== 'EISDIR') return error;
  return new FailureError(
    'InputNotFound',
    `input ${name}: ${quoted(uri, 300)} does not exist; create it, or correct the URI`,
  );
}

function checkDigest({ name, uri, sha256 }: Input, got: string): void {
  if (sha256 === undefined || sha256 === got) return;
  throw new FailureError(
    'DigestMismatch',
    `input ${name} (${quoted(shownUri(uri), 300)}): expected sha256 ${quoted(sha256, 70)}, got ${got}; restore the data or ` +
      'correct sha256',
  );
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(value)}\n`);
}
