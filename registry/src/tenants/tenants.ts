/** A namespace may hold data once its name is bound to the one Kubernetes namespace it stands for. */
import { ADOPT_ANNOTATION } from '@slipway/contract';
import { TenantConflictError, type TenantStore } from '@slipway/database';
import { ApiError, missing } from '../errors.ts';

/** What the API server says of a namespace. */
export interface NamespaceFacts {
  readonly uid: string;
  /** The uid of an earlier namespace of that name whose data its administrator lets it take over. */
  readonly adoptUid?: string | undefined;
  /** It is being deleted: what it holds stays readable, and nothing new begins. */
  readonly terminating: boolean;
}

export interface Tenants {
  /** Resolves when the namespace may hold data; throws ApiError (404, 409, 503) with the next step when not. */
  ensure(namespace: string): Promise<void>;
}

export interface KubernetesTenantsOptions {
  /** Undefined when there is no such namespace; throws when the API server does not answer. */
  readonly read: (namespace: string) => Promise<NamespaceFacts | undefined>;
  readonly store: Pick<TenantStore, 'claim'>;
  /** The uid a name is bound to already. */
  readonly ownerOf: (namespace: string) => Promise<string | undefined>;
  readonly now: () => number;
  /** Told when the API server was away and what is bound already was believed. */
  readonly onUnanswered: (namespace: string, error: unknown) => void;
}

const CHECK_MS = 30_000;

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Throws 404 for what cannot be the name of a namespace: nothing after this has to expect one that is none. */
export function checkName(namespace: string): void {
  if (!NAME.test(namespace))
    throw missing(`Namespace '${namespace.slice(0, 80)}' does not exist: expected the name of a Kubernetes namespace.`);
}

const notThere = (namespace: string): ApiError =>
  missing(
    `Namespace '${namespace}' does not exist. Its administrator makes it with: kubectl create namespace ${namespace}`,
  );

const conflict = (namespace: string, uid: string, error: TenantConflictError): ApiError =>
  new ApiError(
    'RESOURCE_CONFLICT',
    `${error.message}; this one (uid ${uid}) does not inherit it. To take over that data: kubectl annotate namespace ` +
      `${namespace} --overwrite ${ADOPT_ANNOTATION}=${error.earlierUid}. To start afresh, use another name.`,
    { cause: error },
  );

/** Namespaces as Kubernetes has them: bound at first use, looked at again every 30 s. */
export function kubernetesTenants({ read, store, ownerOf, now, onUnanswered }: KubernetesTenantsOptions): Tenants {
  const goodUntil = new Map<string, number>();
  const underWay = new Map<string, Promise<void>>();

  /** Whatever the API server's silence hides, a name that is bound was a namespace's. */
  async function believed(namespace: string, error: unknown): Promise<void> {
    if ((await ownerOf(namespace)) !== undefined) return onUnanswered(namespace, error);
    const message = `The Kubernetes API server did not answer whether namespace ${namespace} exists. Try again in a moment.`;
    throw new ApiError('TEMPORARILY_UNAVAILABLE', message, { cause: error });
  }

  async function bind(namespace: string, { uid, adoptUid, terminating }: NamespaceFacts): Promise<void> {
    if (terminating && (await ownerOf(namespace)) === undefined) throw notThere(namespace);
    await store.claim(namespace, uid, adoptUid).catch((error) => {
      throw error instanceof TenantConflictError ? conflict(namespace, uid, error) : error;
    });
  }

  async function look(namespace: string): Promise<void> {
    let facts: NamespaceFacts | undefined;
    try {
      facts = await read(namespace);
    } catch (error) {
      return believed(namespace, error);
    }
    if (!facts) throw notThere(namespace);
    await bind(namespace, facts);
  }

  return {
    ensure(namespace) {
      if ((goodUntil.get(namespace) ?? 0) > now()) return Promise.resolve();
      const running = underWay.get(namespace);
      if (running) return running;
      goodUntil.delete(namespace);
      const started = look(namespace)
        .then(() => void goodUntil.set(namespace, now() + CHECK_MS))
        .finally(() => underWay.delete(namespace));
      underWay.set(namespace, started);
      return started;
    },
  };
}

/** Without Kubernetes: a namespace exists as soon as somebody speaks for it. */
export function anyTenants(store: Pick<TenantStore, 'claim'>): Tenants {
  const claimed = new Set<string>();
  return {
    async ensure(namespace) {
      if (claimed.has(namespace)) return;
      await store.claim(namespace, 'local').catch((error) => {
        // Bound while Kubernetes was asked: here nobody tells namespaces of one name apart.
        if (!(error instanceof TenantConflictError)) throw error;
      });
      claimed.add(namespace);
    },
  };
}

/** Only these; none listed means all. */
export const watchedOnly = (watched: readonly string[], tenants: Tenants): Tenants =>
  watched.length === 0
    ? tenants
    : {
        async ensure(namespace) {
          if (!watched.includes(namespace))
            throw missing(
              `Namespace '${namespace}' is not among those this registry works for. The chart's operator.watchNamespaces lists them.`,
            );
          await tenants.ensure(namespace);
        },
      };
