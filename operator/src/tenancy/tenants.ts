/**
 * A namespace with our kinds in it is a tenant: its name is bound to its uid in the database, and three Secrets in it hold
 * credentials that reach its own objects and rows and nobody else's.
 */
import {
  ADOPT_ANNOTATION,
  FETCH_SECRET,
  type ObjectStorageAccess,
  type PostgresAccess,
  PREDICTIONS_SECRET,
  PUBLISH_SECRET,
} from '@slipway/contract';
import { RoleDeniedError, TenantConflictError, type TenantStore } from '@slipway/database';
import { TerminalError } from '../api/errors.ts';
import type { Logger } from '../runtime/reconcile.ts';
import { predictionHashKey, tenantPassword } from './password.ts';
import type { AssumeTenant, NamespaceFacts, TenantKube } from './ports.ts';
import { secretsFor } from './secrets.ts';
import type { TenancySettings } from './settings.ts';

export interface TenantsOptions {
  readonly kube: TenantKube;
  readonly store: TenantStore;
  /** The release's own access. It leaves this process only in `shared` mode. */
  readonly objectStorage: ObjectStorageAccess;
  readonly postgres: PostgresAccess;
  readonly assume: AssumeTenant;
  readonly settings: TenancySettings;
  readonly now: () => Date;
  readonly log: Logger;
}

export interface Tenants {
  /**
   * After this the namespace is claimed and its Secrets are there and good for a while. Cheap when they are. Throws
   * TerminalError with the cure: `NamespaceDataConflict` when the name stands for another namespace's data,
   * `TenantRoleDenied` when the database user may not make the tenant's role, and what `kube` throws when the API server
   * refuses the Secrets. A store that is away, or a right that is lost, matters only when there is something to be made:
   * as long as the credentials last, this only warns.
   */
  ensure(namespace: string): Promise<void>;
  /** The namespace has none of our kinds left: deletes its Secrets. Its data stays. */
  release(namespace: string): Promise<void>;
}

/** What was applied. Kept in memory, so that applying again changes nothing as long as the credentials last. */
interface Applied {
  readonly uid: string;
  readonly objects: StoreAccess;
  /** Half of the credentials' life: from here on new ones are asked for. */
  readonly renewAt: number;
  /** Look again at this time. */
  readonly dueAt: number;
}

interface StoreAccess {
  readonly fetch: ObjectStorageAccess;
  readonly publish: ObjectStorageAccess;
  readonly predictions: ObjectStorageAccess;
  readonly expiresAt?: Date;
}

/** Until when pods can work with what they have. */
const goodUntil = ({ objects }: Applied): number => objects.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;

/** How soon a refresh that failed is tried again, while what is there still works. */
const RETRY_MS = 30_000;
/** A right is granted without a watch telling us. */
const LOOK_AGAIN_MS = 60_000;
const DATA_CONFLICT = 'NamespaceDataConflict';

/** Whose data it is cannot wait until the credentials end. */
const isDataConflict = (error: unknown): boolean => error instanceof TerminalError && error.reason === DATA_CONFLICT;

async function claim(options: TenantsOptions, namespace: string, { uid, annotations }: NamespaceFacts): Promise<void> {
  try {
    await options.store.claim(namespace, uid, annotations[ADOPT_ANNOTATION]);
  } catch (error) {
    if (!(error instanceof TenantConflictError)) throw error;
    const cure = `kubectl annotate namespace ${namespace} --overwrite ${ADOPT_ANNOTATION}=${error.earlierUid}`;
    throw new TerminalError(
      DATA_CONFLICT,
      `${error.message}; this one (uid ${uid}) does not inherit it. To take over that data: ${cure} ` +
        '— it is looked at again at the next change of this object or the next resync. To start afresh, use another name.',
      { cause: error },
    );
  }
}

async function objectAccess(options: TenantsOptions, namespace: string): Promise<StoreAccess> {
  const { objectStorage, settings, assume } = options;
  if (settings.mode === 'shared') return { fetch: objectStorage, publish: objectStorage, predictions: objectStorage };
  const [fetch, publish, predictions] = await Promise.all([
    assume(namespace, 'fetch'),
    assume(namespace, 'publish'),
    assume(namespace, 'predictions'),
  ]);
  const ends = [fetch, publish, predictions].map(({ expiresAt }) => expiresAt.getTime());
  return {
    fetch: fetch.access,
    publish: publish.access,
    predictions: predictions.access,
    expiresAt: new Date(Math.min(...ends)),
  };
}

async function databaseAccess(options: TenantsOptions, namespace: string, uid: string): Promise<PostgresAccess> {
  const { postgres, settings, store } = options;
  if (settings.mode === 'shared') return postgres;
  const password = tenantPassword(settings.installKey, namespace, uid);
  try {
    return { ...postgres, password, ...(await store.ensureRole(namespace, password)) };
  } catch (error) {
    if (!(error instanceof RoleDeniedError)) throw error;
    throw new TerminalError('TenantRoleDenied', error.message, { cause: error, retryAfterMs: LOOK_AGAIN_MS });
  }
}

async function applyTenant(options: TenantsOptions, namespace: string, before: Applied | undefined): Promise<Applied> {
  const facts = await options.kube.readNamespace(namespace);
  await claim(options, namespace, facts);
  const startedAt = options.now().getTime();
  const kept = before?.uid === facts.uid && startedAt < before.renewAt ? before : undefined;
  const objects = kept?.objects ?? (await objectAccess(options, namespace));
  const postgres = await databaseAccess(options, namespace, facts.uid);
  const hashKey = predictionHashKey(options.settings.installKey, namespace, facts.uid);
  const secrets = secretsFor(namespace, { ...objects, postgres, hashKey });
  for (const secret of secrets) await options.kube.applySecret(secret);
  const life = (objects.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY) - startedAt;
  const renewAt = kept?.renewAt ?? startedAt + life / 2;
  return {
    uid: facts.uid,
    objects,
    renewAt,
    dueAt: Math.min(options.now().getTime() + options.settings.resyncMs, renewAt),
  };
}

/** Built once; remembers what it applied, so that every reconcile may ask. */
export function createTenants(options: TenantsOptions): Tenants {
  const applied = new Map<string, Applied>();
  const underWay = new Map<string, Promise<void>>();
  const now = () => options.now().getTime();

  const refresh = async (namespace: string, before: Applied | undefined): Promise<void> => {
    try {
      applied.set(namespace, await applyTenant(options, namespace, before));
    } catch (error) {
      if (!before || isDataConflict(error) || now() >= goodUntil(before)) {
        applied.delete(namespace);
        throw error;
      }
      applied.set(namespace, { ...before, dueAt: Math.min(now() + RETRY_MS, goodUntil(before)) });
      const why = error instanceof Error ? error.message : 'unknown';
      options.log.warn({ namespace, error: why }, 'tenant credentials not refreshed; the present ones still hold');
    }
  };

  return {
    ensure(namespace) {
      const before = applied.get(namespace);
      if (before && now() < before.dueAt) return Promise.resolve();
      const running = underWay.get(namespace);
      if (running) return running;
      const started = refresh(namespace, before).finally(() => underWay.delete(namespace));
      underWay.set(namespace, started);
      return started;
    },

    async release(namespace) {
      await underWay.get(namespace)?.catch(() => {});
      applied.delete(namespace);
      for (const name of [FETCH_SECRET, PUBLISH_SECRET, PREDICTIONS_SECRET])
        await options.kube.deleteSecret(namespace, name);
    },
  };
}
