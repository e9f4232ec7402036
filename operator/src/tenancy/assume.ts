import type { ObjectStorageAccess } from '@slipway/contract';
import {
  assumeTenantRole,
  ObjectStoreError,
  predictionsPolicy,
  publishPolicy,
  readonlyPolicy,
} from '@slipway/object-store';
import type { AssumeTenant } from './ports.ts';

const policyFor = { fetch: readonlyPolicy, publish: publishPolicy, predictions: predictionsPolicy } as const;

/** What to do when the store says no, which it will go on saying. */
function withCure(error: unknown): unknown {
  if (!(error instanceof ObjectStoreError) || error.reason === 'Unavailable') return error;
  const cure =
    'let its user assume roles (STS AssumeRole with a session policy), or, where all namespaces trust each other, ' +
    'hand out one shared credential (operator.tenantCredentials=shared)';
  return new ObjectStoreError(error.reason, `${error.message}: ${cure}`, { cause: error });
}

/** Tenants' credentials from the Security Token Service of the store at `access`. Throws ObjectStoreError. */
export const assumeWith =
  (access: ObjectStorageAccess, durationSeconds: number): AssumeTenant =>
  async (namespace, rights) => {
    try {
      const policy = policyFor[rights](access.bucket, namespace);
      const { expiration, ...temporary } = await assumeTenantRole(access, { policy, durationSeconds });
      return { access: temporary, expiresAt: expiration };
    } catch (error) {
      throw withCure(error);
    }
  };
