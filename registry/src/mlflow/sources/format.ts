/** What a version's files are: something that can be served, and by which digest they are known. */
import { type Artifact, type ArtifactFile, artifactDigest, isRelativePath } from '@slipway/contract';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { ArtifactFileInfo, TenantArtifacts } from '../../artifacts/tenant-artifacts.ts';
import type { ResolvedSource } from './resolve.ts';

export type VersionFormat = 'onnx' | 'mlflow';

/** More than an MLmodel of a thousand columns has. */
const MAX_MLMODEL = 1024 * 1024;
/** What one artifact may have, as everybody who fetches it takes it. */
const MAX_FILES = 256;
/** The name a single object gets in the folder it is fetched into. */
const SINGLE_FILE = 'model.onnx';

const MLmodel = z.object({ flavors: z.object({ onnx: z.object({ data: z.string() }).optional() }).catch({}) });

/** A document that is no YAML, or that grows or nests beyond reason when it is read, is no model's description. */
function documentIn(yaml: string): unknown {
  try {
    const document = parseDocument(yaml, { uniqueKeys: false, logLevel: 'silent' });
    return document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 20 });
  } catch {
    return undefined;
  }
}

/** The ONNX file that an MLmodel names; undefined when it names none or cannot be read. */
const onnxFileIn = (mlmodel: string): string | undefined =>
  MLmodel.safeParse(documentIn(mlmodel)).data?.flavors.onnx?.data;

/** Whether the names alone tell which file is the model: model.onnx, or the only .onnx. Pure. */
export function isOnnxByName(paths: readonly string[]): boolean {
  const candidates = paths.filter((path) => path.endsWith('.onnx'));
  return candidates.includes('model.onnx') || candidates.length === 1;
}

/** onnx when one file is clearly the model: the one MLmodel names, model.onnx, or the only .onnx. Pure. */
export const formatOf = (paths: readonly string[], mlmodel: string | undefined): VersionFormat =>
  isOnnxByName(paths) || (mlmodel !== undefined && onnxFileIn(mlmodel) !== undefined) ? 'onnx' : 'mlflow';

/** The files by digest, when every digest is known and their number is one an artifact may have. Pure. */
export function artifactOf(uri: string, files: readonly ArtifactFileInfo[]): Artifact | undefined {
  if (files.length === 0 || files.length > MAX_FILES) return undefined;
  const known: ArtifactFile[] = [];
  for (const { path, size, sha256 } of files) {
    if (sha256 === undefined || (path !== '' && !isRelativePath(path))) return undefined;
    known.push({ path: path === '' ? SINGLE_FILE : path, size, sha256 });
  }
  return { uri, files: known, digest: artifactDigest(known) };
}

/** Looks at the files of a source that is ours to read; one that is not can only be kept in mind. */
export async function inspect(
  artifacts: TenantArtifacts,
  namespace: string,
  { artifactPath, sourceUri }: Pick<ResolvedSource, 'artifactPath' | 'sourceUri'>,
): Promise<{ readonly format: VersionFormat; readonly artifact?: Artifact | undefined }> {
  if (artifactPath === undefined) return { format: 'mlflow' };
  const files = await artifacts.files(namespace, artifactPath);
  const isSingle = files.length === 1 && files[0]?.path === '';
  const paths = isSingle ? [artifactPath] : files.map(({ path }) => path);
  // Most names tell: what MLmodel says is read only where it could make a difference.
  const mlmodel =
    !isOnnxByName(paths) && paths.includes('MLmodel')
      ? await artifacts.readSmall(namespace, `${artifactPath}/MLmodel`, MAX_MLMODEL)
      : undefined;
  const format = formatOf(paths, mlmodel?.toString('utf8'));
  // One object that is no ONNX file is no model that anybody fetches.
  return { format, artifact: isSingle && format !== 'onnx' ? undefined : artifactOf(sourceUri, files) };
}
