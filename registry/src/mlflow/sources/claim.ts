/** What the source of a model version claims to be, decided from the request alone. Refusals are in MLflow's words. Pure. */
import { belongsToTenant, parseS3Uri, s3Uri } from '@slipway/contract';
import { type ApiError, invalid } from '../../errors.ts';
import type { Place } from '../entities/model-version.ts';
import { hasPlainPath, splitUri } from './uri.ts';

export interface SourceRequest {
  readonly source: string;
  /** Absent and empty are two things: an empty one was said. */
  readonly runId?: string | undefined;
  readonly modelId?: string | undefined;
  readonly isPrompt: boolean;
}

export type VersionSelector =
  | { readonly version: string }
  | { readonly stage: string }
  | { readonly alias: string }
  | { readonly latest: true };

export type SourceClaim =
  /** No bytes: the text of a prompt is in its tags. */
  | { readonly kind: 'prompt' }
  /** Another registered version. */
  | { readonly kind: 'version'; readonly name: string; readonly selector: VersionSelector }
  /** The logged model that the request names. */
  | { readonly kind: 'logged-model'; readonly modelId: string }
  /** A path of the run that the request names. */
  | { readonly kind: 'run'; readonly runId: string; readonly path: string }
  /** A place in the artifact store, which must lie within what the request names. */
  | { readonly kind: 'artifact' }
  /** An object or a folder of this namespace in our bucket. */
  | { readonly kind: 'stored'; readonly uri: string }
  /** A place of somebody else's, kept as it is and never read. */
  | { readonly kind: 'foreign' }
  /** A path on a disk: refused, after MLflow's look at the run or model that is named. */
  | { readonly kind: 'local' };

/** The source has nothing to do with the run or logged model that the request names. */
export const notContained = (source: string, by: 'run_id' | 'model_id'): ApiError =>
  invalid(
    `Invalid model version source: '${source}'. The ${by} request parameter must identify the resource that contains the source.`,
  );

/** The source is a path on a disk. */
export const localRefused = (source: string, by: 'run_id' | 'model_id'): ApiError =>
  invalid(
    `Invalid model version source: '${source}'. To use a local path as a model version source, the ${by} request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the ${by}.`,
  );

const notPlain = (source: string): ApiError =>
  invalid(
    `Invalid model version source: '${source}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.`,
  );

const hostRefused = (scheme: string): ApiError =>
  invalid(
    `'source' cannot use the '${scheme}' scheme: the '${scheme}' scheme addresses a host other than the tracking server's configured artifact storage, so the server would connect to the host named in the URI. Set the MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES environment variable on the server to allow it.`,
  );

const promptPlaceholders = new Set(['dummy-source', 'prompt-template']);
const hostSchemes = new Set(['ftp', 'sftp', 'hdfs', 'viewfs', 'http', 'https', 'r2', 'b2', 'abfss']);

/** The scheme, when the source names a host that somebody would have to be sent to. */
function hostScheme(source: string): string | undefined {
  const { scheme, authority } = splitUri(source);
  return hostSchemes.has(scheme) || (scheme === 'mlflow-artifacts' && authority !== '') ? scheme : undefined;
}

/** `models:/m-…` names a logged model; `models:/name/3`, `/Production`, `/latest` and `name@alias` a version. */
function modelsClaim(source: string, modelId: string | undefined): SourceClaim {
  const [, path = ''] = /^models:(.*)$/is.exec(source) ?? [];
  if (path.startsWith('//'))
    throw invalid(
      `Invalid model version source: '${source}'. Registered model sources must use the active model registry.`,
    );
  const parts = path.replace(/\?.*$/s, '').replace(/^\/+/, '').split('/');
  const [name = '', suffix] = parts;
  if (!path.startsWith('/') || parts.length > 2 || name.trim() === '' || suffix?.trim() === '')
    throw notContained(source, 'model_id');
  if (suffix !== undefined) return { kind: 'version', name, selector: selectorOf(suffix) };
  const at = name.lastIndexOf('@');
  if (at >= 0) {
    if (name.slice(at + 1).trim() === '') throw notContained(source, 'model_id');
    return { kind: 'version', name: name.slice(0, at), selector: { alias: name.slice(at + 1) } };
  }
  if (!hasPlainPath(source)) throw notPlain(source);
  if (modelId !== name) throw notContained(source, 'model_id');
  return { kind: 'logged-model', modelId: name };
}

function selectorOf(suffix: string): VersionSelector {
  if (/^\d+$/.test(suffix)) return { version: suffix };
  return suffix.toLowerCase() === 'latest' ? { latest: true } : { stage: suffix };
}

/** `runs:/<run>/<path>`: of the run that the request names, and of no logged model. */
function runClaim({ source, runId, modelId }: SourceRequest): SourceClaim {
  if (modelId) throw notContained(source, 'model_id');
  const { authority, path } = splitUri(source);
  const [, ofRun, ...rest] = path.split('/');
  if (authority !== '' || !runId || ofRun !== runId) throw notContained(source, 'run_id');
  return { kind: 'run', runId, path: rest.filter((part) => part !== '').join('/') };
}

/** A bucket that is ours opens for the namespace's own part only; other people's buckets are their own matter. */
function bucketClaim(source: string, { bucket, namespace }: Place): SourceClaim {
  if (splitUri(source).authority !== bucket) return { kind: 'foreign' };
  const location = parseS3Uri(source.replace(/^s3:/i, 's3:').replace(/([^/:])\/{2,}/g, '$1/'));
  if (location && belongsToTenant(location, bucket, namespace)) return { kind: 'stored', uri: s3Uri(location) };
  throw invalid(
    `Invalid model version source: '${source}'. Of the bucket '${bucket}' this namespace may use what lies below s3://${bucket}/${namespace}/.`,
  );
}

/** What the source is, by its words alone. Throws ApiError for one that cannot be, whatever is stored. */
export function claimOf(request: SourceRequest, place: Place): SourceClaim {
  const { source, modelId, isPrompt } = request;
  if (isPrompt && !promptPlaceholders.has(source))
    throw invalid(`Invalid prompt source: '${source}'. Prompt sources must use an MLflow placeholder.`);
  if (isPrompt) return { kind: 'prompt' };
  const host = hostScheme(source);
  if (host !== undefined) throw hostRefused(host);
  const { scheme } = splitUri(source);
  if (scheme === 'models') return modelsClaim(source, modelId);
  if (scheme === '' || scheme === 'file') return { kind: 'local' };
  if (!hasPlainPath(source)) throw notPlain(source);
  if (scheme === 'runs') return runClaim(request);
  if (scheme === 'mlflow-artifacts') return { kind: 'artifact' };
  return scheme === 's3' ? bucketClaim(source, place) : { kind: 'foreign' };
}
