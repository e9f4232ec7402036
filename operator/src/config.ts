/** The operator's environment. A wrong value is one sentence naming the variable; no value is ever repeated. */
import { objectStorageFromEnv, postgresFromEnv } from '@slipway/contract';
import { z } from 'zod';
import { tenancyFromEnv } from './tenancy/settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `a, b` → [a, b]; empty → []. */
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const wholeNumber = (least: number, most: number, fallback: number) =>
  z.coerce.number().int().min(least).max(most).default(fallback);

const Json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON' });
    return z.NEVER;
  }
});
const Quantities = z.record(z.string(), z.union([z.string(), z.number()]));
/** How Python models are converted, and where their pods find the object store. */
const Converter = z.object({
  image: z.string().min(1),
  resources: z.object({ requests: Quantities.exactOptional(), limits: Quantities.exactOptional() }),
  timeoutSeconds: z.int().min(1),
  deadlineSeconds: z.int().min(1),
  maxParallel: z.int().min(1),
});

const Variables = z.object({
  POD_NAME: z.string().min(1),
  POD_NAMESPACE: z.string().regex(namespaceName),
  PORT: wholeNumber(0, 65_535, 8_080),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  WATCH_NAMESPACES: list.pipe(z.array(z.string().regex(namespaceName))),
  LEADER_ELECTION: z.enum(['true', 'false']).default('true'),
  LEASE_NAME: z.string().min(1).max(253).default('slipway-operator'),
  MAX_CONCURRENT_RECONCILES: wholeNumber(1, 64, 4),
  RESYNC_SECONDS: wholeNumber(1, 86_400, 600),
  TRAINER_IMAGE: z.string().min(1),
  SERVING_IMAGE: z.string().min(1),
  CONVERTER: Json.pipe(Converter).optional(),
  CONVERTER_PEERS: Json.pipe(z.array(z.looseObject({}))).default([]),
  IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  IMAGE_PULL_SECRETS: list,
  OPERATOR_URL: z.url({ protocol: /^https?$/ }),
  REGISTRY_URL: z.url({ protocol: /^https?$/ }).optional(),
  HTTPS_INPUT_HOSTS: list.pipe(z.array(z.string().regex(/^[a-z0-9.-]+(:[0-9]{1,5})?$/, 'expected host or host:port'))),
  HTTPS_INPUT_CIDRS: list.pipe(z.array(z.union([z.cidrv4(), z.cidrv6()], 'expected address ranges like 10.0.0.0/8'))),
  RUN_TOKEN_KEY: z.string().min(32, 'expected 32 characters or more').optional(),
});

/** Wrong or missing environment variables, one per line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** An empty variable counts as absent, as charts leave them. */
const withoutEmpty = (env: Environment): Environment =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));

function attempt<T>(problems: string[], env: Environment, read: (env: Environment) => T): T | undefined {
  try {
    return read(env);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    for (const { path, message } of error.issues) {
      const name = String(path[0]);
      problems.push(`${name}: ${env[name] === undefined ? 'is not set' : message}`);
    }
    return undefined;
  }
}

/** Everything the process is told from outside. Throws ConfigError naming every variable that is wrong. */
export function configFromEnv(environment: Environment) {
  const env = withoutEmpty(environment);
  const problems: string[] = [];
  const own = attempt(problems, env, (given) => Variables.parse(given));
  const tenancy = attempt(problems, env, tenancyFromEnv);
  const postgres = attempt(problems, env, postgresFromEnv);
  const objectStorage = attempt(problems, env, objectStorageFromEnv);
  if (!own || !tenancy || !postgres || !objectStorage) {
    const unique = [...new Set(problems)].join('\n  ');
    throw new ConfigError(`wrong or missing environment variables (the chart sets them):\n  ${unique}`);
  }
  return {
    podName: own.POD_NAME,
    podNamespace: own.POD_NAMESPACE,
    port: own.PORT,
    logLevel: own.LOG_LEVEL,
    watchNamespaces: own.WATCH_NAMESPACES,
    leaderElection: own.LEADER_ELECTION === 'true',
    leaseName: own.LEASE_NAME,
    maxConcurrentReconciles: own.MAX_CONCURRENT_RECONCILES,
    resyncMs: own.RESYNC_SECONDS * 1000,
    pods: {
      trainerImage: own.TRAINER_IMAGE,
      servingImage: own.SERVING_IMAGE,
      ...(own.CONVERTER && { converter: own.CONVERTER }),
      imagePullPolicy: own.IMAGE_PULL_POLICY,
      imagePullSecrets: own.IMAGE_PULL_SECRETS,
      operatorUrl: own.OPERATOR_URL,
      ...(own.REGISTRY_URL !== undefined && { registryUrl: own.REGISTRY_URL }),
      httpsInputHosts: own.HTTPS_INPUT_HOSTS,
      httpsInputCidrs: own.HTTPS_INPUT_CIDRS,
      ...(own.RUN_TOKEN_KEY !== undefined && { runTokenKey: own.RUN_TOKEN_KEY }),
    },
    /** For a NetworkPolicy. */
    storeAddress: { peers: own.CONVERTER_PEERS, port: portOf(objectStorage.endpoint) },
    tenancy,
    postgres,
    objectStorage,
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

export type Config = ReturnType<typeof configFromEnv>;
