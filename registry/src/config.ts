/** What the registry is told from outside: environment variables, listed for people in docs/registry-settings.md. */
import {
  type ObjectStorageAccess,
  objectStorageFromEnv,
  type PostgresAccess,
  postgresFromEnv,
} from '@slipway/contract';
import { z } from 'zod';

type Environment = Readonly<Record<string, string | undefined>>;

const namespaceName = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected the name of a namespace');
const roleName = z.string().regex(/^[a-z0-9.-]+$/, 'expected the name of a ClusterRole');
const wholeNumber = (least: number, most: number, fallback: number) =>
  z.coerce.number(`expected a whole number from ${least} to ${most}`).int().min(least).max(most).default(fallback);
const count = z.string().regex(/^[1-9]\d{0,5}$/, 'expected a number from 1 on');
const duration = z.string().regex(/^\d{1,6}[smhd]$/, 'expected a duration such as 90d');
const yesOrNo = z.enum(['true', 'false']);
/** `a, b` → [a, b]; absent → []. */
const listOf = <Item extends z.ZodType<unknown, string>>(item: Item) =>
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .pipe(z.array(item));

/** The registry's own variables; those of the two stores are the contract's. An absent variable takes its default. */
export const RegistryVariables = z.object({
  PORT: wholeNumber(1, 65_535, 5000),
  LISTEN_ADDRESS: z.union([z.ipv4(), z.ipv6()], 'expected an IP address').default('::'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  DEFAULT_NAMESPACE: namespaceName.default('default'),
  NAMESPACES: z.enum(['kubernetes', 'any']).default('kubernetes'),
  WATCH_NAMESPACES: listOf(namespaceName),
  VERIFIER: z.enum(['operator', 'none']).default('operator'),
  AUTH: z.enum(['kubernetes', 'secret', 'none']).default('kubernetes'),
  AUTH_FILE: z.string().optional(),
  VIEW_ROLE: roleName.default('slipway-view'),
  EDIT_ROLE: roleName.default('slipway-edit'),
  RUN_TOKEN_KEY: z.string().min(32, 'expected 32 characters or more').optional(),
  ALLOWED_ORIGINS: listOf(z.url({ protocol: /^https?$/, error: 'expected origins such as https://ml.example.com' })),
  ARTIFACT_PRESIGNED: yesOrNo.default('false'),
  ARTIFACT_PUBLIC_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'expected a URL such as https://s3.example.com' })
    .optional(),
  POSTGRES_POOL_SIZE: wholeNumber(2, 200, 16),
  // Read by the subcommand gc (gc/command.ts), and checked for every start.
  RETENTION_KEEP_LAST: count.optional(),
  RETENTION_MAX_AGE: duration.optional(),
  RETENTION_KEEP_STAGES: z
    .string()
    .regex(
      /^(none|(Staging|Production|Archived)(, *(Staging|Production|Archived))*)$/,
      'expected none, or Staging, Production and Archived with commas',
    )
    .optional(),
  RETENTION_RUNS_KEEP_LAST: count.optional(),
  RETENTION_RUNS_MAX_AGE: duration.optional(),
  DRAIN_SECONDS: wholeNumber(0, 60, 3),
});

export interface Config {
  readonly port: number;
  /** `::` is every address of the machine. */
  readonly listenAddress: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Whose requests come without `/n/<namespace>`. */
  readonly defaultNamespace: string;
  /** `kubernetes`: a namespace must exist there before it can hold data. `any`: it exists as soon as it is spoken for. */
  readonly namespaces: 'kubernetes' | 'any';
  /** When there are some, the only namespaces that are answered for. */
  readonly watchNamespaces: readonly string[];
  /** False: nothing verifies versions, so they are READY at once. */
  readonly verified: boolean;
  /**
   * `kubernetes`: who asks needs rights in the namespace. `secret`: the users and tokens of a file. `none`: whoever
   * reaches the port reads and writes everything.
   */
  readonly auth: 'kubernetes' | 'secret' | 'none';
  /** The file of users and tokens; there when `auth` is `secret`. */
  readonly authFile: string | undefined;
  /** The ClusterRoles that allow reading and writing: a refusal says how to bind them. */
  readonly viewRole: string;
  readonly editRole: string;
  /** Shared with the operator; without it tokens of runs are nobody's. */
  readonly runTokenKey: string | undefined;
  /** Web pages of other origins that may write. */
  readonly allowedOrigins: readonly string[];
  /** Clients may be sent to the object store for large artifacts: then it must be reachable for them. */
  readonly presigned: boolean;
  /** The object store's URL for clients, when it is not the one the registry uses itself. */
  readonly publicEndpoint: string | undefined;
  readonly poolSize: number;
  /** How long the endpoints of the Service may still send requests after SIGTERM. */
  readonly drainMs: number;
  readonly postgres: PostgresAccess;
  readonly objectStorage: ObjectStorageAccess;
}

/** Wrong or missing environment variables, in one sentence; no value is repeated. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const configFrom = (
  own: z.output<typeof RegistryVariables>,
  postgres: PostgresAccess,
  objectStorage: ObjectStorageAccess,
): Config => ({
  port: own.PORT,
  listenAddress: own.LISTEN_ADDRESS,
  logLevel: own.LOG_LEVEL,
  defaultNamespace: own.DEFAULT_NAMESPACE,
  namespaces: own.NAMESPACES,
  watchNamespaces: own.WATCH_NAMESPACES,
  verified: own.VERIFIER === 'operator',
  auth: own.AUTH,
  authFile: own.AUTH_FILE,
  viewRole: own.VIEW_ROLE,
  editRole: own.EDIT_ROLE,
  runTokenKey: own.RUN_TOKEN_KEY,
  allowedOrigins: own.ALLOWED_ORIGINS.map((origin) => new URL(origin).origin),
  presigned: own.ARTIFACT_PRESIGNED === 'true',
  publicEndpoint: own.ARTIFACT_PUBLIC_ENDPOINT,
  poolSize: own.POSTGRES_POOL_SIZE,
  drainMs: own.DRAIN_SECONDS * 1000,
  postgres,
  objectStorage,
});

/** The process's environment; an empty variable counts as absent. Throws ConfigError naming every variable that is wrong. */
export function configFromEnv(environment: Environment): Config {
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error;
      for (const { path, message } of error.issues) {
        const name = String(path[0]);
        problems.push(`${name}: ${env[name] === undefined ? 'is not set' : message}`);
      }
      return undefined;
    }
  };
  const own = attempt(() => RegistryVariables.parse(env));
  const postgres = attempt(() => postgresFromEnv(env));
  const objectStorage = attempt(() => objectStorageFromEnv(env));
  if (own?.AUTH === 'secret' && own.AUTH_FILE === undefined)
    problems.push('AUTH_FILE: is not set, and AUTH=secret needs it');
  if (!own || !postgres || !objectStorage || problems.length > 0)
    throw new ConfigError(`wrong or missing environment variables (the chart sets them): ${problems.join('; ')}`);
  return configFrom(own, postgres, objectStorage);
}
