/** A model's folder on disk and the artifact that describes it. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ArtifactFile, artifactDigest, EXAMPLES_FILE, SIGNATURE_FILE } from '@slipway/contract';
import type { TestModel } from './models.ts';

export interface ModelFolder {
  readonly dir: string;
  readonly files: ArtifactFile[];
  readonly digest: string;
  readonly artifact: { namespace: string; uri: string; files: ArtifactFile[]; digest: string };
}

/** A new folder that goes when the test ends. */
export async function temporaryFolder(t: Pick<TestContext, 'after'>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export const filesOf = ({ onnx, signature, examples }: TestModel): Record<string, Buffer> => ({
  'model.onnx': onnx,
  ...(signature && { [SIGNATURE_FILE]: Buffer.from(JSON.stringify(signature)) }),
  ...(examples && { [EXAMPLES_FILE]: Buffer.from(JSON.stringify(examples)) }),
});

export const fileEntry = (path: string, content: Buffer): ArtifactFile => ({
  path,
  sha256: createHash('sha256').update(content).digest('hex'),
  size: content.length,
});

/** Writes the files and describes them truly. */
export async function modelFolder(
  t: Pick<TestContext, 'after'>,
  contents: Readonly<Record<string, Buffer>>,
): Promise<ModelFolder> {
  const dir = await temporaryFolder(t);
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
  const files = Object.entries(contents).map(([path, content]) => fileEntry(path, content));
  const digest = artifactDigest(files);
  return {
    dir,
    files,
    digest,
    artifact: { namespace: 'team-a', uri: 's3://slipway/team-a/1/r/artifacts/x/model', files, digest },
  };
}
