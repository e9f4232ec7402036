import {
  FETCH_SECRET,
  OBJECT_STORAGE_KEY,
  type ObjectStorageAccess,
  POSTGRES_KEY,
  type PostgresAccess,
  PUBLISH_SECRET,
} from '@slipway/contract';
import type { TenantSecret } from './ports.ts';

export interface TenantAccess {
  readonly fetch: ObjectStorageAccess;
  readonly publish: ObjectStorageAccess;
  readonly postgres: PostgresAccess;
  /** When the object store's credentials end; absent when they do not. */
  readonly expiresAt?: Date;
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64');

/** The two Secrets of a namespace. Same access, same Secrets. */
export function secretsFor(
  namespace: string,
  access: TenantAccess,
): readonly [fetch: TenantSecret, publish: TenantSecret] {
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
  ];
}
