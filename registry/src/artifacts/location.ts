/** MLflow's names for places in our bucket, and back. Pure. */
import { isRelativePath, parseS3Uri, s3Uri, tenantPrefix } from '@slipway/contract';

const SCHEME = /^mlflow-artifacts:(?:\/\/[^/]*)?\//;

/** `mlflow-artifacts:/1/abc/artifacts` → `1/abc/artifacts`; undefined for another scheme or a path that is not plain. */
export function artifactPathOf(uri: string): string | undefined {
  if (!SCHEME.test(uri)) return undefined;
  const path = uri.replace(SCHEME, '').replace(/\/+$/, '');
  return isRelativePath(path) ? path : undefined;
}

/** The object that holds an artifact path of a namespace. The path must be a plain relative one (`isRelativePath`). */
export const artifactKey = (namespace: string, path: string): string => `${tenantPrefix(namespace)}${path}`;

/** `s3://<bucket>/<namespace>/1/abc` → `mlflow-artifacts:/1/abc`, which every client of the namespace can read; others stay as they are. */
export function clientUri(uri: string, { bucket, namespace }: { bucket: string; namespace: string }): string {
  const location = parseS3Uri(uri);
  const prefix = tenantPrefix(namespace);
  if (location?.bucket !== bucket || !location.key.startsWith(prefix)) return uri;
  return `mlflow-artifacts:/${location.key.slice(prefix.length)}`;
}

/** The other way: an artifact path of the namespace as an S3 uri. */
export const storedUri = (path: string, { bucket, namespace }: { bucket: string; namespace: string }): string =>
  s3Uri({ bucket, key: artifactKey(namespace, path) });
