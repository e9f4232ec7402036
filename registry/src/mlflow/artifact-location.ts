/** Where an experiment may keep its artifacts. Pure. */
import { isRelativePath, s3Uri, tenantPrefix } from '@slipway/contract';
import { artifactPathOf } from '../artifacts/location.ts';
import { type ApiError, invalid } from '../errors.ts';

/** Schemes whose uri names a host that somebody would have to be sent to. */
const hostSchemes = new Set(['http', 'https', 'ftp', 'sftp', 'hdfs', 'viewfs', 'r2', 'b2', 'abfss']);

/** Characters of paths in disguise: somebody on the way might decode them. */
const encoded = /%(2e|2f|5c|25|00)/i;

const MAX_LENGTH = 2048;

const schemeOf = (uri: string): string | undefined => /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();

const hostRefused = (scheme: string): ApiError =>
  invalid(
    `'artifact_location' cannot use the '${scheme}' scheme: it addresses a host of its own. Leave 'artifact_location' out to keep artifacts in this server's store, or name a bucket, such as s3://bucket/path.`,
  );

/** What is wrong with the path of one of our own places; undefined when nothing is. */
function ownPlaceProblem(
  uri: string,
  { bucket, namespace }: { bucket: string; namespace: string },
): string | undefined {
  if (schemeOf(uri) === 'mlflow-artifacts') {
    const path = artifactPathOf(uri);
    return path === undefined || encoded.test(path) ? 'must be mlflow-artifacts:/ and a plain path' : undefined;
  }
  const root = s3Uri({ bucket, key: '' });
  if (!uri.startsWith(root)) return undefined;
  const key = uri.slice(root.length);
  const prefix = tenantPrefix(namespace);
  const inside =
    key.startsWith(prefix) && isRelativePath(key.slice(prefix.length).replace(/\/+$/, '')) && !encoded.test(key);
  return inside ? undefined : `must lie below s3://${bucket}/${prefix}, which is this namespace's part of the bucket`;
}

/** Throws ApiError for a location that experiments of the namespace cannot have. */
export function checkArtifactLocation(uri: string, own: { bucket: string; namespace: string }): void {
  const scheme = schemeOf(uri);
  if (uri.includes('#')) throw invalid("'artifact_location' URL can't include fragments or params.");
  if (scheme === 'runs') throw invalid(`Artifact location cannot be a runs:/ URI. Given: '${uri}'`);
  if (scheme && (hostSchemes.has(scheme) || /^mlflow-artifacts:\/\/[^/]/i.test(uri))) throw hostRefused(scheme);
  if (uri.length > MAX_LENGTH)
    throw invalid(
      `Invalid artifact path length. The length of the artifact path cannot be greater than ${MAX_LENGTH} characters.`,
    );
  if (scheme === undefined && !uri.startsWith('/'))
    throw invalid(
      `'artifact_location' must be a URI or an absolute path, got '${uri}': a relative path would be one on the server's disk.`,
    );
  const problem = ownPlaceProblem(uri, own);
  if (problem) throw invalid(`'artifact_location' ${problem}, got '${uri}'.`);
}
