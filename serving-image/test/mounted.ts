/** A Secret or ConfigMap as the kubelet mounts it: every change is one swap of the link `..data`. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from './folder.ts';

export interface MountedObject {
  readonly dir: string;
  /** Replaces all its files at once. */
  swap(files: Readonly<Record<string, string>>): void;
}

/** Mounted with these files. Removed when the test ends. */
export async function mounted(
  t: Pick<TestContext, 'after'>,
  files: Readonly<Record<string, string>>,
): Promise<MountedObject> {
  const dir = await temporaryFolder(t);
  let state = 0;
  let shown: string[] = [];
  const swap = (next: Readonly<Record<string, string>>): void => {
    state += 1;
    const name = `..state-${state}`;
    mkdirSync(join(dir, name));
    for (const [file, text] of Object.entries(next)) writeFileSync(join(dir, name, file), text);
    symlinkSync(name, join(dir, '..data_tmp'));
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
    for (const file of shown) rmSync(join(dir, file));
    shown = Object.keys(next);
    for (const file of shown) symlinkSync(join('..data', file), join(dir, file));
    if (state > 1) rmSync(join(dir, `..state-${state - 1}`), { recursive: true });
  };
  swap(files);
  return { dir, swap };
}
