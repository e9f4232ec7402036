import { type PostgresAccess, postgresFromEnv } from '@slipway/contract';
import { z } from 'zod';

const RegistryEnv = z.object({
  PORT: z.coerce.number().int().min(1).max(65535).default(5000),
  AUTH: z.enum(['kubernetes', 'none']).default('kubernetes'),
  VIEW_ROLE: z
    .string()
    .regex(/^[a-z0-9.-]+$/, 'expected the name of a ClusterRole')
    .default('slipway-view'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

export interface Config {
  readonly port: number;
  /** `kubernetes`: who asks must be allowed to read the namespace. `none`: whoever reaches the port reads everything. */
  readonly auth: 'kubernetes' | 'none';
  /** The ClusterRole that allows reading: a refusal says how to bind it. */
  readonly viewRole: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly postgres: PostgresAccess;
}

/** Wrong or missing environment variables, in one sentence; no value is repeated. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The process's environment; an empty variable counts as absent. Throws ConfigError naming every variable that is wrong. */
export function configFromEnv(environment: Readonly<Record<string, string | undefined>>): Config {
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error;
      problems.push(...error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`));
      return undefined;
    }
  };
  const own = attempt(() => RegistryEnv.parse(env));
  const postgres = attempt(() => postgresFromEnv(env));
  if (!own || !postgres)
    throw new ConfigError(`wrong or missing environment variables (the chart sets them): ${problems.join('; ')}`);
  return { port: own.PORT, auth: own.AUTH, viewRole: own.VIEW_ROLE, logLevel: own.LOG_LEVEL, postgres };
}
