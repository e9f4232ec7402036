import { z } from 'zod';

export interface TenancySettings {
  /**
   * `isolated`: every namespace gets credentials of its own. `shared`: every namespace gets the release's, for stores that
   * cannot assume roles or databases that cannot create them, where all namespaces trust each other.
   */
  readonly mode: 'isolated' | 'shared';
  /** Tenants' database passwords are derived from it. */
  readonly installKey: string;
  readonly stsDurationSeconds: number;
  /** How long what was applied counts as being there. */
  readonly resyncMs: number;
}

const TenancyEnv = z.object({
  TENANT_CREDENTIALS: z.enum(['isolated', 'shared']).default('isolated'),
  INSTALL_KEY: z.string().min(32, 'expected a key of 32 characters or more'),
  STS_DURATION_SECONDS: z.coerce.number().int().min(900).max(31_536_000).default(43_200),
  RESYNC_SECONDS: z.coerce.number().int().min(1).default(600),
});

/** The operator's environment. Throws a ZodError naming the variable that is wrong. */
export function tenancyFromEnv(env: Readonly<Record<string, string | undefined>>): TenancySettings {
  const parsed = TenancyEnv.parse(env);
  return {
    mode: parsed.TENANT_CREDENTIALS,
    installKey: parsed.INSTALL_KEY,
    stsDurationSeconds: parsed.STS_DURATION_SECONDS,
    resyncMs: parsed.RESYNC_SECONDS * 1000,
  };
}
