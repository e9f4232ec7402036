/** Where things lie in the object store, and who may name what. A namespace owns exactly the keys below `<namespace>/`. */
import { isRelativePath } from './artifact.ts';

export interface ObjectLocation {
  readonly bucket: string;
  readonly key: string;
}

/** Splits `s3://bucket/key`; undefined when `uri` is anything else (other scheme, no key, `..` in the key, query). */
export function parseS3Uri(uri: string): ObjectLocation | undefined {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^?#]+)$/.exec(uri);
  if (!match) return undefined;
  const [bucket, key] = [match[1] as string, (match[2] as string).replace(/\/$/, '')];
  return isRelativePath(key) ? { bucket, key } : undefined;
}

/** `s3://bucket/key`. */
export const s3Uri = ({ bucket, key }: ObjectLocation): string => `s3://${bucket}/${key}`;

/** The prefix of every key a namespace owns, with its final slash. */
export const tenantPrefix = (namespace: string): string => `${namespace}/`;

/** The prefix of what services of the namespace predicted, with its final slash; nothing else lies below it. */
export const predictionsPrefix = (namespace: string): string => `${tenantPrefix(namespace)}predictions/`;

/** True when the location lies in `bucket` under the namespace's own prefix. */
export const belongsToTenant = (location: ObjectLocation, bucket: string, namespace: string): boolean =>
  location.bucket === bucket && location.key.startsWith(tenantPrefix(namespace));

/** The key prefix one publishing attempt writes below; nothing else ever writes there. No final slash. */
export const attemptPrefix = (at: {
  namespace: string;
  experimentId: string;
  runId: string;
  attempt: string;
}): string => `${at.namespace}/${at.experimentId}/${at.runId}/artifacts/${at.attempt}`;

/** Folder of the model inside an attempt's prefix. */
export const MODEL_FOLDER = 'model';
/** Written last into an attempt's prefix: its presence says that every file before it is complete. */
export const MANIFEST_FILE = 'manifest.json';
