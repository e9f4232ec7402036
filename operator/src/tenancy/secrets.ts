import {
  FETCH_SECRET,
  OBJECT_STORAGE_KEY,
  type ObjectStorageAccess,
  POSTGRES_KEY,
  type PostgresAccess,
  PREDICTION_HASH_KEY,
  PREDICTIONS_SECRET,
  PUBLISH_SECRET,
} from '@slipway/contract';
import type { TenantSecret } from './ports.ts';

export interface TenantAccess {
  readonly fetch: ObjectStorageAccess;
  readonly publish: ObjectStorageAccess;
  readonly predictions: ObjectStorageAccess;
  /** Under which hashed features of predictions are digested. */
  readonly hashKey: string;
  readonly postgres: PostgresAccess;
  /** When the object store's credentials end; absent when they do not. */
  readonly expiresAt?: Date;
}

const inBase64 = (text: string): string => Buffer.from(text).toString('base64');
const encoded = (value: object): string => inBase64(JSON.stringify(value));

/** The three Secrets of a namespace. Same access, same Secrets. */
export function secretsFor(
  namespace: string,
  access: TenantAccess,
): readonly [fetch: TenantSecret, publish: TenantSecret, predictions: TenantSecret] {
  const secret = (name: string, data: TenantSecret['data']): TenantSecret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      namespace,
      name,
      labels: { 'app.kubernetes.io/managed-by': 'slipway', 'app.kubernetes.io/part-of': 'slipway' },
      ...(access.expiresAt && { annotations: { 'slipway.dev/expires': access.expiresAt.toISOString() } }),
    },
    type: 'Opaque',
    data,
  });
  return [
    secret(FETCH_SECRET, { [OBJECT_STORAGE_KEY]: encoded(access.fetch) }),
    secret(PUBLISH_SECRET, { [OBJECT_STORAGE_KEY]: encoded(access.publish), [POSTGRES_KEY]: encoded(access.postgres) }),
    secret(PREDICTIONS_SECRET, {
      [OBJECT_STORAGE_KEY]: encoded(access.predictions),
      [PREDICTION_HASH_KEY]: inBase64(access.hashKey),
    }),
  ];
}
