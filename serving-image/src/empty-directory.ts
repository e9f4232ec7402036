import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FailureError } from './failure.ts';

/**
 * Makes sure that the working directory holds nothing: whatever a model could make the runtime read by a relative path
 * is then not there. In our image it is so from the start.
 */
export async function enterEmptyDirectory(): Promise<void> {
  if ((await readdir('.')).length === 0) return;
  try {
    process.chdir(await mkdtemp(join(tmpdir(), 'slipway-')));
  } catch (error) {
    throw new FailureError(
      'InvalidConfiguration',
      'the working directory is not empty and no temporary one can be made; start the process in an empty directory',
      { cause: error },
    );
  }
}
