/** Addresses and credentials of the two stores, as handed from process to process. */
import { z } from 'zod';

export const ObjectStorageAccess = z.object({
  endpoint: z.url({ protocol: /^https?$/ }),
  region: z.string().default('us-east-1'),
  /** `http://host/bucket/key` (as when absent); false: `http://bucket.host/key`. */
  pathStyle: z.boolean().exactOptional(),
  bucket: z.string().min(3).max(63),
  accessKey: z.string().min(1),
  secretKey: z.string().min(1),
  sessionToken: z.string().exactOptional(),
});
export type ObjectStorageAccess = z.infer<typeof ObjectStorageAccess>;

export const PostgresAccess = z.object({
  host: z.string().min(1),
  port: z.coerce.number().int().min(1).max(65535).default(5432),
  database: z.string().min(1),
  username: z.string().min(1),
  password: z.string().min(1),
  sslMode: z.enum(['disable', 'require', 'verify-full']).default('disable'),
});
export type PostgresAccess = z.infer<typeof PostgresAccess>;

/** Secrets the operator keeps in every tenant's namespace, and the files in them (mounted, never as environment). */
export const FETCH_SECRET = 'slipway-tenant-fetch';
export const PUBLISH_SECRET = 'slipway-tenant-publish';
/** What ships the log of predictions may do, and the key by which values in it are made unreadable. */
export const PREDICTIONS_SECRET = 'slipway-tenant-predictions';
export const OBJECT_STORAGE_KEY = 'object-storage.json';
export const POSTGRES_KEY = 'postgres.json';
/** Of the predictions' Secret: the key under which hashed features are digested, the same for all of a namespace. */
export const PREDICTION_HASH_KEY = 'hash-key';
/** Where one of these Secrets is mounted in the container that may read it. */
export const CREDENTIALS_DIR = '/credentials';

/** The environment of operator and registry, by name. Throws a ZodError naming the variable that is wrong. */
export const postgresFromEnv = (env: Readonly<Record<string, string | undefined>>): PostgresAccess =>
  z
    .object({
      POSTGRES_HOST: PostgresAccess.shape.host,
      POSTGRES_PORT: PostgresAccess.shape.port,
      POSTGRES_DATABASE: PostgresAccess.shape.database,
      POSTGRES_USERNAME: PostgresAccess.shape.username,
      POSTGRES_PASSWORD: PostgresAccess.shape.password,
      POSTGRES_SSL_MODE: PostgresAccess.shape.sslMode,
    })
    .transform((e) => ({
      host: e.POSTGRES_HOST,
      port: e.POSTGRES_PORT,
      database: e.POSTGRES_DATABASE,
      username: e.POSTGRES_USERNAME,
      password: e.POSTGRES_PASSWORD,
      sslMode: e.POSTGRES_SSL_MODE,
    }))
    .parse(env);

/** As `postgresFromEnv`, for the object store. */
export const objectStorageFromEnv = (env: Readonly<Record<string, string | undefined>>): ObjectStorageAccess =>
  z
    .object({
      OBJECT_STORAGE_ENDPOINT: ObjectStorageAccess.shape.endpoint,
      OBJECT_STORAGE_REGION: ObjectStorageAccess.shape.region,
      OBJECT_STORAGE_PATH_STYLE: z.enum(['true', 'false']).default('true'),
      OBJECT_STORAGE_BUCKET: ObjectStorageAccess.shape.bucket,
      OBJECT_STORAGE_ACCESS_KEY: ObjectStorageAccess.shape.accessKey,
      OBJECT_STORAGE_SECRET_KEY: ObjectStorageAccess.shape.secretKey,
    })
    .transform((e) => ({
      endpoint: e.OBJECT_STORAGE_ENDPOINT,
      region: e.OBJECT_STORAGE_REGION,
      ...(e.OBJECT_STORAGE_PATH_STYLE === 'false' && { pathStyle: false }),
      bucket: e.OBJECT_STORAGE_BUCKET,
      accessKey: e.OBJECT_STORAGE_ACCESS_KEY,
      secretKey: e.OBJECT_STORAGE_SECRET_KEY,
    }))
    .parse(env);
