/** A model's bytes in the object store: where they are and what they must be. */
import { z } from 'zod';
import { sha256Hex } from './hash.ts';

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex characters');

/** A relative path that stays inside its folder: no empty, `.` or `..` segment, no backslash, no control character. */
export const RelativePath = z
  .string()
  .min(1)
  .max(512)
  .refine(isRelativePath, 'expected a relative path without empty, "." or ".." segments');

export const ArtifactFile = z.object({ path: RelativePath, sha256: Sha256, size: z.int().min(0) });
export type ArtifactFile = z.infer<typeof ArtifactFile>;

/** `uri` names a folder (`s3://bucket/prefix`) or one object; `files` are relative to it; `digest` covers all files. */
export const Artifact = z.object({
  uri: z.string().min(1),
  files: z.array(ArtifactFile).min(1).max(256),
  digest: Sha256,
});
export type Artifact = z.infer<typeof Artifact>;

/** True when `path` cannot leave the folder it is joined to. */
export function isRelativePath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (/[\u0000-\u001f\\]/.test(path)) return false;
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

/** One digest for a set of files: SHA-256 over `<sha256> <size> <path>\n` lines sorted by path. Order does not matter. */
export function artifactDigest(files: readonly ArtifactFile[]): string {
  const lines = files.map(({ path, sha256, size }) => ({ path, line: `${sha256} ${size} ${path}\n` }));
  lines.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return sha256Hex(lines.map(({ line }) => line).join(''));
}
