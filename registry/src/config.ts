import { type PostgresAccess, postgresFromEnv } from '@slipway/contract';
import { z } from 'zod';

const RegistryEnv = z.object({
  PORT: z.coerce.number().int().min(1).max(65535).default(5000),
  AUTH: z.enum(['kubernetes', 'none']).default('kubernetes'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

export interface Config {
  readonly port: number;
  /** `kubernetes`: who asks must be allowed to read the namespace. `none`: whoever reaches the port reads everything. */
  readonly auth: 'kubernetes' | 'none';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly postgres: PostgresAccess;
}

/** The process's environment. Throws a ZodError naming every variable that is wrong. */
export function configFromEnv(env: Readonly<Record<string, string | undefined>>): Config {
  const { PORT, AUTH, LOG_LEVEL } = RegistryEnv.parse(env);
  return { port: PORT, auth: AUTH, logLevel: LOG_LEVEL, postgres: postgresFromEnv(env) };
}
