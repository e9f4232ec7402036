/** The models that gates compare with, file by file, each checked against its digest. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ArtifactFile,
  artifactDigest,
  belongsToTenant,
  FETCHED_FILE,
  type ModelArtifact,
  parseS3Uri,
} from '@slipway/contract';
import { type ObjectStore, ObjectStoreError } from '@slipway/object-store';
import { FailureError, quoted } from '../failure.ts';
import type { Persist } from '../persist.ts';
import { download, type Measure, measureFile } from './download.ts';

export interface ReferenceContext {
  readonly referencesDir: string;
  readonly openStore: () => Promise<ObjectStore>;
  readonly persist: Persist;
}

const CURE = 'restore the file, or let the gate compare with another version';

/** The files of a reference; none, of a model that cannot be asked: who asks says so. Throws DigestMismatch for a list that is not what the version was proven with. */
function filesOf({ uri, files, digest }: ModelArtifact): readonly ArtifactFile[] {
  if (files && (digest === undefined || artifactDigest(files) === digest)) return files;
  throw new FailureError(
    'DigestMismatch',
    `the version at ${quoted(uri, 300)}, which a gate compares with, has no proven list of files`,
  );
}

/** The folder's key; one that is made of a single object is that object's key. */
function keyOf({ uri, namespace }: ModelArtifact, bucket: string): string {
  const location = parseS3Uri(uri);
  if (location && belongsToTenant(location, bucket, namespace)) return location.key;
  throw new FailureError('InputUriNotAllowed', `model URI ${quoted(uri, 300)}: expected s3://${bucket}/${namespace}/…`);
}

function check({ path, sha256, size }: ArtifactFile, got: Measure): void {
  if (got.sha256 === sha256 && got.size === size) return;
  throw new FailureError(
    'DigestMismatch',
    `${path} of the version a gate compares with: expected sha256 ${sha256} (${size} bytes), got ${got.sha256} ` +
      `(${got.size} bytes); ${CURE}`,
  );
}

async function bring(artifact: ModelArtifact, file: ArtifactFile, dir: string, store: ObjectStore): Promise<void> {
  const target = join(dir, file.path);
  const present = await measureFile(target);
  if (present?.sha256 === file.sha256 && present.size === file.size) return;
  const key = keyOf(artifact, store.bucket);
  const isObjectItself = key.endsWith('.onnx') && artifact.files?.length === 1;
  const from = isObjectItself ? key : `${key}/${file.path}`;
  try {
    await download(
      () => store.get(from),
      target,
      file.size,
      (got) => check(file, got),
    );
  } catch (error) {
    if (!(error instanceof ObjectStoreError) || error.reason !== 'NotFound') throw error;
    throw new FailureError('ArtifactMissing', `${file.path} of the version a gate compares with is gone; ${CURE}`, {
      cause: error,
    });
  }
}

/** Leaves every reference in a folder of its number. Running it again brings only what is missing. */
export async function fetchReferences(references: readonly ModelArtifact[], context: ReferenceContext): Promise<void> {
  for (const [index, artifact] of references.entries()) {
    const dir = join(context.referencesDir, String(index));
    const files = filesOf(artifact);
    await mkdir(dir, { recursive: true });
    for (const file of files) {
      const what = `reference ${index}, ${file.path}`;
      await context.persist(what, async () => bring(artifact, file, dir, await context.openStore()));
    }
    await writeFile(join(dir, FETCHED_FILE), JSON.stringify(files));
  }
}
