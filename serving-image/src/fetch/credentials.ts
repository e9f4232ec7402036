import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OBJECT_STORAGE_KEY, ObjectStorageAccess } from '@slipway/contract';
import { FailureError } from '../failure.ts';

/** Reads the mounted credential. Throws InvalidConfiguration naming the field, never a value. */
export async function readCredentials(dir: string): Promise<ObjectStorageAccess> {
  const text = await readFile(join(dir, OBJECT_STORAGE_KEY), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FailureError(
      'InvalidConfiguration',
      `${OBJECT_STORAGE_KEY} cannot be read (${error.code}); mount the Secret`,
    );
  });
  const parsed = ObjectStorageAccess.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join('.') || 'the document';
  throw new FailureError('InvalidConfiguration', `${OBJECT_STORAGE_KEY}: ${path} is missing or malformed`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
