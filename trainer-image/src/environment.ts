/** Reading what a subcommand is given: environment variables and mounted files, parsed once. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OBJECT_STORAGE_KEY, ObjectStorageAccess, POSTGRES_KEY, PostgresAccess } from '@slipway/contract';
import { z } from 'zod';
import { FailureError } from './failure.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** A JSON document in a string. */
export const Json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON' });
    return z.NEVER;
  }
});

/** Thirty days: longer than any outage somebody waits out, shorter than for ever. */
export const DeadlineSeconds = z.coerce
  .number()
  .positive()
  .max(365 * 86_400)
  .default(30 * 86_400);

/** How long a refusal is taken for credentials about to be renewed: the kubelet needs up to two minutes to bring them. */
export const DeniedGraceSeconds = z.coerce.number().min(0).max(3600).default(120);

/** Throws InvalidConfiguration naming the variable that is wrong. */
export function parseEnv<T>(schema: z.ZodType<T>, env: Env): T {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FailureError('InvalidConfiguration', `environment variable ${issue?.path.join('.')}: ${issue?.message}`);
}

async function readAccess<T>(dir: string, file: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readFile(join(dir, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FailureError('InvalidConfiguration', `${file} cannot be read (${error.code}); mount the tenant's Secret`);
  });
  const parsed = Json.pipe(schema).safeParse(text);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join('.') || 'the document';
  throw new FailureError('InvalidConfiguration', `${file}: ${path} is missing or malformed`);
}

/** The mounted credentials as they are now; the kubelet replaces the files when they are renewed. Names fields, never values. */
export const readObjectStorageAccess = (dir: string): Promise<ObjectStorageAccess> =>
  readAccess(dir, OBJECT_STORAGE_KEY, ObjectStorageAccess);
export const readPostgresAccess = (dir: string): Promise<PostgresAccess> =>
  readAccess(dir, POSTGRES_KEY, PostgresAccess);
