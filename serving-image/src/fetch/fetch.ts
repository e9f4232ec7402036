/** `fetch`: the only process of this image that holds a credential and talks to anything. It never loads a model. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactFile, FETCHED_FILE, type ModelArtifact } from '@slipway/contract';
import type { ObjectStore } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import { checkDigest } from '../model/artifact-check.ts';
import { bring } from './download.ts';
import { keyOf, locate, MAX_TOTAL_BYTES } from './locate.ts';
import { type Persistence, persist } from './persist.ts';

export interface FetchContext extends Persistence {
  readonly log: Logger;
}

/**
 * Leaves in `dir` exactly the artifact's files and their list. Running it again after a crash brings only what is
 * missing. An outage is waited out; throws FailureError for everything else.
 */
export async function fetchModel(
  artifact: ModelArtifact,
  store: ObjectStore,
  dir: string,
  context: FetchContext,
): Promise<readonly ArtifactFile[]> {
  keyOf(artifact, store.bucket);
  if (artifact.files) checkDigest(artifact.files, artifact.digest);
  const downloads = await persist('locate', () => locate(artifact, store), context);
  const files: ArtifactFile[] = [];
  let bytes = 0;
  for (const download of downloads) {
    const file = await persist(download.path, () => bring(store, download, dir), context);
    bytes += file.size;
    if (bytes > MAX_TOTAL_BYTES) throw new FailureError('InvalidModel', `expected at most ${MAX_TOTAL_BYTES} bytes`);
    files.push(file);
  }
  checkDigest(files, artifact.digest);
  await writeFile(join(dir, FETCHED_FILE), JSON.stringify(files));
  context.log.info({ uri: artifact.uri, files: files.length, bytes }, 'fetched');
  return files;
}
