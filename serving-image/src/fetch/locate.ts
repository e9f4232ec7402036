/** Which objects make up a model, and where each goes in the model's folder. */
import {
  type ArtifactFile,
  belongsToTenant,
  FETCHED_FILE,
  type ModelArtifact,
  parseS3Uri,
  RelativePath,
} from '@slipway/contract';
import type { ObjectStore, StoredObject } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import { DEFAULT_MODEL_FILE } from '../model/files.ts';

/** What is to be brought. Without `expected` the object is taken as it is found. */
export interface Download {
  readonly key: string;
  readonly path: string;
  readonly expected: ArtifactFile | undefined;
}

export const MAX_FILES = 256;
export const MAX_TOTAL_BYTES = 4 * 1024 ** 3;

/** The key the artifact's URI names. Throws InputUriNotAllowed unless it lies in the bucket under the tenant's prefix. */
export function keyOf({ uri, namespace }: ModelArtifact, bucket: string): string {
  const location = parseS3Uri(uri);
  if (location && belongsToTenant(location, bucket, namespace)) return location.key;
  throw new FailureError(
    'InputUriNotAllowed',
    `model URI ${uri.slice(0, 300)}: expected s3://${bucket}/${namespace}/…; copy the model below that prefix`,
  );
}

/** Every download the artifact asks for. Throws ArtifactMissing, InvalidModel; store errors pass through. */
export async function locate(artifact: ModelArtifact, store: ObjectStore): Promise<readonly Download[]> {
  const key = keyOf(artifact, store.bucket);
  const object = key.endsWith('.onnx') ? await store.stat(key) : undefined;
  if (artifact.files) return artifact.files.map((file) => downloadFor(file, key, object, artifact.files?.length ?? 0));
  if (object) {
    checkSize([object]);
    return [{ key, path: DEFAULT_MODEL_FILE, expected: undefined }];
  }
  const found = (await store.list(`${key}/`)).filter(({ key: name }) => !name.endsWith('/'));
  if (found.length === 0) {
    throw new FailureError(
      'ArtifactMissing',
      `nothing is stored at ${artifact.uri}; expected a folder or one .onnx file`,
    );
  }
  checkSize(found);
  return found.map(({ key: name }) => ({ key: name, path: pathOf(name.slice(key.length + 1)), expected: undefined }));
}

/** An artifact made from one `.onnx` object has one file, and its URI names the object itself. */
function downloadFor(file: ArtifactFile, key: string, object: StoredObject | undefined, count: number): Download {
  const isObjectItself = object !== undefined && count === 1 && file.path === DEFAULT_MODEL_FILE;
  return { key: isObjectItself ? key : `${key}/${file.path}`, path: file.path, expected: file };
}

function pathOf(name: string): string {
  if (RelativePath.safeParse(name).success && name !== FETCHED_FILE) return name;
  throw new FailureError('InvalidModel', `file name ${JSON.stringify(name.slice(0, 200))} cannot be used; rename it`);
}

function checkSize(objects: readonly StoredObject[]): void {
  if (objects.length > MAX_FILES) {
    throw new FailureError('InvalidModel', `the folder has ${objects.length} files; expected at most ${MAX_FILES}`);
  }
  const bytes = objects.reduce((sum, { size }) => sum + size, 0);
  if (bytes <= MAX_TOTAL_BYTES) return;
  throw new FailureError('InvalidModel', `the model has ${bytes} bytes; expected at most ${MAX_TOTAL_BYTES}`);
}
