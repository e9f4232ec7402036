/**
 * `deposit`: stores what the converter left and `verify` proved, below the namespace's derived models, in a folder named by
 * its digest. Files go first and the manifest last, so that a folder with a manifest is whole; what is there already is
 * compared and never written over. Running it again after a crash stores only what is missing.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  type ArtifactFile,
  artifactDigest,
  CONVERSION_FILE,
  ConversionReport,
  type DepositReport,
  type DerivedTarget,
  derivedKey,
  MANIFEST_FILE,
  s3Uri,
  summaryOf,
} from '@slipway/contract';
import type { ObjectStore } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import { type Persistence, persist } from '../fetch/persist.ts';
import type { Logger } from '../log.ts';
import { derivedFiles, openDerived } from '../model/derived-folder.ts';

export interface DepositOptions extends Persistence {
  readonly target: DerivedTarget;
  /** What the converter left. */
  readonly dir: string;
  readonly store: ObjectStore;
  readonly log: Logger;
}

/** Resolves when everything is stored. An outage is waited out; throws FailureError for everything else. */
export async function deposit(options: DepositOptions): Promise<DepositReport> {
  const { target, dir, store, log } = options;
  const files = await derivedFiles(dir);
  const conversion = summaryOf(await readConversion(dir));
  const digest = artifactDigest(files);
  const key = derivedKey({ ...target, digest });
  for (const file of files) {
    await persist(file.path, () => depositFile(store, `${key}/${file.path}`, { dir, file }), options);
  }
  const manifest = Buffer.from(JSON.stringify({ derivedFrom: target, digest, files }));
  await persist(MANIFEST_FILE, () => depositBytes(store, `${key}/${MANIFEST_FILE}`, manifest), options);
  const uri = s3Uri({ bucket: store.bucket, key });
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  log.info({ uri, files: files.length, bytes }, 'deposited');
  const message = `${files.length} files (${bytes} bytes) stored`;
  return { stage: 'deposit', reason: 'Deposited', message, uri, digest, files: [...files], conversion };
}

/** What the converter says it did. Throws InvalidModel naming the field. */
async function readConversion(dir: string): Promise<ConversionReport> {
  const { handle } = await openDerived(dir, CONVERSION_FILE);
  try {
    const parsed = ConversionReport.safeParse(parseJson(await handle.readFile('utf8')));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const where = issue?.path.join('.').slice(0, 100) || 'the document';
    throw new FailureError('InvalidModel', `${CONVERSION_FILE}: ${where}: ${issue?.message.slice(0, 200)}`);
  } finally {
    await handle.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function depositFile(
  store: ObjectStore,
  key: string,
  { dir, file }: { dir: string; file: ArtifactFile },
): Promise<void> {
  if (await isThere(store, key, file)) return;
  const { handle } = await openDerived(dir, file.path);
  try {
    // Nobody writes to the folder any more; whoever fetches it counts its digests anyway.
    await store.put(key, handle.createReadStream({ start: 0, autoClose: false }), file.size);
  } finally {
    await handle.close();
  }
}

async function depositBytes(store: ObjectStore, key: string, bytes: Buffer): Promise<void> {
  const file = { path: MANIFEST_FILE, sha256: sha256(bytes), size: bytes.length };
  if (!(await isThere(store, key, file))) await store.put(key, bytes, bytes.length);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** True when these very bytes lie there. Throws DigestMismatch when others do: they are somebody's, and stay. */
async function isThere(store: ObjectStore, key: string, { sha256: expected, size }: ArtifactFile): Promise<boolean> {
  const found = await store.stat(key);
  if (!found) return false;
  if (found.size === size && (await digestOf(await store.get(key))) === expected) return true;
  throw new FailureError(
    'DigestMismatch',
    `other bytes lie at s3://${store.bucket}/${key.slice(0, 600)} and are not written over: delete that object`,
  );
}

async function digestOf(body: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
